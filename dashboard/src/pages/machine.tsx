import { useState } from 'preact/hooks';
import type { ResponseOf } from '../../../src/client/client.ts';
import { useLive } from '../api/use-live.ts';
import { Chart } from '../charts/chart.tsx';
import { useSurroundings } from '../context.ts';
import { bytes, count, duration } from '../ui/format.ts';
import { Page } from '../ui/page.tsx';
import { Loaded } from '../ui/states.tsx';
import { CallCharts } from './call-charts.tsx';
import { readGauges } from './gauges.ts';
import { type TimeWindow, WindowChoice } from './window-choice.tsx';

const EVERY_MS = 3_000;

const INSTANCES = [
  { label: 'busy', colour: 1 },
  { label: 'idle', colour: 3 },
  { label: 'starting', colour: 4 },
] as const;
const MEMORY = [{ label: 'instances', colour: 2 }] as const;
const WORK = [
  { label: 'open', colour: 2 },
  { label: 'waiting', colour: 1 },
  { label: 'queued', colour: 4 },
] as const;
const LAG = [
  { label: 'p50', colour: 2 },
  { label: 'p99', colour: 1 },
] as const;

/** The whole machine: stock of sandboxes, memory, what waits; now and over time. */
export function MachinePage() {
  const { platform } = useSurroundings();
  const [window, setWindow] = useState<TimeWindow>('1h');
  const signIn = platform.signIn.value;
  const live = useLive(
    async (signal) => {
      const [series, metrics] = await Promise.all([
        platform.call('GET /series', { query: { window }, signal }),
        platform.call('GET /metrics', { signal }),
      ]);
      return { series, gauges: readGauges(await metrics.text()) };
    },
    EVERY_MS,
    window,
  );
  return (
    <Page title="Machine">
      {signIn.state === 'in' && (
        <p class="sub">
          Hearth {signIn.session.version}, sandboxes by {signIn.session.driver}, gateway at <code>{platform.gatewayUrl()}</code>
        </p>
      )}
      <Loaded live={live} what="the machine">
        {({ series, gauges }) => {
          const of = (name: string) => gauges.get(name) ?? 0;
          const hits = of('hearth_pool_takes_total hit');
          const takes = hits + of('hearth_pool_takes_total miss');
          return (
            <>
              <div class="tiles">
                <Tile name="Instances" value={count(of('hearth_instances'))} detail={`${count(of('hearth_instances busy'))} busy`} />
                <Tile
                  name="Memory of instances"
                  value={bytes(of('hearth_instances_memory_bytes'))}
                  detail={`of ${bytes(of('hearth_memory_budget_bytes'))}`}
                />
                <Tile
                  name="Pool"
                  value={count(of('hearth_pool_stocked'))}
                  detail={`${count(of('hearth_pool_booting'))} booting; ${takes === 0 ? 'none taken yet' : `${Math.round((hits / takes) * 100)} % of starts found one`}`}
                />
                <Tile
                  name="Calls open"
                  value={count(of('hearth_invocations_open'))}
                  detail={`${count(of('hearth_invocations_waiting'))} wait for an instance`}
                />
                <Tile name="Queue" value={count(series.gauges.queued.findLast((value) => value !== null) ?? 0)} detail="asynchronous, waiting" />
                <Tile
                  name="Event loop"
                  value={duration(series.gauges.event_loop_lag_ms.p99.findLast((value) => value !== null))}
                  detail="late, at the 99th percentile"
                />
              </div>
              <WindowChoice value={window} onChoose={setWindow} />
              <CallCharts series={series} />
              <GaugeCharts series={series} />
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

function GaugeCharts({ series: { at, gauges } }: { series: ResponseOf<'GET /series'> }) {
  const most = (column: readonly (number | null)[]) => Math.max(0, ...column.map((value) => value ?? 0));
  const { instances, event_loop_lag_ms: lag } = gauges;
  return (
    <div class="charts">
      <Chart
        title="Instances"
        kind="stack"
        series={INSTANCES}
        data={[at, instances.busy, instances.idle, instances.starting]}
        format={count}
        summary={`At most ${count(most(instances.busy))} busy.`}
      />
      <Chart
        title="Memory"
        kind="lines"
        series={MEMORY}
        data={[at, gauges.memory_bytes]}
        format={bytes}
        summary={`At most ${bytes(most(gauges.memory_bytes))} of ${bytes(gauges.memory_budget_bytes)}.`}
      />
      <Chart
        title="Work in hand"
        kind="lines"
        series={WORK}
        data={[at, gauges.open, gauges.waiting, gauges.queued]}
        format={count}
        summary={`At most ${count(most(gauges.waiting))} waited for an instance.`}
      />
      <Chart
        title="Event loop lag"
        kind="lines"
        series={LAG}
        data={[at, lag.p50, lag.p99]}
        format={duration}
        summary={`At most ${duration(most(lag.max))}.`}
      />
    </div>
  );
}

function Tile({ name, value, detail }: { name: string; value: string; detail: string }) {
  return (
    <div class="tile">
      <span class="tile-name">{name}</span>
      <span class="tile-value">{value}</span>
      <span class="faint">{detail}</span>
    </div>
  );
}
