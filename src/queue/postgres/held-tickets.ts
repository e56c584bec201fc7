import type { Lease } from '../durable-queue.ts';
import type { Ticket } from '../tickets/tickets.ts';

/** Which ticket each lease of this node was given under. In memory: the broker has them back when the process ends. */
export class HeldTickets {
  readonly #byLease = new Map<string, { attempt: number; ticket: Ticket }>();

  hold(lease: Lease, ticket: Ticket): void {
    this.#byLease.set(lease.id, { attempt: lease.attempt, ticket });
  }

  /** What it was held for is written down, or somebody else's by now. */
  done(lease: Lease): void {
    const held = this.#byLease.get(lease.id);
    if (held?.attempt !== lease.attempt) return;
    this.#byLease.delete(lease.id);
    held.ticket.acknowledge();
  }

  /** The broker has taken these back. @returns the leases that were given under them */
  lost(ids: readonly string[]): Lease[] {
    const gone = new Set(ids);
    const leases: Lease[] = [];
    for (const [id, { attempt, ticket }] of this.#byLease) {
      if (!gone.has(ticket.id)) continue;
      leases.push({ id, attempt });
      this.#byLease.delete(id);
    }
    return leases;
  }
}
