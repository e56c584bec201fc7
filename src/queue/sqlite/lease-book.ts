import type { Lease } from '../durable-queue.ts';

interface Entry {
  attempt: number;
  leaseMs: number;
  /** By the monotonic clock. */
  endsAt: number;
}

/**
 * The leases that are given out, in memory: they end with the process that gave them, as the platform that holds the data folder is the only one to run
 * anything. By a monotonic clock, so that no jump of the wall clock voids or prolongs one. Milliseconds.
 */
export class LeaseBook {
  readonly #leases = new Map<string, Entry>();
  readonly #tick: () => number;

  constructor(tick: () => number) {
    this.#tick = tick;
  }

  give(lease: Lease, leaseMs: number): void {
    this.#leases.set(lease.id, { attempt: lease.attempt, leaseMs, endsAt: this.#tick() + leaseMs });
  }

  prolong(lease: Lease): void {
    const entry = this.#leases.get(lease.id);
    if (entry?.attempt === lease.attempt) entry.endsAt = this.#tick() + entry.leaseMs;
  }

  end(id: string): void {
    this.#leases.delete(id);
  }

  /** Those that have run out; they stay in the book until they are ended. */
  expired(): Lease[] {
    const now = this.#tick();
    return [...this.#leases].flatMap(([id, { attempt, endsAt }]) => (endsAt <= now ? [{ id, attempt }] : []));
  }
}
