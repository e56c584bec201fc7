import { IndexedHeap } from '../../src/scheduler/indexed-heap.ts';
import type { Trace } from './trace.ts';

/** What is to come, if nothing ever started cold. */
export interface Future {
  /** Of each call: when the instance that ran it would run the next one; Infinity for never. The one that became idle last is used first. */
  nextUse: Float64Array;
  /** Of each function: when it is called, in the order of time. */
  arrivals: readonly (readonly number[])[];
}

export function lookAhead(trace: Trace): Future {
  const nextUse = new Float64Array(trace.calls.length).fill(Number.POSITIVE_INFINITY);
  const arrivals: number[][] = trace.functions.map(() => []);
  const idle: number[][] = trace.functions.map(() => []);
  const running = new IndexedHeap<number>();
  for (const [index, { at, fn, durationMs }] of trace.calls.entries()) {
    for (let done = running.peek(); done !== undefined && (running.keyOf(done) as number) <= at; done = running.peek()) {
      running.delete(done);
      idle[trace.calls[done]?.fn as number]?.push(done);
    }
    const before = idle[fn]?.pop();
    if (before !== undefined) nextUse[before] = at;
    arrivals[fn]?.push(at);
    running.set(index, at + durationMs);
  }
  return { nextUse, arrivals };
}

/** The first arrival of a function after an instant; Infinity when there is none. */
export function nextArrival(future: Future, fn: number, now: number): number {
  const times = future.arrivals[fn] ?? [];
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] as number) <= now) low = middle + 1;
    else high = middle;
  }
  return times[low] ?? Number.POSITIVE_INFINITY;
}

/**
 * So few cold starts no policy can get below, clairvoyant or not, under that budget (Infinity: none).
 *
 * Every warm start needs an instance of its function kept from the end of an earlier run. The pairs of an end and a later start that cost least are those which
 * using the youngest idle instance makes: of any two that cross, the nested ones have the same length in sum. A cold run ends later by its start cost, so a pair
 * takes at least memory × (gap − start cost). All pairs together can take no more than what the budget leaves over the whole trace when only the runs themselves
 * are counted. So the cheapest pairs are taken until that is used up, whether or not they would fit side by side: the relaxation PFOO-L of Berger, Beckmann and
 * Harchol-Balter, "Practical Bounds on Optimal Caching with Variable Object Sizes" (SIGMETRICS'18).
 */
export function leastColdStarts(trace: Trace, future: Future, budgetBytes: number): number {
  const costs: number[] = [];
  for (const [index, { at, fn, durationMs }] of trace.calls.entries()) {
    const gap = (future.nextUse[index] as number) - at - durationMs;
    const { memoryBytes, startCostMs } = trace.functions[fn] as Trace['functions'][number];
    if (gap < Number.POSITIVE_INFINITY) costs.push(memoryBytes * (gap - startCostMs));
  }
  costs.sort((a, b) => a - b);
  let room = budgetBytes === Number.POSITIVE_INFINITY ? budgetBytes : roomBeside(trace, budgetBytes);
  let warm = 0;
  for (const cost of costs) {
    room -= cost;
    if (room < 0) break;
    warm++;
  }
  return trace.calls.length - warm;
}

/** Byte·milliseconds that the budget leaves beside the runs, up to the last call. */
function roomBeside(trace: Trace, budgetBytes: number): number {
  const changes: [at: number, bytes: number][] = [];
  for (const { at, fn, durationMs } of trace.calls) {
    const bytes = trace.functions[fn]?.memoryBytes as number;
    changes.push([at, bytes], [at + durationMs, -bytes]);
  }
  changes.sort((a, b) => a[0] - b[0]);
  const end = trace.calls.at(-1)?.at ?? 0;
  let [room, busy, last] = [0, 0, 0];
  for (const [at, bytes] of changes) {
    const until = Math.min(at, end);
    room += Math.max(0, budgetBytes - busy) * (until - last);
    last = until;
    busy += bytes;
  }
  return room;
}
