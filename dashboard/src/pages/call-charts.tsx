import type { ResponseOf } from '../../../src/client/client.ts';
import { Chart } from '../charts/chart.tsx';
import { count, duration, percent } from '../ui/format.ts';

type Series = Omit<ResponseOf<'GET /series'>, 'gauges'>;

const CALLS = [
  { label: 'succeeded', colour: 3 },
  { label: 'failed', colour: 1 },
  { label: 'refused or cancelled', colour: 4 },
] as const;
const STARTS = [
  { label: 'cold', colour: 1 },
  { label: 'warm', colour: 2 },
] as const;
const LATENCIES = [
  { label: 'p50', colour: 2 },
  { label: 'p95', colour: 4 },
  { label: 'p99', colour: 1 },
] as const;
const HISTOGRAM = [{ label: 'calls', colour: 2 }] as const;

/** How calls went over time: outcomes, latency, cold and warm starts, and how latencies are distributed. */
export function CallCharts({ series }: { series: Series }) {
  const { at, invocations: by, starts, latency_ms: latency, total } = series;
  const calls = Object.values(total.invocations).reduce((sum, one) => sum + one, 0);
  const started = total.starts.cold + total.starts.warm;
  const failures = total.invocations.failed + total.invocations.timed_out;
  const { bounds_ms: bounds, counts } = total.histogram;
  return (
    <div class="charts">
      <Chart
        title="Calls"
        kind="stack"
        series={CALLS}
        data={[at, by.succeeded, plus(by.failed, by.timed_out), plus(by.refused, by.cancelled)]}
        format={count}
        summary={calls === 0 ? 'None in this time.' : `${count(calls)}, ${percent(failures / calls)} failed.`}
      />
      <Chart
        title="Latency"
        kind="lines"
        series={LATENCIES}
        data={[at, latency.p50, latency.p95, latency.p99]}
        format={duration}
        summary={`Half within ${duration(total.latency_ms.p50)}, 99 % within ${duration(total.latency_ms.p99)}.`}
      />
      <Chart
        title="Cold and warm starts"
        kind="stack"
        series={STARTS}
        data={[at, share(starts.cold, starts.warm), share(starts.warm, starts.cold)]}
        format={(value) => `${Math.round(value)} %`}
        summary={started === 0 ? 'Nothing ran.' : `${percent(total.starts.cold / started)} of ${count(started)} were cold.`}
      />
      <Chart
        title="Distribution of latencies"
        kind="bars"
        series={HISTOGRAM}
        data={[bounds.slice(0, counts.length), counts]}
        format={count}
        summary={counts.length === 0 ? 'Nothing ran.' : `From ${duration(bounds[0])} to ${duration(bounds.at(-1))}.`}
      />
    </div>
  );
}

type Column = readonly (number | null)[];

function plus(one: Column, other: Column): (number | null)[] {
  return one.map((value, step) => (value === null ? null : value + (other[step] ?? 0)));
}

/** Percent of both; nothing where neither was. */
function share(one: Column, other: Column): (number | null)[] {
  return one.map((value, step) => {
    const both = (value ?? 0) + (other[step] ?? 0);
    return both === 0 ? null : ((value ?? 0) / both) * 100;
  });
}
