import { Random } from './random.ts';
import { type Call, inOrder, MB, type Trace, type TraceFunction } from './trace.ts';

const DAY_MS = 24 * 3600_000;
const MINUTE_MS = 60_000;

/** Functions called by people: so many, with popularity by Zipf's law, and so many calls a day for all of them. */
const ZIPF_FUNCTIONS = 600;
const ZIPF_EXPONENT = 1.1;
const ZIPF_CALLS = 120_000;
/** By how much the day's rate swings about its mean. */
const DIURNAL = 0.7;
const TIMERS = 300;
const TIMER_MINUTES = [1, 5, 5, 10, 15, 15, 30, 60, 60, 60, 360, 1440];
const BURST_FUNCTIONS = 100;

/** A day made up: popular and rare functions, timers, bursts. The same seed makes the same day. */
export function syntheticDay(seed: number): Trace {
  const random = new Random(seed);
  const functions: TraceFunction[] = [];
  const calls: Call[] = [];
  const medians: number[] = [];
  const add = (kind: string): number => {
    functions.push({
      key: `${kind}-${functions.length}`,
      memoryBytes: Math.min(1024, Math.max(5, random.logNormal(40, 0.8))) * MB,
      startCostMs: Math.min(10_000, Math.max(3, random.logNormal(150, 1))),
    });
    return medians.push(Math.min(10_000, random.logNormal(100, 1.3))) - 1;
  };
  const call = (fn: number, at: number): void => {
    if (at < DAY_MS) calls.push({ at, fn, durationMs: Math.min(60_000, random.logNormal(medians[fn] as number, 0.5)) });
  };

  const weights = Array.from({ length: ZIPF_FUNCTIONS }, (_, rank) => 1 / (rank + 1) ** ZIPF_EXPONENT);
  const allWeights = weights.reduce((sum, weight) => sum + weight, 0);
  for (const weight of weights) {
    const fn = add('people');
    // Poisson by thinning: the highest rate, of which the hour lets some through.
    const meanGapMs = DAY_MS / ((ZIPF_CALLS * weight) / allWeights) / (1 + DIURNAL);
    for (let at = random.exponential(meanGapMs); at < DAY_MS; at += random.exponential(meanGapMs)) {
      const rate = (1 - DIURNAL * Math.cos((2 * Math.PI * at) / DAY_MS)) / (1 + DIURNAL);
      if (random.next() < rate) call(fn, at);
    }
  }
  for (let timer = 0; timer < TIMERS; timer++) {
    const fn = add('timer');
    const periodMs = random.pick(TIMER_MINUTES) * MINUTE_MS;
    // People's timers fire on the full minute, within the second that their platform takes.
    const phaseMs = Math.floor(random.next() * (periodMs / MINUTE_MS)) * MINUTE_MS;
    for (let at = phaseMs; at < DAY_MS; at += periodMs) call(fn, at + random.between(0, 1000));
  }
  for (let bursty = 0; bursty < BURST_FUNCTIONS; bursty++) {
    const fn = add('burst');
    const bursts = 1 + Math.floor(random.next() * 8);
    for (let burst = 0; burst < bursts; burst++) {
      const at = random.next() * DAY_MS;
      const count = Math.floor(random.logNormal(40, 0.8));
      for (let each = 0; each < count; each++) call(fn, at + random.exponential(5000));
    }
  }
  return { name: 'Synthetic day', functions, calls: inOrder(calls) };
}
