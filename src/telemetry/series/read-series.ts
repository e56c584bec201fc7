import { OUTCOMES, type Outcome, STARTS } from '../metrics/function-counts.ts';
import { type Counts, emptyCounts, endedOf, GAUGES, mergeInto, PEAKS, PHASES, SLOT, SLOTS } from './counts.ts';
import { LATENCY_BUCKETS, percentile, upperBound } from './latency-buckets.ts';
import { TIERS, type Timeline } from './timeline.ts';
import { stepsOf, type WindowName } from './windows.ts';

/** A value of each step; null where there is none. */
export type Column = (number | null)[];
type StartKind = (typeof STARTS)[number];
type Phase = (typeof PHASES)[number];
type Percentiles<T> = Record<'p50' | 'p95' | 'p99', T>;

/** A look back. Columns have one value for each step of `at`; null: the platform did not run then, or nothing was there to be measured. */
export interface CallColumns {
  stepMs: number;
  /** The begin of each step, milliseconds since the epoch. The last is under way. */
  at: number[];
  /** Share of each step in which the platform ran and counted, 0 to 1. */
  coverage: number[];
  invocations: Record<Outcome, Column>;
  starts: Record<StartKind, Column>;
  /** From acceptance to the head of the answer, of calls that ran. Milliseconds. */
  latencyMs: Percentiles<Column>;
  /** Its parts: means. */
  phasesMs: Record<Phase, Column>;
  /** Of the whole window. */
  total: {
    invocations: Record<Outcome, number>;
    starts: Record<StartKind, number>;
    latencyMs: Percentiles<number | null>;
    phasesMs: Record<Phase, number | null>;
    histogram: LatencyHistogram;
  };
}

/** Bounds are one more than counts: the n-th count is of what lies above the n-th bound, up to the next. Both are empty when nothing ran. */
export interface LatencyHistogram {
  boundsMs: number[];
  counts: number[];
}

/** Means of what was read in each step, and the highest. */
export interface GaugeColumns {
  instances: Record<'starting' | 'idle' | 'busy' | 'draining', Column>;
  memoryBytes: Column;
  open: Column;
  waiting: Column;
  queued: Column;
  /** Milliseconds by which the event loop was late. */
  eventLoopLagMs: Record<'p50' | 'p99' | 'max', Column>;
}

interface Step {
  counts: Counts;
  /** Of the machine's own line: how often it was sampled. */
  samples: number;
  counted: boolean;
}

/** @param line undefined: nothing was counted */
export function readCalls(line: Timeline | undefined, machine: Timeline, name: WindowName, now: number): CallColumns {
  const { stepMs, first, steps } = readSteps(line, machine, name, now);
  const total = emptyCounts();
  for (const { counts } of steps) for (let slot = 0; slot < SLOTS; slot++) mergeInto(total, slot, counts[slot] as number);
  const column = (read: (counts: Counts) => number | null): Column => steps.map(({ counts, counted }) => (counted ? read(counts) : null));
  return {
    stepMs,
    at: steps.map((_, index) => (first + index) * stepMs),
    coverage: steps.map(({ samples }) => Math.min(1, round((samples * TIERS[0].stepMs) / stepMs))),
    invocations: each(OUTCOMES, (_, outcome) => column((counts) => endedOf(counts, outcome))),
    starts: each(STARTS, (_, start) => column((counts) => startsOf(counts, start))),
    latencyMs: percentiles((share) => column((counts) => percentile(counts, SLOT.latency, share))),
    phasesMs: each(PHASES, (_, phase) => column((counts) => meanPhase(counts, phase))),
    total: {
      invocations: each(OUTCOMES, (_, outcome) => endedOf(total, outcome)),
      starts: each(STARTS, (_, start) => startsOf(total, start)),
      latencyMs: percentiles((share) => percentile(total, SLOT.latency, share)),
      phasesMs: each(PHASES, (_, phase) => meanPhase(total, phase)),
      histogram: histogram(total),
    },
  };
}

export function readGauges(machine: Timeline, name: WindowName, now: number): GaugeColumns {
  const { steps } = readSteps(machine, machine, name, now);
  const mean = (gauge: (typeof GAUGES)[number], scale = 1): Column =>
    steps.map(({ counts, samples }) => (samples > 0 ? round((counts[SLOT.gauges + GAUGES.indexOf(gauge)] as number) / samples / scale) : null));
  const peak = (gauge: (typeof PEAKS)[number], scale: number): Column =>
    steps.map(({ counts, samples }) => (samples > 0 ? round((counts[SLOT.peaks + PEAKS.indexOf(gauge)] as number) / scale) : null));
  return {
    instances: each(['starting', 'idle', 'busy', 'draining'], (state) => mean(state)),
    memoryBytes: mean('memory_bytes'),
    open: mean('open'),
    waiting: mean('waiting'),
    queued: mean('queued'),
    eventLoopLagMs: { p50: mean('lag_p50_us', 1000), p99: mean('lag_p99_us', 1000), max: peak('lag_max_us', 1000) },
  };
}

function readSteps(line: Timeline | undefined, machine: Timeline, name: WindowName, now: number): { stepMs: number; first: number; steps: Step[] } {
  const { tier, stepMs, first, last } = stepsOf(name, now);
  // What is over is to be where it is looked for.
  machine.at(now);
  line?.at(now);
  const steps: Step[] = [];
  const ofMachine = emptyCounts();
  for (let number = first; number <= last; number++) {
    ofMachine.fill(0);
    machine.read(tier, number, ofMachine);
    const counts = emptyCounts();
    line?.read(tier, number, counts);
    const samples = ofMachine[SLOT.samples] as number;
    // The first sample of a step comes in its middle; whoever was called before that was counted all the same.
    steps.push({ counts, samples, counted: samples > 0 || endedOf(ofMachine) > 0 || number === last });
  }
  return { stepMs, first, steps };
}

function each<const K extends string, V>(names: readonly K[], value: (name: K, index: number) => V): Record<K, V> {
  return Object.fromEntries(names.map((name, index) => [name, value(name, index)])) as Record<K, V>;
}

function percentiles<V>(value: (share: number) => V): Percentiles<V> {
  return { p50: value(0.5), p95: value(0.95), p99: value(0.99) };
}

function startsOf(counts: Counts, start: number): number {
  let sum = 0;
  for (let row = 0; row < OUTCOMES.length; row++) sum += counts[SLOT.ended + row * STARTS.length + start] as number;
  return sum;
}

function ranOf(counts: Counts): number {
  return startsOf(counts, STARTS.indexOf('cold')) + startsOf(counts, STARTS.indexOf('warm'));
}

function meanPhase(counts: Counts, phase: number): number | null {
  const ran = ranOf(counts);
  return ran === 0 ? null : round((counts[SLOT.phases + phase] as number) / ran / 1000);
}

/** From the first bucket that has something to the last. */
function histogram(counts: Counts): LatencyHistogram {
  const buckets = counts.subarray(SLOT.latency, SLOT.latency + LATENCY_BUCKETS);
  const first = buckets.findIndex((count) => count > 0);
  if (first < 0) return { boundsMs: [], counts: [] };
  const end = buckets.findLastIndex((count) => count > 0) + 1;
  const boundsMs: number[] = [];
  for (let bucket = first - 1; bucket < end; bucket++) boundsMs.push(round(upperBound(bucket)));
  return { boundsMs, counts: [...buckets.subarray(first, end)] };
}

function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
