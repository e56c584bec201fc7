import type { LaneKey } from '../durable-queue.ts';

/**
 * What RabbitMQ hands out among the nodes: a **ticket** is the leave to look for one due job of a lane. It is bound to no job: whoever holds a ticket takes the best
 * job that the lane has, so priorities hold, and a ticket too many does no harm. Jobs themselves are in the database; a lane's tickets are a durable queue of the broker.
 *
 *     publish → waiting ──pull──▶ held ──acknowledge──▶ gone
 *                 ▲   │             │
 *                 └───┼── giveBack, │ connection lost
 *                     └── expired, delivered too often ──▶ dead ──(listener's promise)──▶ gone
 */
export interface Tickets {
  /**
   * Resolves once the broker has confirmed each of them; a rejection says nothing of any single one, so they may be published again.
   * @throws Error that says why it can't, within some seconds
   */
  publish(tickets: readonly NewTicket[]): Promise<void>;
  /** At most `limit`; fewer: there are no more at present. [] while the broker is away. Never rejects. */
  pull(lane: LaneKey, limit: number): Promise<Ticket[]>;
  /** The one listener is told of tickets that were held here and that the broker has taken back: the connection was lost. */
  onLost(listener: (ids: readonly string[]) => void): void;
  /** The one listener is told of tickets that the broker has dead-lettered, on some node; again, on some node, when its promise rejects. */
  onDead(listener: (id: string, lane: LaneKey, reason: DeadTicketReason) => Promise<void>): void;
  /** The one listener is told that a lane has no queue on the broker, or had none until now: whatever tickets were published for it before are gone. */
  onGone(listener: (lane: LaneKey) => void): void;
  /** Begins to connect, and to consume dead tickets, after the listeners have been given. Never rejects: the log tells of a broker that is away. */
  start(): Promise<void>;
  /** What is held goes back to the broker, without being told as lost. */
  close(): Promise<void>;
}

export interface NewTicket {
  readonly lane: LaneKey;
  /** 1 to 255 bytes. */
  readonly id: string;
  /** Milliseconds, 0 or more, until it is dead; null: it waits for as long as it takes. */
  readonly expiresInMs: number | null;
}

export interface Ticket {
  readonly id: string;
  /** Somebody had it before and may have used it. */
  readonly redelivered: boolean;
  /** Its work is done, or there was none. Does nothing once it was lost. */
  acknowledge(): void;
  /** Somebody else may have it. Does nothing once it was lost. */
  giveBack(): void;
}

/** `delivery_limit`: it was given back, or its holder died, too often. */
export type DeadTicketReason = 'expired' | 'delivery_limit';
