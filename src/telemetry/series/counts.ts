import { OUTCOMES, STARTS } from '../metrics/function-counts.ts';
import { LATENCY_BUCKETS } from './latency-buckets.ts';

/**
 * What is counted in a step of time: one array of numbers, and where in it each stands. The places are written into the store with the counts, so none of
 * them may get another meaning.
 */
export const SLOT = {
  /** How calls ended: a row of starts for each outcome. */
  ended: 0,
  /** Sums of microseconds of calls that ran: queue, start, init, run. */
  phases: 15,
  /** Calls that count for availability, and those of them that were bad. */
  valid: 19,
  bad: 20,
  /** Good calls that were held against a latency objective, and those of them that were too slow. */
  timed: 21,
  slow: 22,
  /** How often the gauges were read, and the sums of what they showed. */
  samples: 23,
  gauges: 24,
  /** The highest that gauges showed. */
  peaks: 48,
  latency: 64,
} as const;
export const SLOTS = SLOT.latency + LATENCY_BUCKETS;

export const PHASES = ['queue', 'start', 'init', 'run'] as const;
export const GAUGES = ['starting', 'idle', 'busy', 'draining', 'memory_bytes', 'open', 'waiting', 'queued', 'lag_p50_us', 'lag_p99_us'] as const;
export const PEAKS = ['lag_max_us', 'waiting', 'memory_bytes'] as const;

export type Counts = Float64Array;

export function emptyCounts(): Counts {
  return new Float64Array(SLOTS);
}

export function endedSlot(outcome: number, start: number): number {
  return SLOT.ended + outcome * STARTS.length + start;
}

/** Calls of one outcome, or of all. */
export function endedOf(counts: Counts, outcome?: number): number {
  const from = outcome === undefined ? 0 : outcome * STARTS.length;
  const to = outcome === undefined ? OUTCOMES.length * STARTS.length : from + STARTS.length;
  let sum = 0;
  for (let slot = from; slot < to; slot++) sum += counts[SLOT.ended + slot] as number;
  return sum;
}

/** Everything adds up but peaks. */
export function mergeInto(counts: Counts, slot: number, value: number): void {
  const before = counts[slot] as number;
  counts[slot] = slot >= SLOT.peaks && slot < SLOT.latency ? Math.max(before, value) : before + value;
}

/** A text of places and values in turn, without those that are 0: a step of most functions has a dozen of them. */
export function writeCounts(counts: Counts): string {
  const pairs: number[] = [];
  for (let slot = 0; slot < SLOTS; slot++) {
    const value = counts[slot] as number;
    // None is negative; what rounds to nothing is left out.
    if (value >= 0.5) pairs.push(slot, Math.round(value));
  }
  return pairs.join(',');
}

const COMMA = 44;
const ZERO = 48;

/**
 * What the text says is counted too. Places from `end` on are left out, and so are those that this platform doesn't know. Objectives read a thousand texts and want
 * little of each, so a text is read no further than that.
 */
export function readCounts(text: string, into: Counts, end: number = SLOTS): void {
  let slot = -1;
  let number = 0;
  for (let at = 0; at <= text.length; at++) {
    const code = at < text.length ? text.charCodeAt(at) : COMMA;
    if (code !== COMMA) {
      number = number * 10 + (code - ZERO);
      continue;
    }
    if (slot < 0) {
      if (number >= end) return;
      slot = number;
    } else {
      mergeInto(into, slot, number);
      slot = -1;
    }
    number = 0;
  }
}
