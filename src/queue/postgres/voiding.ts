import type { DurableQueue, LaneKey, Lease } from '../durable-queue.ts';
import { laneName } from '../lane.ts';
import { BURY_OF_TICKET, BURY_TOO_OLD, type ChangedRow, VOID_EXPIRED, VOID_OF_LEASES, VOID_OF_NODE, VOID_OF_TICKETS } from './change-jobs.ts';
import type { HeldTickets } from './held-tickets.ts';
import type { QueueFeed } from './queue-feed.ts';
import type { Session } from './session.ts';

/** So many are changed by one statement; see change-jobs.ts. */
const PAGE = 500;

/** Ends leases that nobody settles, and what can't be run any more; tells this node and the others. */
export class Voiding {
  readonly #session: Session;
  readonly #held: HeldTickets;
  readonly #feed: QueueFeed;
  /** Leases that nobody may settle, though the database doesn't know yet; by id, their attempts. */
  readonly #fenced = new Map<string, number>();
  listener: Parameters<DurableQueue['onVoided']>[0] = () => undefined;

  constructor(session: Session, held: HeldTickets, feed: QueueFeed) {
    this.#session = session;
    this.#held = held;
    this.#feed = feed;
  }

  isFenced({ id, attempt }: Lease): boolean {
    return this.#fenced.get(id) === attempt;
  }

  /** Whoever had it has learned that it is void. */
  forget(lease: Lease): void {
    if (this.isFenced(lease)) this.#fenced.delete(lease.id);
  }

  /** Leases that ran out. @throws HearthError store_unavailable */
  expired(): Promise<void> {
    return this.#all(VOID_EXPIRED, 'its lease ran out');
  }

  /** What a former process of this node ran. @returns how many; nobody is told @throws HearthError store_unavailable */
  async ofFormerProcess(): Promise<number> {
    let total = 0;
    for (;;) {
      const rows = await this.#run(VOID_OF_NODE, 'the platform ended while it ran', this.#session.node);
      total += rows.length;
      for (const row of rows) this.#feed.work(laneOf(row), this.#session.now());
      if (rows.length < PAGE) return total;
    }
  }

  /** Somebody else has these tickets, or may have. @throws HearthError store_unavailable */
  async ofTickets(ids: readonly string[], why: string): Promise<void> {
    if (ids.length > 0) await this.#all(VOID_OF_TICKETS, why, ids);
  }

  /** The broker has taken back tickets that this node held: it ends what runs under them, whatever the database can be told at present. */
  async ofLostTickets(ids: readonly string[]): Promise<void> {
    const leases = this.#held.lost(ids);
    for (const { id, attempt } of leases) this.#fenced.set(id, attempt);
    if (leases.length === 0) return;
    try {
      const why = 'the connection to the broker was lost';
      // Not by their tickets, which somebody else may run something under by now.
      await this.#all(
        VOID_OF_LEASES,
        why,
        leases.map(({ id }) => id),
        leases.map(({ attempt }) => attempt),
      );
    } catch {
      // Whoever gets the ticket next does it.
    }
    this.listener(leases, []);
  }

  /** Leases that other nodes have ended. */
  elsewhere(leases: readonly Lease[]): void {
    for (const lease of leases) this.#held.done(lease);
    this.listener(leases, []);
  }

  /** What the lane has that has grown too old. @throws HearthError store_unavailable */
  async buryTooOld({ functionName, versionNumber }: LaneKey): Promise<void> {
    for (;;) {
      const rows = await this.#run(BURY_TOO_OLD, null, functionName, versionNumber);
      if (rows.length < PAGE) return;
    }
  }

  /** What that ticket was used for last, unless it is over or queued for another one. @throws HearthError store_unavailable */
  async buryOfTicket(id: string): Promise<void> {
    this.#tell(await this.#run(BURY_OF_TICKET, 'its ticket came back too often', id));
  }

  async #all(sql: string, why: string, ...values: readonly unknown[]): Promise<void> {
    for (;;) {
      const rows = await this.#run(sql, why, ...values);
      this.#tell(rows);
      if (rows.length < PAGE) return;
    }
  }

  async #run(sql: string, why: string | null, ...values: readonly unknown[]): Promise<ChangedRow[]> {
    const { db, now } = this.#session;
    const { rows } = await db.query<ChangedRow>(sql, [now(), why, ...values]);
    for (const { id } of rows) this.#feed.changed(id);
    return rows;
  }

  #tell(rows: readonly ChangedRow[]): void {
    if (rows.length === 0) return;
    const leases = rows.filter(({ old_state }) => old_state === 'running').map(({ id, attempt }) => ({ id, attempt }));
    const lanes = [...new Map(rows.filter(({ state }) => state === 'queued').map((row) => [laneName(laneOf(row)), laneOf(row)])).values()];
    for (const lease of leases) {
      this.#held.done(lease);
      this.#feed.voided(lease);
    }
    for (const lane of lanes) this.#feed.work(lane, this.#session.now());
    this.listener(leases, lanes);
  }
}

function laneOf(row: ChangedRow): LaneKey {
  return { functionName: row.function_name, versionNumber: row.version_number };
}
