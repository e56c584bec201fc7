import { type Static, type TObject, type TSchema, Type } from 'typebox';
import { FunctionName } from '../../schemas/function-name.ts';
import type { CallColumns, GaugeColumns } from '../../telemetry/series/read-series.ts';
import { WINDOWS, type WindowName } from '../../telemetry/series/windows.ts';
import { Instant, OneOf } from './common.ts';

const WINDOW_NAMES = Object.keys(WINDOWS) as WindowName[];

export const Window = OneOf(WINDOW_NAMES, {
  default: '1h',
  description: 'How far back. Steps are 10 s long within 15m, 1 min within 1h and 6h, 5 min within 24h, 1 h within 7d and 30d.',
});

const Values = (description?: string) =>
  Type.Array(Type.Unsafe<number | null>({ type: ['number', 'null'] }), { ...(description === undefined ? {} : { description }) });
const Maybe = Type.Unsafe<number | null>({ type: ['number', 'null'] });

function every<const K extends string, T extends TSchema>(
  names: readonly K[],
  schema: T,
  options: Record<string, unknown> = {},
): TObject<Record<K, T>> {
  return Type.Object(Object.fromEntries(names.map((name) => [name, schema])) as Record<K, T>, options);
}

const OUTCOMES = ['succeeded', 'failed', 'timed_out', 'cancelled', 'refused'] as const;
const STARTS = ['cold', 'warm', 'none'] as const;
const PERCENTILES = ['p50', 'p95', 'p99'] as const;
const PHASES = ['queue', 'start', 'init', 'run'] as const;

const calls = {
  window: OneOf(WINDOW_NAMES),
  step_ms: Type.Integer({ description: 'Length of a step.' }),
  at: Type.Array(Instant, { description: 'The begin of each step; the last one is under way. All columns have as many values.' }),
  coverage: Type.Array(Type.Number(), {
    description: 'Share of each step in which the platform ran and counted, 0 to 1. Where it is 0 the columns have null, not 0.',
  }),
  invocations: every(OUTCOMES, Values(), { description: 'Calls that came to their end in each step, by outcome.' }),
  starts: every(STARTS, Values(), { description: 'The same calls, by whether they found a ready instance; `none`: they never got one.' }),
  latency_ms: every(PERCENTILES, Values(), { description: 'From acceptance to the head of the answer, of calls that ran; null where none did.' }),
  phases_ms: every(PHASES, Values(), { description: 'Mean of each part of it.' }),
  total: Type.Object(
    {
      invocations: every(OUTCOMES, Type.Number()),
      starts: every(STARTS, Type.Number()),
      latency_ms: every(PERCENTILES, Maybe),
      phases_ms: every(PHASES, Maybe),
      histogram: Type.Object(
        { bounds_ms: Type.Array(Type.Number()), counts: Type.Array(Type.Number()) },
        {
          description:
            'Of latencies. `counts[n]` is of those above `bounds_ms[n]`, up to and including `bounds_ms[n + 1]`; bounds grow by 2^(1/4). Both are empty when nothing ran.',
        },
      ),
    },
    { description: 'Of the whole window.' },
  ),
};

export const FunctionSeries = Type.Object(
  {
    function_name: FunctionName,
    counted: Type.Boolean({
      description: 'False: more than `metrics.max_functions` functions are called, and this one is among those that are only counted together.',
    }),
    ...calls,
  },
  { title: 'FunctionSeries' },
);

export const MachineSeries = Type.Object(
  {
    ...calls,
    gauges: Type.Object(
      {
        instances: every(['starting', 'idle', 'busy', 'draining'], Values()),
        memory_bytes: Values('What instances hold.'),
        memory_budget_bytes: Type.Number({ description: 'What they may hold before idle ones go; as it is now.' }),
        open: Values('Invocations that are not over.'),
        waiting: Values('Those of them that wait for an instance.'),
        queued: Values('Asynchronous invocations in the queue.'),
        event_loop_lag_ms: every(['p50', 'p99', 'max'], Values(), { description: 'How late the event loop of the platform is.' }),
      },
      { description: 'Read every 10 s; means of each step, of `max` the highest.' },
    ),
  },
  { title: 'MachineSeries' },
);

function callsOnTheWire(window: WindowName, columns: CallColumns) {
  const { total } = columns;
  return {
    window,
    step_ms: columns.stepMs,
    at: columns.at,
    coverage: columns.coverage,
    invocations: columns.invocations,
    starts: columns.starts,
    latency_ms: columns.latencyMs,
    phases_ms: columns.phasesMs,
    total: {
      invocations: total.invocations,
      starts: total.starts,
      latency_ms: total.latencyMs,
      phases_ms: total.phasesMs,
      histogram: { bounds_ms: total.histogram.boundsMs, counts: total.histogram.counts },
    },
  };
}

export function functionSeries(functionName: string, window: WindowName, columns: CallColumns & { counted: boolean }): Static<typeof FunctionSeries> {
  return { function_name: functionName, counted: columns.counted, ...callsOnTheWire(window, columns) };
}

export function machineSeries(
  window: WindowName,
  columns: CallColumns & { gauges: GaugeColumns },
  memoryBudgetBytes: number,
): Static<typeof MachineSeries> {
  const { gauges } = columns;
  return {
    ...callsOnTheWire(window, columns),
    gauges: {
      instances: gauges.instances,
      memory_bytes: gauges.memoryBytes,
      memory_budget_bytes: memoryBudgetBytes,
      open: gauges.open,
      waiting: gauges.waiting,
      queued: gauges.queued,
      event_loop_lag_ms: gauges.eventLoopLagMs,
    },
  };
}
