import { IndexedHeap } from '../../src/scheduler/indexed-heap.ts';
import type { IdleInstance } from '../../src/scheduler/keep-alive.ts';
import type { Trace } from './trace.ts';

/** What is simulated: the shape of KeepAlive, which is used as it is. */
export interface Policy {
  used(functionKey: string, instanceId: string, now: number): void;
  /** @param call the index of the call that it ran last, for those who know the future */
  idle(instance: IdleInstance, call: number): void;
  victims(bytesToFree: number, now: number): string[];
  expired(now: number): string[];
}

export interface Outcome {
  calls: number;
  cold: number;
  /** Milliseconds that callers waited for starts, all together. */
  startMs: number;
  /** Byte·milliseconds that idle instances held. */
  idleByteMs: number;
  evicted: number;
  expired: number;
  /** Starts for which nothing was left to evict, so that the budget was passed by what runs. */
  overBudget: number;
  /** Of idle and busy instances together. */
  peakBytes: number;
}

interface Live {
  id: string;
  fn: number;
  call: number;
  idle: boolean;
}

const SWEEP_MS = 1000;

/**
 * Virtual time: one call at a time per instance, the youngest idle instance first, a start whenever none is idle. Before a start the policy gives back what is
 * lacking; nothing is refused or made to wait, so busy instances alone may pass the budget, and then give it back as they become idle. Ends with the last call.
 */
export function simulate(trace: Trace, policy: Policy, budgetBytes: number): Outcome {
  const outcome: Outcome = { calls: trace.calls.length, cold: 0, startMs: 0, idleByteMs: 0, evicted: 0, expired: 0, overBudget: 0, peakBytes: 0 };
  const running = new IndexedHeap<Live>();
  const stacks: Live[][] = trace.functions.map(() => []);
  const idle = new Map<string, Live>();
  let [now, nextSweep, idleBytes, allBytes] = [0, SWEEP_MS, 0, 0];

  const memoryOf = ({ fn }: Live): number => trace.functions[fn]?.memoryBytes as number;
  const pass = (at: number): void => {
    outcome.idleByteMs += idleBytes * (at - now);
    now = at;
  };
  const stop = (ids: readonly string[]): void => {
    for (const id of ids) {
      const instance = idle.get(id);
      if (!instance) throw new Error(`the policy gave up ${id}, which is not idle`);
      idle.delete(id);
      instance.idle = false;
      idleBytes -= memoryOf(instance);
      allBytes -= memoryOf(instance);
    }
  };
  const evict = (bytes: number): void => {
    if (bytes <= 0) return;
    const victims = policy.victims(bytes, now);
    outcome.evicted += victims.length;
    stop(victims);
  };
  const advance = (to: number): void => {
    for (;;) {
      const first = running.peek();
      const endsAt = first ? (running.keyOf(first) as number) : Number.POSITIVE_INFINITY;
      if (Math.min(endsAt, nextSweep) > to) break;
      if (endsAt <= nextSweep && first) {
        pass(endsAt);
        running.delete(first);
        first.idle = true;
        idle.set(first.id, first);
        stacks[first.fn]?.push(first);
        idleBytes += memoryOf(first);
        const { key, memoryBytes, startCostMs } = trace.functions[first.fn] as Trace['functions'][number];
        policy.idle({ id: first.id, functionKey: key, memoryBytes, startCostMs, idleSince: now }, first.call);
        evict(allBytes - budgetBytes);
      } else {
        pass(nextSweep);
        nextSweep += SWEEP_MS;
        const expired = policy.expired(now);
        outcome.expired += expired.length;
        stop(expired);
      }
    }
    pass(to);
  };

  for (const [call, { at, fn, durationMs }] of trace.calls.entries()) {
    advance(at);
    const { key, memoryBytes, startCostMs } = trace.functions[fn] as Trace['functions'][number];
    const stack = stacks[fn] as Live[];
    let instance = stack.pop();
    while (instance && !instance.idle) instance = stack.pop();
    if (instance) {
      idle.delete(instance.id);
      instance.idle = false;
      instance.call = call;
      idleBytes -= memoryBytes;
      running.set(instance, at + durationMs);
    } else {
      evict(allBytes + memoryBytes - budgetBytes);
      if (allBytes + memoryBytes > budgetBytes) outcome.overBudget++;
      instance = { id: `${call}`, fn, call, idle: false };
      outcome.cold++;
      outcome.startMs += startCostMs;
      allBytes += memoryBytes;
      running.set(instance, at + startCostMs + durationMs);
    }
    outcome.peakBytes = Math.max(outcome.peakBytes, allBytes);
    policy.used(key, instance.id, at);
  }
  return outcome;
}
