import type { ResponseOf } from '../../../../src/client/client.ts';
import { useLive } from '../../api/use-live.ts';
import { useSurroundings } from '../../context.ts';
import { Badge, type Tone } from '../../ui/badge.tsx';
import { count, duration, percent } from '../../ui/format.ts';
import { Loaded } from '../../ui/states.tsx';
import { Table } from '../../ui/table.tsx';

type Slo = ResponseOf<'GET /functions/{function_name}/slo'>;
type Objective = NonNullable<Slo['availability']>;

const EVERY_MS = 15_000;
const TONES: Record<Slo['verdict'], Tone> = { ok: 'good', no_data: 'calm', slow_burn: 'warn', fast_burn: 'bad', exhausted: 'bad' };
const WINDOWS = ['5m', '30m', '1h', '6h', '3d'] as const;

/** What is promised of the function's calls, whether it is held, and how fast the error budget is used up. */
export function Objectives({ name }: { name: string }) {
  const { platform } = useSurroundings();
  const live = useLive((signal) => platform.call('GET /functions/{function_name}/slo', { path: { function_name: name }, signal }), EVERY_MS, name);
  return (
    <section class="panel" aria-label="Objectives">
      <Loaded live={live} what="objectives">
        {(slo) => (
          <>
            <h2>
              Objectives <Verdict verdict={slo.verdict} />
            </h2>
            <p class="hint">
              Over {slo.window_days} days, of which {percent(slo.coverage)} were counted.
              {!slo.counted && ' More functions are called than are counted one by one; this one is not.'}
            </p>
            <Table
              label="Objectives and their burn rates"
              head={['Objective', 'Promised', 'Held', 'Error budget left', ...WINDOWS.map((window) => `Burn rate, ${window}`)]}
            >
              {slo.availability && <Row title="Availability" objective={slo.availability} />}
              {slo.latency && <Row title={`Within ${duration(slo.latency.threshold_ms)}`} objective={slo.latency} />}
            </Table>
          </>
        )}
      </Loaded>
    </section>
  );
}

function Row({ title, objective }: { title: string; objective: Objective }) {
  const { objective: promised, sli, good, total, error_budget_left: left, burn_rates: rates, verdict } = objective;
  return (
    <tr>
      <th scope="row">
        {title} <Verdict verdict={verdict} />
      </th>
      <td class="number">{exactPercent(promised)}</td>
      <td class="number">
        {sli === null ? '–' : exactPercent(sli)} <span class="faint">{`${count(good)} of ${count(total)}`}</span>
      </td>
      <td>
        <span class="budget">
          <meter min={0} max={1} low={0.25} value={Math.max(0, left)} aria-label={`Error budget left for ${title}`} />
          <span class="number">{Math.round(left * 100)} %</span>
        </span>
      </td>
      {WINDOWS.map((window) => (
        <td key={window} class="number">
          <Rate rate={rates[window]} />
        </td>
      ))}
    </tr>
  );
}

function Rate({ rate }: { rate: number | null }) {
  if (rate === null) return <span class="faint">–</span>;
  const text = rate.toFixed(rate < 10 ? 2 : 0);
  return rate > 1 ? <Badge tone={rate > 6 ? 'bad' : 'warn'}>{text}</Badge> : text;
}

function Verdict({ verdict }: { verdict: Slo['verdict'] }) {
  return <Badge tone={TONES[verdict]}>{verdict.replaceAll('_', ' ')}</Badge>;
}

/** 99.95 % and 99.9 % are worlds apart. */
function exactPercent(share: number): string {
  return `${Number((share * 100).toFixed(3))} %`;
}
