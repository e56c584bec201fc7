import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { leastColdStarts, lookAhead } from '../../../bench/keep-alive/future.ts';
import { Clairvoyant, FixedIdle, PublishedGreedyDual } from '../../../bench/keep-alive/policies.ts';
import { type Policy, simulate } from '../../../bench/keep-alive/simulate.ts';
import { syntheticDay } from '../../../bench/keep-alive/synthetic.ts';
import { inOrder, MB, type Trace } from '../../../bench/keep-alive/trace.ts';
import { KeepAlive } from '../../../src/scheduler/keep-alive.ts';

const SECOND = 1000;
const GB_S = 1024 * MB * SECOND;

function traceOf(calls: Trace['calls'], functions: Trace['functions'] = [{ key: 'f', memoryBytes: 1024 * MB, startCostMs: 100 }]): Trace {
  return { name: 'test', functions, calls };
}

describe('the simulator', () => {
  test('counts cold starts, expiry and what idle instances hold', () => {
    // Idle 1.1–5 s, 6–16 s (expires); cold again at 20 s, which ends the trace.
    const trace = traceOf([
      { at: 0, fn: 0, durationMs: 1000 },
      { at: 5 * SECOND, fn: 0, durationMs: 1000 },
      { at: 20 * SECOND, fn: 0, durationMs: 1000 },
    ]);
    const outcome = simulate(trace, new FixedIdle(10 * SECOND), Number.POSITIVE_INFINITY);
    expect(outcome).toMatchObject({ calls: 3, cold: 2, startMs: 200, evicted: 0, expired: 1, overBudget: 0, peakBytes: 1024 * MB });
    expect(outcome.idleByteMs / GB_S).toBeCloseTo(3.9 + 10, 9);
  });

  test('runs as many instances as calls overlap, and evicts for a start only what is lacking', () => {
    const functions = ['f', 'g'].map((key) => ({ key, memoryBytes: 10 * MB, startCostMs: 10 }));
    const trace = traceOf(
      [
        { at: 0, fn: 0, durationMs: 100 },
        { at: 50, fn: 0, durationMs: 100 },
        { at: 1000, fn: 1, durationMs: 100 },
        { at: 2000, fn: 0, durationMs: 100 },
      ],
      functions,
    );
    expect(simulate(trace, new FixedIdle(Number.POSITIVE_INFINITY), 20 * MB)).toMatchObject({
      cold: 3,
      evicted: 1,
      overBudget: 0,
      peakBytes: 20 * MB,
    });
    expect(simulate(trace, new FixedIdle(Number.POSITIVE_INFINITY), 10 * MB)).toMatchObject({
      cold: 4,
      evicted: 3,
      overBudget: 1,
      peakBytes: 20 * MB,
    });
  });
});

const randomTrace = fc
  .record({
    functions: fc.array(fc.record({ memory: fc.integer({ min: 1, max: 20 }), startCostMs: fc.integer({ min: 1, max: 500 }) }), {
      minLength: 1,
      maxLength: 5,
    }),
    calls: fc.array(fc.record({ at: fc.nat(20_000), fn: fc.nat(4), durationMs: fc.integer({ min: 1, max: 2000 }) }), { minLength: 1, maxLength: 80 }),
  })
  .map(({ functions, calls }) =>
    traceOf(
      inOrder(calls.map((call) => ({ ...call, fn: call.fn % functions.length }))),
      functions.map(({ memory, startCostMs }, index) => ({ key: `f${index}`, memoryBytes: memory * MB, startCostMs })),
    ),
  );

test('no policy gets below the bound, and none holds more than its budget while there is something to evict', () => {
  fc.assert(
    fc.property(randomTrace, fc.integer({ min: 1, max: 100 }), (trace, budgetMb) => {
      const future = lookAhead(trace);
      const budget = budgetMb * MB;
      const least = leastColdStarts(trace, future, budget);
      const policies: Policy[] = [
        new FixedIdle(5000),
        new FixedIdle(Number.POSITIVE_INFINITY),
        new PublishedGreedyDual({ shared: false }),
        new PublishedGreedyDual({ shared: true }),
        new KeepAlive({ minIdleMs: 0, maxIdleMs: 5000, reserved: 0 }, 10_000),
        new Clairvoyant(trace, future),
      ];
      for (const policy of policies) {
        const outcome = simulate(trace, policy, budget);
        expect(outcome.cold).toBeGreaterThanOrEqual(least);
        if (outcome.overBudget === 0) expect(outcome.peakBytes).toBeLessThanOrEqual(budget);
      }
    }),
    { numRuns: 500 },
  );
});

test('where all are alike and one call runs at a time, the clairvoyant is the optimum', () => {
  const functions = [0, 1, 2, 3].map((index) => ({ key: `f${index}`, memoryBytes: MB, startCostMs: 1 }));
  fc.assert(
    fc.property(fc.array(fc.nat(3), { minLength: 1, maxLength: 10 }), (order) => {
      const trace = traceOf(
        order.map((fn, index) => ({ at: index * 100, fn, durationMs: 10 })),
        functions,
      );
      expect(simulate(trace, new Clairvoyant(trace, lookAhead(trace)), 2 * MB).cold).toBe(fewest(order, 2, new Set()));
    }),
  );
});

/** By trying everything: faults of a demand-filled cache of so many places. */
function fewest(order: readonly number[], places: number, held: ReadonlySet<number>): number {
  const [first, ...rest] = order;
  if (first === undefined) return 0;
  if (held.has(first)) return fewest(rest, places, held);
  if (held.size < places) return 1 + fewest(rest, places, new Set([...held, first]));
  return 1 + Math.min(...[...held].map((victim) => fewest(rest, places, new Set([...[...held].filter((one) => one !== victim), first]))));
}

test('the same seed makes the same day, in order; another seed another day', () => {
  const day = syntheticDay(7);
  expect(day).toEqual(syntheticDay(7));
  expect(day.calls[0]).not.toEqual(syntheticDay(8).calls[0]);
  expect(day.calls.every((call, index) => call.at >= (day.calls[index - 1]?.at ?? 0))).toBe(true);
});
