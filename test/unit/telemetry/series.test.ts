import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CallSeries } from '../../../src/telemetry/series/call-series.ts';
import { emptyCounts, SLOT } from '../../../src/telemetry/series/counts.ts';
import { LATENCY_BUCKETS, latencyBucket, percentile, upperBound } from '../../../src/telemetry/series/latency-buckets.ts';
import { createSeries } from '../../../src/telemetry/series/series.ts';
import { TIERS } from '../../../src/telemetry/series/timeline.ts';
import { invocationRecord } from '../store/records.ts';

const timings = { queue: 1, start: 0, init: 0, run: 9 };
/** The begin of an hour. */
const T0 = 1_764_000_000_000;
const total = (column: (number | null)[]) => column.reduce<number>((sum, value) => sum + (value ?? 0), 0);

describe('latency buckets', () => {
  it('hold what lies between their bounds', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 900_000, noNaN: true }), (ms) => {
        const bucket = latencyBucket(ms);
        expect(ms).toBeLessThanOrEqual(upperBound(bucket) * (1 + 1e-12));
        expect(ms).toBeGreaterThanOrEqual(upperBound(bucket - 1) * (1 - 1e-12));
      }),
    );
    expect([latencyBucket(0), latencyBucket(1e12), upperBound(LATENCY_BUCKETS - 1)]).toEqual([0, LATENCY_BUCKETS - 1, 2 ** 20]);
  });

  it('give percentiles that are a fifth off at most', () => {
    const latencies = fc.array(fc.double({ min: 0.1, max: 900_000, noNaN: true }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(latencies, fc.constantFrom(0.5, 0.95, 0.99), (all, share) => {
        const counts = emptyCounts();
        for (const ms of all) {
          const slot = SLOT.latency + latencyBucket(ms);
          counts[slot] = (counts[slot] as number) + 1;
        }
        const exact = all.toSorted((a, b) => a - b)[Math.ceil(share * all.length) - 1] as number;
        const found = percentile(counts, SLOT.latency, share) as number;
        expect(found / exact).toBeLessThan(1.2);
        expect(found / exact).toBeGreaterThan(1 / 1.2);
      }),
    );
    expect(percentile(emptyCounts(), SLOT.latency, 0.5)).toBeNull();
  });
});

describe('series', () => {
  it('count the same in every window, however often time has passed on', () => {
    const calls = new CallSeries(10);
    let now = T0;
    const series = createSeries(calls, 0, () => now);
    for (let call = 0; call < 85; call++) {
      calls.observe(invocationRecord({ functionName: 'f', start: call === 0 ? 'cold' : 'warm', endedAt: now }), timings, false);
      now += 10_000;
    }
    for (const window of ['15m', '1h', '6h', '24h', '7d', '30d'] as const) {
      const read = series.ofFunction('f', window);
      expect([window, read.total.invocations.succeeded, total(read.invocations.succeeded)]).toEqual([window, 85, 85]);
      expect([total(read.starts.cold), total(read.starts.warm), read.total.starts.warm]).toEqual([1, 84, 84]);
      expect(read.at.length * read.stepMs).toBe({ '15m': 15, '1h': 60, '6h': 360, '24h': 1440, '7d': 10_080, '30d': 43_200 }[window] * 60_000);
      expect(now - (read.at.at(-1) as number)).toBeLessThan(read.stepMs);
      expect(read.total.histogram).toEqual({ boundsMs: [9.5137, 11.3137], counts: [85] });
      expect(read.total.phasesMs).toEqual({ queue: 1, start: 0, init: 0, run: 9 });
      expect(series.ofMachine(window).total).toEqual(read.total);
    }
  });

  it('tell a platform that was away from a function that was not called', () => {
    const calls = new CallSeries(10);
    let now = T0;
    const series = createSeries(calls, 0, () => now);
    const sample = () => {
      const counts = calls.machine.at(now);
      counts[SLOT.samples] = (counts[SLOT.samples] as number) + 1;
    };
    for (; now < T0 + 60_000; now += 10_000) sample();
    now += 120_000;
    for (; now < T0 + 300_000; now += 10_000) sample();
    const fine = series.ofFunction('f', '15m');
    const at = (instant: number) => fine.at.indexOf(instant);
    expect(fine.invocations.succeeded.slice(at(T0 - 10_000), at(T0 + 70_000))).toEqual([null, 0, 0, 0, 0, 0, 0, null]);
    expect(fine.latencyMs.p50[at(T0)]).toBeNull();
    const hour = series.ofFunction('f', '1h');
    expect(hour.coverage.slice(-7)).toEqual([0, 1, 0, 0, 1, 1, 0]);
    // The last is under way.
    expect(hour.invocations.failed.slice(-7)).toEqual([null, 0, null, null, 0, 0, 0]);
    expect(series.ofMachine('1h').gauges.waiting.slice(-7)).toEqual([null, 0, null, null, 0, 0, null]);
  });

  it('bound what they keep, and the number of functions', () => {
    const calls = new CallSeries(2);
    let now = T0;
    const series = createSeries(calls, 0, () => now);
    for (let hour = 0; hour < 800; hour++) {
      now = T0 + hour * 3600_000;
      for (const functionName of ['a', 'b', 'c']) calls.observe(invocationRecord({ functionName, endedAt: now }), timings, false);
    }
    expect([series.ofFunction('a', '30d').total.invocations.succeeded, series.ofFunction('a', '24h').total.invocations.succeeded]).toEqual([720, 24]);
    expect([series.ofFunction('b', '7d').counted, series.ofFunction('c', '7d').counted]).toEqual([true, false]);
    expect([total(series.ofFunction('c', '7d').starts.warm), series.ofMachine('30d').total.invocations.succeeded]).toEqual([0, 3 * 720]);
    const kept = [...(calls.of('a')?.takeTouched(3) ?? [])];
    expect(kept.length).toBe(TIERS[3].steps);
    calls.forget('a');
    calls.observe(invocationRecord({ functionName: 'c', endedAt: now }), timings, true);
    expect(series.ofFunction('c', '15m').total.invocations).toEqual({ succeeded: 0, failed: 0, timed_out: 0, cancelled: 0, refused: 1 });
  });

  it('go on when the clock is set back', () => {
    const calls = new CallSeries(2);
    const now = T0;
    const series = createSeries(calls, 0, () => now);
    calls.observe(invocationRecord({ functionName: 'a', endedAt: T0 + 5 }), timings, false);
    calls.observe(invocationRecord({ functionName: 'a', endedAt: T0 - 15_000 }), timings, false);
    expect(series.ofFunction('a', '15m').invocations.succeeded.at(-1)).toBe(2);
    calls.observe(invocationRecord({ functionName: 'a', endedAt: T0 + 24 * 3600_000 }), timings, false);
    calls.observe(invocationRecord({ functionName: 'a', endedAt: T0 + 6 }), timings, false);
    expect(series.ofFunction('a', '15m').invocations.succeeded.at(-1)).toBe(3);
  });
});
