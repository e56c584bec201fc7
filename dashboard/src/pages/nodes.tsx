import { useLive } from '../api/use-live.ts';
import { useSurroundings } from '../context.ts';
import { StateBadge } from '../ui/badge.tsx';
import { bytes, count } from '../ui/format.ts';
import { Page } from '../ui/page.tsx';
import { Loaded } from '../ui/states.tsx';
import { Table } from '../ui/table.tsx';
import { When } from '../ui/when.tsx';

/** The list is renewed each second; older than that by so much, the database is away. Milliseconds. */
const STALE_MS = 10_000;

/** The platforms that work together, and what each is at. */
export function NodesPage() {
  const { platform } = useSurroundings();
  const live = useLive((signal) => platform.call('GET /nodes', { signal }), 3_000, 'nodes');
  return (
    <Page title="Nodes">
      <Loaded live={live} what="nodes">
        {({ nodes, as_of: asOf }) => (
          <>
            {nodes.some(({ self, seen_at: seenAt }) => self && seenAt - asOf > STALE_MS) && (
              <p class="sub">
                The database does not answer. The others are shown as they were <When at={asOf} />.
              </p>
            )}
            <Table
              label="Nodes"
              head={['Node', 'State', 'Since', 'Version', 'Cores', 'Memory of instances', 'Instances', 'Running', 'Waiting', 'Gateway']}
            >
              {nodes.map((node) => (
                <tr key={node.id}>
                  <th scope="row">
                    {node.name}
                    {node.self && <span class="faint"> (this one)</span>}
                  </th>
                  <td>
                    <StateBadge state={node.state} />
                  </td>
                  <td>
                    <When at={node.started_at} />
                  </td>
                  <td>{node.version}</td>
                  <td class="number">{count(node.cores)}</td>
                  <td class="number">
                    {bytes(node.held_bytes)} of {bytes(node.memory_bytes)}
                  </td>
                  <td class="number">
                    {count(node.instances)} of {count(node.max_instances)}
                  </td>
                  <td class="number">{count(node.running)}</td>
                  <td class="number">{count(node.waiting)}</td>
                  <td>
                    <code>{node.gateway_url}</code>
                  </td>
                </tr>
              ))}
            </Table>
          </>
        )}
      </Loaded>
    </Page>
  );
}
