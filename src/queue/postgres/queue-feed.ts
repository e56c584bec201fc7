import type { PostgresDatabase, PostgresSession } from '../../postgres/postgres.ts';
import type { LaneKey, Lease } from '../durable-queue.ts';
import { laneName } from '../lane.ts';

/** What one node tells the others. Members: the node; invocations that have changed; leases that are void; lanes with work and when it is due. */
interface Message {
  n: string;
  c?: string[];
  v?: [id: string, attempt: number][];
  w?: [functionName: string, versionNumber: number, dueAt: number][];
}

export interface FeedListener {
  changed(ids: readonly string[]): void;
  voided(leases: readonly Lease[]): void;
  work(lane: LaneKey, dueAt: number): void;
}

const CHANNEL = 'hearth_queue';
/** What comes within this time is told at once. */
const GATHER_MS = 20;
/** Of each kind in one message, so that it has less than the 8000 bytes that PostgreSQL allows. */
const MAX_IDS = 100;
const MAX_LANES = 20;
/** What isn't told is forgotten: the others look for themselves. */
const MAX_WAITING = 20_000;
/** Nothing of it has to be on the disk: nobody waits for a flush. */
const NOTIFY = `SELECT set_config('synchronous_commit', 'off', true), pg_notify('${CHANNEL}', p) FROM unnest($1::text[]) AS p`;

/** Tells other nodes, and hears from them, by LISTEN and NOTIFY. A message may be lost; whoever listens also looks now and then. */
export class QueueFeed {
  readonly #db: PostgresDatabase;
  readonly #node: string;
  readonly #listener: FeedListener;
  #session: PostgresSession | null = null;
  #changed = new Set<string>();
  #voided: Lease[] = [];
  #work = new Map<string, [LaneKey, number]>();
  #timer: NodeJS.Timeout | null = null;
  #sending: Promise<void> | null = null;
  #closed = false;

  constructor(db: PostgresDatabase, node: string, listener: FeedListener) {
    this.#db = db;
    this.#node = node;
    this.#listener = listener;
  }

  /** False while nothing is heard. */
  get hears(): boolean {
    return this.#session !== null;
  }

  /** Connects, unless it is connected. @throws HearthError store_unavailable */
  async connect(): Promise<void> {
    if (this.#session || this.#closed) return;
    const session = await this.#db.connect(() => {
      if (this.#session === session) this.#session = null;
    });
    await session.listen(CHANNEL, (payload) => this.#hear(payload));
    this.#session = session;
    if (this.#closed) await session.close();
  }

  changed(id: string): void {
    this.#changed.add(id);
    this.#soon();
  }

  voided(lease: Lease): void {
    this.#voided.push(lease);
    this.changed(lease.id);
  }

  work(lane: LaneKey, dueAt: number): void {
    const name = laneName(lane);
    this.#work.set(name, [lane, Math.min(dueAt, this.#work.get(name)?.[1] ?? dueAt)]);
    this.#soon();
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#sending;
    await this.#send();
    await this.#session?.close();
  }

  #soon(): void {
    if (this.#closed || this.#timer || this.#sending) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#sending = this.#send().finally(() => {
        this.#sending = null;
        if (this.#changed.size + this.#voided.length + this.#work.size > 0) this.#soon();
      });
    }, GATHER_MS);
  }

  async #send(): Promise<void> {
    const [changed, voided, work] = [[...this.#changed], this.#voided, [...this.#work.values()]];
    this.#changed = new Set();
    this.#voided = [];
    this.#work = new Map();
    if (changed.length + voided.length + work.length === 0 || changed.length > MAX_WAITING) return;
    const messages: Message[] = [
      ...chunks(voided, MAX_IDS).map((some): Message => ({ n: this.#node, v: some.map(({ id, attempt }) => [id, attempt]) })),
      ...chunks(changed, MAX_IDS).map((some): Message => ({ n: this.#node, c: some })),
      ...chunks(work, MAX_LANES).map(
        (some): Message => ({ n: this.#node, w: some.map(([lane, at]) => [lane.functionName, lane.versionNumber, at]) }),
      ),
    ];
    try {
      await this.#db.query(NOTIFY, [messages.map((message) => JSON.stringify(message))]);
    } catch {
      // The database is away, which others log; whoever waits looks for itself.
    }
  }

  #hear(payload: string): void {
    const { n, c, v, w } = JSON.parse(payload) as Message;
    if (n === this.#node) return;
    if (v) this.#listener.voided(v.map(([id, attempt]) => ({ id, attempt })));
    if (c) this.#listener.changed(c);
    for (const [functionName, versionNumber, dueAt] of w ?? []) this.#listener.work({ functionName, versionNumber }, dueAt);
  }
}

function chunks<T>(all: readonly T[], size: number): T[][] {
  const found: T[][] = [];
  for (let at = 0; at < all.length; at += size) found.push(all.slice(at, at + size));
  return found;
}
