import { randomUUID } from 'node:crypto';
import type { PostgresDatabase } from '../../postgres/postgres.ts';
import type { LaneKey } from '../durable-queue.ts';
import { laneName } from '../lane.ts';
import type { NewTicket, Tickets } from '../tickets/tickets.ts';

export interface OutboxParts {
  db: PostgresDatabase;
  /** Null: there are none, and whoever looks for work may take it. */
  tickets: Pick<Tickets, 'publish'> | null;
  now(): number;
  /** Whoever looks there finds work. */
  onWork(lane: LaneKey, dueAt: number): void;
  log: { warn(fields: object, message: string): void };
}

/** What is to have a ticket. */
export interface Ticketable extends LaneKey {
  id: string;
  due_at: number;
  /** As it stands in the database: nobody else publishes before it. */
  ticket_due_at: number;
  ageFrom: number;
  maxAgeMs: number | null;
}

/** Nobody else publishes a ticket that somebody is about to publish, for so long. More than publishing takes. */
const CLAIM_MS = 10_000;
/** Tickets of one publishing. */
const PAGE = 500;
/** A ticket outlives what it was published for by this, so that clocks needn't agree to the millisecond. */
const EXPIRY_MARGIN_MS = 1000;
/** Of a message's TTL. */
const MAX_EXPIRY_MS = 2 ** 32 - 1;

const CLAIM = `
  WITH due AS MATERIALIZED (
    SELECT seq FROM queue_jobs WHERE state = 'queued' AND ticket_due_at IS NOT NULL AND ticket_due_at <= $1 ORDER BY ticket_due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
  UPDATE queue_jobs j SET ticket_due_at = $3::float8 FROM due WHERE j.seq = due.seq
  RETURNING j.id, j.function_name AS "functionName", j.version_number AS "versionNumber", j.due_at, j.ticket_due_at, j.age_from AS "ageFrom", j.max_age_ms AS "maxAgeMs"`;
/** Of those that nobody has claimed anew or taken since. $3: when the next ticket is due, $4: when one was published. */
const MARK = `
  UPDATE queue_jobs j SET ticket_due_at = $3::float8, ticketed_at = $4::float8 FROM unnest($1::text[], $2::float8[]) AS v (id, claim)
  WHERE j.id = v.id AND j.state = 'queued' AND j.ticket_due_at = v.claim`;

/** The tickets of a lane are gone. */
const GONE = `
  UPDATE queue_jobs SET ticket_due_at = $3::float8, ticketed_at = NULL
  WHERE state = 'queued' AND function_name = $1 AND version_number = $2 AND ticketed_at IS NOT NULL`;

/**
 * Publishes a ticket for each invocation that is due: a transactional outbox. When a ticket is due stands in the invocation's row from the commit on that queues
 * it, so that one is published for certain, sometimes twice; that it was published is written down a little later, all at once, of those that still wait.
 *
 *     due ──claim──▶ claimed for 10 s ──publish──▶ confirmed ──mark──▶ (none due)
 *      ▲                    │
 *      └── refused, or the node died
 */
export class Outbox {
  readonly #parts: OutboxParts;
  /** The last publishing was confirmed. */
  #open = true;
  #confirmed: Ticketable[] = [];
  #dueTimer: NodeJS.Timeout | null = null;
  #dueAt = Number.POSITIVE_INFINITY;
  readonly #running = new Set<Promise<void>>();
  #closed = false;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  /** What `ticket_due_at` is to be of what is queued now and due then: with the commit this node has a claim to what it publishes itself. */
  firstDueAt(dueAt: number, now: number): number {
    return this.#parts.tickets && this.#open && dueAt <= now ? now + CLAIM_MS : dueAt;
  }

