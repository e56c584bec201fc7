import type { IdleInstance } from '../../src/scheduler/keep-alive.ts';
import { type Future, nextArrival } from './future.ts';
import type { Policy } from './simulate.ts';
import type { Trace } from './trace.ts';

/** Keeps every instance for so long after its last run; under a budget that one goes first which has been idle longest. Without a maximum this is LRU. */
export class FixedIdle implements Policy {
  readonly #maxIdleMs: number;
  /** In the order in which they became idle. */
  readonly #idle = new Map<string, IdleInstance>();

  constructor(maxIdleMs: number) {
    this.#maxIdleMs = maxIdleMs;
  }

  used(_functionKey: string, instanceId: string): void {
    this.#idle.delete(instanceId);
  }

  idle(instance: IdleInstance): void {
    this.#idle.set(instance.id, instance);
  }

  victims(bytesToFree: number): string[] {
    const ids: string[] = [];
    let freed = 0;
    for (const { id, memoryBytes } of this.#idle.values()) {
      if (freed >= bytesToFree) break;
      freed += memoryBytes;
      ids.push(id);
      this.#idle.delete(id);
    }
    return ids;
  }

  expired(now: number): string[] {
    const ids: string[] = [];
    for (const { id, idleSince } of this.#idle.values()) {
      if (idleSince + this.#maxIdleMs > now) break;
      ids.push(id);
      this.#idle.delete(id);
    }
    return ids;
  }
}

/**
 * Greedy-Dual as FaasCache publishes it: frequencies that count for ever while a function has an instance, and begin anew with its next one. With `shared` each
 * instance has its part of its function's frequency, which is one of the two things in which KeepAlive differs.
 */
export class PublishedGreedyDual implements Policy {
  readonly #shared: boolean;
  readonly #frequency = new Map<string, number>();
  readonly #owners = new Map<string, string>();
  readonly #count = new Map<string, number>();
  readonly #idle = new Map<string, { instance: IdleInstance; clock: number }>();
  #clock = 0;

  constructor({ shared }: { shared: boolean }) {
    this.#shared = shared;
  }

  used(functionKey: string, instanceId: string): void {
    this.#frequency.set(functionKey, (this.#frequency.get(functionKey) ?? 0) + 1);
    this.#idle.delete(instanceId);
    if (this.#owners.has(instanceId)) return;
    this.#owners.set(instanceId, functionKey);
    this.#count.set(functionKey, (this.#count.get(functionKey) ?? 0) + 1);
  }

  idle(instance: IdleInstance): void {
    this.#idle.set(instance.id, { instance, clock: this.#clock });
  }

  victims(bytesToFree: number): string[] {
    const ids: string[] = [];
    for (let freed = 0; freed < bytesToFree; ) {
      let [lowest, victim] = [Number.POSITIVE_INFINITY, undefined as IdleInstance | undefined];
      for (const { instance, clock } of this.#idle.values()) {
        const parts = this.#shared ? (this.#count.get(instance.functionKey) ?? 1) : 1;
        const priority = clock + ((this.#frequency.get(instance.functionKey) ?? 0) * instance.startCostMs) / instance.memoryBytes / parts;
        if (priority < lowest) [lowest, victim] = [priority, instance];
      }
      if (!victim) break;
      this.#clock = lowest;
      freed += victim.memoryBytes;
      ids.push(victim.id);
      this.#idle.delete(victim.id);
      this.#owners.delete(victim.id);
      const left = (this.#count.get(victim.functionKey) ?? 1) - 1;
      this.#count.set(victim.functionKey, left);
      if (left === 0) this.#frequency.delete(victim.functionKey);
    }
    return ids;
  }

  expired(): string[] {
    return [];
  }
}

/**
 * Knows the future: what is never used again goes at once, and else that instance whose next use, times its memory, is farthest: Belady's rule with the byte
 * as its unit, for fewest cold starts. Not the optimum, which for instances of different sizes is NP-hard, but a schedule that exists, so the optimum lies between it and
 * the bound. Next uses are those of a trace in which nothing starts cold; where an eviction has made one untrue, the function's next call stands in.
 */
export class Clairvoyant implements Policy {
  readonly #future: Future;
  readonly #indices: ReadonlyMap<string, number>;
  readonly #idle = new Map<string, { instance: IdleInstance; nextUse: number }>();
  readonly #useless: string[] = [];

  constructor(trace: Trace, future: Future) {
    this.#future = future;
    this.#indices = new Map(trace.functions.map(({ key }, index) => [key, index]));
  }

  used(_functionKey: string, instanceId: string): void {
    this.#idle.delete(instanceId);
  }

  idle(instance: IdleInstance, call: number): void {
    this.#idle.set(instance.id, { instance, nextUse: this.#future.nextUse[call] as number });
    if (this.#future.nextUse[call] === Number.POSITIVE_INFINITY) this.#useless.push(instance.id);
  }

  victims(bytesToFree: number, now: number): string[] {
    const ids: string[] = [];
    for (let freed = 0; freed < bytesToFree; ) {
      let [farthest, victim] = [Number.NEGATIVE_INFINITY, undefined as IdleInstance | undefined];
      for (const entry of this.#idle.values()) {
        const { instance } = entry;
        if (entry.nextUse <= now) entry.nextUse = nextArrival(this.#future, this.#indices.get(instance.functionKey) as number, now);
        const distance = (entry.nextUse - now) * instance.memoryBytes;
        if (distance > farthest) [farthest, victim] = [distance, instance];
      }
      if (!victim) break;
      freed += victim.memoryBytes;
      ids.push(victim.id);
      this.#idle.delete(victim.id);
    }
    return ids;
  }

  expired(): string[] {
    return this.#useless.splice(0).filter((id) => this.#idle.delete(id));
  }
}
