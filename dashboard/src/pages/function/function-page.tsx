import { useState } from 'preact/hooks';
import type { ResponseOf } from '../../../../src/client/client.ts';
import { useLive } from '../../api/use-live.ts';
import { useSurroundings } from '../../context.ts';
import { go, to } from '../../routes.ts';
import { Confirm } from '../../ui/confirm.tsx';
import { Page } from '../../ui/page.tsx';
import { Loaded } from '../../ui/states.tsx';
import { useAction } from '../../ui/use-action.ts';
import { DeadLetterList } from '../dead-letter-list.tsx';
import { CallsTab } from './calls-tab.tsx';
import { CodeTab } from './code-tab.tsx';
import { InstancesTab } from './instances-tab.tsx';
import { LogsTab } from './logs-tab.tsx';
import { OverviewTab } from './overview-tab.tsx';
import { ScheduleTab } from './schedule-tab.tsx';
import { TestTab } from './test-tab.tsx';
import { VersionsTab } from './versions-tab.tsx';

export type FunctionDetail = ResponseOf<'GET /functions/{function_name}'>;

const EVERY_MS = 5_000;
const TABS = [
  ['overview', 'Overview'],
  ['code', 'Code'],
  ['test', 'Test'],
  ['versions', 'Versions'],
  ['logs', 'Logs'],
  ['calls', 'Calls'],
  ['instances', 'Instances'],
  ['dead-letters', 'Dead letters'],
  ['schedule', 'Schedule'],
] as const;

/** A function. Its parts are pages of their own, so that each has an address. */
export function FunctionPage({ name, tab }: { name: string; tab: string }) {
  const { platform } = useSurroundings();
  const live = useLive((signal) => platform.call('GET /functions/{function_name}', { path: { function_name: name }, signal }), EVERY_MS, name);
  const scheduled = live.data?.event_type.startsWith('cron|') === true;
  return (
    <Page title={name} aside={platform.may('deploy') && <DeleteButton name={name} />}>
      {live.data && <p class="sub">{<KeyOf definition={live.data} />}</p>}
      <nav class="tabs" aria-label={`Parts of ${name}`}>
        {TABS.filter(([id]) => id !== 'schedule' || scheduled).map(([id, title]) => (
          <a key={id} class="place" href={to('functions', name, id)} aria-current={id === tab ? 'page' : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <Loaded live={live} what={name}>
        {(definition) => <TabOf tab={tab} definition={definition} refresh={live.refresh} />}
      </Loaded>
    </Page>
  );
}

function TabOf({ tab, definition, refresh }: { tab: string; definition: FunctionDetail; refresh: () => void }) {
  const { function_name: name } = definition;
  if (tab === 'code') return <CodeTab definition={definition} onDeployed={refresh} />;
  if (tab === 'test') return <TestTab definition={definition} />;
  if (tab === 'versions') return <VersionsTab definition={definition} onChanged={refresh} />;
  if (tab === 'logs') return <LogsTab name={name} />;
  if (tab === 'calls') return <CallsTab name={name} />;
  if (tab === 'instances') return <InstancesTab name={name} />;
  if (tab === 'dead-letters') return <DeadLetterList name={name} />;
  if (tab === 'schedule') return <ScheduleTab name={name} />;
  return <OverviewTab definition={definition} />;
}

function KeyOf({ definition: { event_type: key, version } }: { definition: FunctionDetail }) {
  const { platform } = useSurroundings();
  const [kind, verb, path] = key.split('|');
  return (
    <>
      {kind === 'http' ? (
        <code>
          {verb} {platform.gatewayUrl()}
          {path}
        </code>
      ) : (
        <code>{key.replaceAll('|', ' ')}</code>
      )}{' '}
      <span class="faint">version {version}</span>
    </>
  );
}

function DeleteButton({ name }: { name: string }) {
  const { platform } = useSurroundings();
  const [asking, setAsking] = useState(false);
  const { busy, run } = useAction();
  const remove = () =>
    run(async () => {
      await platform.call('DELETE /functions/{function_name}', { path: { function_name: name } });
      go();
      return `${name} is deleted.`;
    });
  return (
    <>
      <button type="button" class="danger-quiet" onClick={() => setAsking(true)}>
        Delete
      </button>
      {asking && (
        <Confirm title={`Delete ${name}?`} action="Delete" dangerous busy={busy} onConfirm={() => void remove()} onClose={() => setAsking(false)}>
          Its event key answers 404 from then on, and its versions are gone. What ran stays in the records.
        </Confirm>
      )}
    </>
  );
}
