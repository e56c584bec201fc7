import { useState } from 'preact/hooks';
import { useLive } from '../../api/use-live.ts';
import { useSurroundings } from '../../context.ts';
import { Badge } from '../../ui/badge.tsx';
import { Confirm } from '../../ui/confirm.tsx';
import { Loaded } from '../../ui/states.tsx';
import { Table } from '../../ui/table.tsx';
import { useAction } from '../../ui/use-action.ts';
import { When } from '../../ui/when.tsx';
import type { FunctionDetail } from './function-page.tsx';
import { Split } from './split.tsx';
import { VersionDiff } from './version-diff.tsx';

/** What was deployed, what is in service, what differs, and the way back. */
export function VersionsTab({ definition, onChanged }: { definition: FunctionDetail; onChanged: () => void }) {
  const { platform } = useSurroundings();
  const { function_name: name, version: current } = definition;
  const live = useLive(
    (signal) => platform.call('GET /functions/{function_name}/versions', { path: { function_name: name }, signal }),
    null,
    `${name} ${current}`,
  );
  const [target, setTarget] = useState<number | undefined>();
  const [compared, setCompared] = useState<{ before: number; after: number } | undefined>();
  const { busy, run } = useAction();
  const rollBack = (version: number) =>
    run(async () => {
      await platform.call('POST /functions/{function_name}/rollback', { path: { function_name: name }, body: { version } });
      setTarget(undefined);
      onChanged();
      return `Version ${version} is in service again.`;
    });
  return (
    <>
      <Split name={name} current={current} />
      <Loaded live={live} what="versions">
        {({ versions }) => {
          const before = compared?.before ?? versions.find(({ version }) => version !== current)?.version ?? current;
          const after = compared?.after ?? current;
          return (
            <>
              <Table label="Versions" head={['Version', 'Event key', 'Runtime', 'Deployed', '']}>
                {versions.map(({ version, event_type: key, runtime, style, created_at: at }) => (
                  <tr key={version}>
                    <th scope="row">
                      {version} {version === current && <Badge tone="good">current</Badge>}
                    </th>
                    <td>
                      <code>{key.replaceAll('|', ' ')}</code>
                    </td>
                    <td>
                      {runtime} <span class="faint">{style}</span>
                    </td>
                    <td>
                      <When at={at} />
                    </td>
                    <td class="cell-actions">
                      {version !== current && platform.may('deploy') && (
                        <button type="button" aria-label={`Roll back to version ${version}`} onClick={() => setTarget(version)}>
                          Roll back
                        </button>
                      )}
                      {version !== current && (
                        <button
                          type="button"
                          aria-label={`Compare version ${version} with the current one`}
                          onClick={() => setCompared({ before: version, after: current })}
                        >
                          Compare
                        </button>
                      )}
                    </td>
                  </tr>
                ))}
              </Table>
              {versions.length > 1 && (
                <VersionDiff
                  name={name}
                  versions={versions.map(({ version }) => version)}
                  before={before}
                  after={after}
                  onChoose={(pair) => setCompared(pair)}
                />
              )}
            </>
          );
        }}
      </Loaded>
      {target !== undefined && (
        <Confirm
          title={`Roll back to version ${target}?`}
          action="Roll back"
          busy={busy}
          onConfirm={() => void rollBack(target)}
          onClose={() => setTarget(undefined)}
        >
          Calls that come from then on are answered by version {target}; none is lost. Version {current} stays in this list.
        </Confirm>
      )}
    </>
  );
}