  /** They are queued, with what `firstDueAt` said. */
  queued(jobs: readonly Ticketable[]): void {
    if (jobs.length === 0) return;
    if (!this.#parts.tickets) {
      for (const job of jobs) this.#parts.onWork(job, job.due_at);
      return;
    }
    const claimed = jobs.filter(({ due_at, ticket_due_at }) => ticket_due_at > due_at);
    if (claimed.length > 0) this.#start(this.#publish(claimed));
    for (const { due_at } of jobs) if (due_at < this.#dueAt) this.#wakeAt(due_at);
  }

  /** Publishes what is due and nobody has claimed, and writes down what was published. @throws HearthError store_unavailable */
  async relay(): Promise<void> {
    const { db, tickets, now } = this.#parts;
    if (!tickets || this.#closed) return;
    const marked = this.#confirmed.splice(0);
    await this.#mark(marked, null).catch((error: unknown) => {
      this.#confirmed.push(...marked);
      throw error;
    });
    for (;;) {
      // While the broker is away, one is enough to see that it is back.
      const limit = this.#open ? PAGE : 1;
      const { rows } = await db.query<Ticketable>(CLAIM, [now(), limit, now() + CLAIM_MS]);
      if (rows.length === 0) return;
      const wasOpen = this.#open;
      await this.#publish(rows);
      if (!this.#open || (wasOpen && rows.length < limit)) return;
    }
  }

  /** The broker has none of the tickets that were published for this lane. */
  gone({ functionName, versionNumber }: LaneKey): void {
    const isGone = (job: LaneKey) => job.functionName === functionName && job.versionNumber === versionNumber;
    const gone = this.#confirmed.filter(isGone);
    this.#confirmed = this.#confirmed.filter((job) => !isGone(job));
    const again = async () => {
      const { db, now } = this.#parts;
      await this.#mark(gone, now());
      await db.query(GONE, [functionName, versionNumber, now()]);
      await this.relay();
    };
    // If the database is away now, they are missed when somebody looks for them (see takeOperations), or when their claims run out.
    this.#start(again().catch(() => undefined));
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#dueTimer) clearTimeout(this.#dueTimer);
    await Promise.all(this.#running);
    // What isn't marked has a ticket too many.
    await this.#mark(this.#confirmed.splice(0), null).catch(() => undefined);
  }

  async #publish(jobs: readonly Ticketable[]): Promise<void> {
    const { tickets, now, onWork, log } = this.#parts;
    try {
      await tickets?.publish(jobs.map((job): NewTicket => ({ lane: job, id: randomUUID(), expiresInMs: expiresIn(job, now()) })));
      this.#open = true;
      this.#confirmed.push(...jobs);
    } catch (error) {
      if (this.#open)
        log.warn(
          { reason: (error as Error).message },
          'work is not handed out: the broker takes no tickets; it waits, and is tried again each second',
        );
      this.#open = false;
      // Due again at once; if this can't be written down either, when the claim runs out.
      await this.#mark(jobs, now()).catch(() => undefined);
      return;
    }
    for (const lane of new Map(jobs.map((job) => [laneName(job), job])).values()) onWork(lane, now());
  }

  async #mark(jobs: readonly Ticketable[], nextDueAt: number | null): Promise<void> {
    if (jobs.length === 0) return;
    const { db, now } = this.#parts;
    await db.query(MARK, [jobs.map(({ id }) => id), jobs.map(({ ticket_due_at }) => ticket_due_at), nextDueAt, nextDueAt === null ? now() : null]);
  }

  #start(work: Promise<void>): void {
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }

  /** What this node knows to be due earlier than the next look. */
  #wakeAt(dueAt: number): void {
    const waitMs = dueAt - this.#parts.now();
    if (this.#closed || waitMs <= 0 || waitMs > 1000) return;
    if (this.#dueTimer) clearTimeout(this.#dueTimer);
    this.#dueAt = dueAt;
    this.#dueTimer = setTimeout(() => {
      this.#dueAt = Number.POSITIVE_INFINITY;
      this.#start(this.relay().catch(() => undefined));
    }, waitMs + 1);
  }
}

function expiresIn({ ageFrom, maxAgeMs }: Ticketable, now: number): number | null {
  return maxAgeMs === null ? null : Math.min(MAX_EXPIRY_MS, Math.max(0, Math.ceil(ageFrom + maxAgeMs - now)) + EXPIRY_MARGIN_MS);
}
