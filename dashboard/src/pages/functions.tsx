import { useRef } from 'preact/hooks';
import { useLive } from '../api/use-live.ts';
import { useSurroundings } from '../context.ts';
import { to } from '../routes.ts';
import { Badge } from '../ui/badge.tsx';
import { count } from '../ui/format.ts';
import { Page } from '../ui/page.tsx';
import { Loaded } from '../ui/states.tsx';
import { Table } from '../ui/table.tsx';
import { When } from '../ui/when.tsx';
import { type Counted, type Rate, rateOf, readCounts } from './call-rates.ts';
import { FirstFunction } from './first-function.tsx';
import { countStates, InstanceStates } from './instance-states.tsx';

const EVERY_MS = 2_000;

export function FunctionsPage() {
  const { platform } = useSurroundings();
  const before = useRef<Counted | undefined>(undefined);
  const live = useLive(
    async (signal) => {
      const [keys, { instances }, metrics] = await Promise.all([
        platform.call('GET /functions', { signal }),
        platform.call('GET /functions/instances', { query: { limit: 1000 }, signal }),
        platform.call('GET /metrics', { signal }).then((response) => response.text()),
      ]);
      const counted = readCounts(metrics, performance.now());
      const functions = Object.values(keys)
        .flat()
        .sort((a, b) => (a.function_name < b.function_name ? -1 : 1));
      const rates = new Map(functions.map(({ function_name: name }) => [name, rateOf(name, before.current, counted)]));
      before.current = counted;
      return { functions, states: countStates(instances), rates };
    },
    EVERY_MS,
    'functions',
  );
  const create = platform.may('deploy') && (live.data?.functions.length ?? 0) > 0;
  return (
    <Page
      title="Functions"
      aside={
        create && (
          <a class="button primary" href={to('new')}>
            Create a function
          </a>
        )
      }
    >
      <Loaded live={live} what="functions">
        {({ functions, states, rates }) =>
          functions.length === 0 ? (
            <FirstFunction />
          ) : (
            <Table label="Functions" head={['Name', 'Event key', 'Instances', 'Calls', 'Runtime', 'Version', 'Deployed']}>
              {functions.map(({ function_name: name, event_type: key, runtime, style, version, created_at: at }) => (
                <tr key={name}>
                  <th scope="row">
                    <a href={to('functions', name)}>{name}</a>
                  </th>
                  <td>
                    <code>{key.replaceAll('|', ' ')}</code>
                  </td>
                  <td>
                    <InstanceStates states={states.get(name)} />
                  </td>
                  <td class="number">
                    <CallRate rate={rates.get(name)} />
                  </td>
                  <td>
                    {runtime} <span class="faint">{style}</span>
                  </td>
                  <td class="number">{version}</td>
                  <td>
                    <When at={at} />
                  </td>
                </tr>
              ))}
            </Table>
          )
        }
      </Loaded>
    </Page>
  );
}

function CallRate({ rate }: { rate: Rate | undefined }) {
  if (rate === undefined || rate.callsPerS === 0) return <span class="faint">–</span>;
  return (
    <>
      {count(rate.callsPerS)} / s {rate.failuresPerS > 0 && <Badge tone="bad">{count(rate.failuresPerS)} failed / s</Badge>}
    </>
  );
}
