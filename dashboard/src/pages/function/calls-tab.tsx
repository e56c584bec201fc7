import { useState } from 'preact/hooks';
import { useLive } from '../../api/use-live.ts';
import { useSurroundings } from '../../context.ts';
import { Badge, StateBadge } from '../../ui/badge.tsx';
import { duration } from '../../ui/format.ts';
import { Empty, Loaded } from '../../ui/states.tsx';
import { Table } from '../../ui/table.tsx';
import { When } from '../../ui/when.tsx';
import { CallRecord } from './call-record.tsx';

const EVERY_MS = 3_000;
const LIMIT = 50;
const STATES = ['queued', 'running', 'succeeded', 'failed', 'timed_out', 'cancelled'] as const;
type State = (typeof STATES)[number];

/** The last calls, newest first. */
export function CallsTab({ name }: { name: string }) {
  const { platform } = useSurroundings();
  const [state, setState] = useState<State | ''>('');
  const [opened, open] = useState<string | undefined>();
  const live = useLive(
    (signal) => platform.call('GET /invocations', { query: { function_name: name, limit: LIMIT, ...(state === '' ? {} : { state }) }, signal }),
    EVERY_MS,
    `${name} ${state}`,
  );
  return (
    <>
      <div class="row">
        <label>
          State
          <select value={state} onChange={(event) => setState(event.currentTarget.value as State | '')}>
            <option value="">every</option>
            {STATES.map((one) => (
              <option key={one} value={one}>
                {one.replaceAll('_', ' ')}
              </option>
            ))}
          </select>
        </label>
      </div>
      <Loaded live={live} what="calls">
        {({ invocations }) =>
          invocations.length === 0 ? (
            <Empty title={state === '' ? 'It has not been called yet' : 'There is no such call'} />
          ) : (
            <Table label="Calls" head={['When', 'State', 'Request', 'Status', 'Start', 'Waited', 'Ran', '']}>
              {invocations.map((call) => (
                <tr key={call.id}>
                  <td>
                    <When at={call.accepted_at} />
                  </td>
                  <td>
                    <StateBadge state={call.state} />
                  </td>
                  <td>
                    <code>
                      {call.verb} {call.path}
                    </code>
                  </td>
                  <td class="number">{call.status ?? '–'}</td>
                  <td>{call.start === null ? '–' : <Badge tone={call.start === 'cold' ? 'warn' : 'calm'}>{call.start}</Badge>}</td>
                  <td class="number">{duration((call.queue_ms ?? 0) + (call.start_ms ?? 0))}</td>
                  <td class="number">{duration(call.run_ms)}</td>
                  <td class="cell-actions">
                    <button type="button" aria-label={`Details of the call ${call.id}`} onClick={() => open(call.id)}>
                      Details
                    </button>
                  </td>
                </tr>
              ))}
            </Table>
          )
        }
      </Loaded>
      {opened !== undefined && <CallRecord id={opened} onClose={() => open(undefined)} />}
    </>
  );
}
