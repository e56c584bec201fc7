import { useLive } from '../../api/use-live.ts';
import { useSurroundings } from '../../context.ts';
import { StateBadge } from '../../ui/badge.tsx';
import { count, duration } from '../../ui/format.ts';
import { Empty, Loaded } from '../../ui/states.tsx';
import { Table } from '../../ui/table.tsx';
import { When } from '../../ui/when.tsx';

const EVERY_MS = 2_000;
const LIMIT = 50;

export function InstancesTab({ name }: { name: string }) {
  const { platform } = useSurroundings();
  const live = useLive(
    (signal) => platform.call('GET /functions/instances', { query: { function_name: name, all: true, limit: LIMIT }, signal }),
    EVERY_MS,
    name,
  );
  return (
    <Loaded live={live} what="instances">
      {({ instances }) =>
        instances.length === 0 ? (
          <Empty title="There are no instances">The first call starts one.</Empty>
        ) : (
          <Table label="Instances" head={['Instance', 'State', 'Version', 'Started', 'Start took', 'Calls', 'Ended']}>
            {instances.map(({ id, state, version, started_at: started, ready_at: ready, stopped_at: stopped, stop_reason: reason, invocations }) => (
              <tr key={id}>
                <th scope="row">
                  <code>{id}</code>
                </th>
                <td>
                  <StateBadge state={state} />
                </td>
                <td class="number">{version}</td>
                <td>
                  <When at={started} />
                </td>
                <td class="number">{duration(ready === null ? null : ready - started)}</td>
                <td class="number">{count(invocations)}</td>
                <td>{stopped === null ? '–' : (reason ?? <When at={stopped} />)}</td>
              </tr>
            ))}
          </Table>
        )
      }
    </Loaded>
  );
}
