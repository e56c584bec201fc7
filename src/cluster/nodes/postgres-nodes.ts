import { migratePostgres } from '../../postgres/migrate-postgres.ts';
import type { PostgresDatabase } from '../../postgres/postgres.ts';
import type { NodeAddresses, NodeBook, NodeLabel, NodeMeasure, NodeRecord, NodeState } from './node-book.ts';
import { NODE_MIGRATIONS } from './node-migrations.ts';
import { OwnNode } from './own-node.ts';

export interface PostgresNodesOptions {
  db: PostgresDatabase;
  label: NodeLabel;
  /** What this node can do and is at; called each second. */
  measure: () => NodeMeasure;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
  /** For tests. */
  times?: Partial<NodeTimes>;
}

/** All in milliseconds. */
export interface NodeTimes {
  /** Between two signs of life. */
  beatMs: number;
  /** Not seen for so long, a node is gone. */
  goneMs: number;
  /** Not seen for so long, its row goes. */
  forgetMs: number;
}

const TIMES: NodeTimes = { beatMs: 1000, goneMs: 5000, forgetMs: 60_000 };

interface NodeRow {
  id: string;
  name: string;
  version: string;
  state: NodeState;
  gateway_url: string;
  api_url: string;
  capacity: NodeMeasure;
  started_at: number;
  seen_at: number;
}

const PUT =
  'INSERT INTO nodes (id, name, version, state, gateway_url, api_url, capacity, started_at, seen_at) ' +
  'VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, coalesce(to_timestamp($8::double precision / 1000), now()), now()) ' +
  'ON CONFLICT (id) DO UPDATE SET name = excluded.name, version = excluded.version, state = excluded.state, gateway_url = excluded.gateway_url, ' +
  'api_url = excluded.api_url, capacity = excluded.capacity, started_at = excluded.started_at, seen_at = excluded.seen_at ' +
  'RETURNING (extract(epoch FROM started_at) * 1000)::double precision AS started_at';
const LIST =
  'SELECT id, name, version, state, gateway_url, api_url, capacity, (extract(epoch FROM started_at) * 1000)::double precision AS started_at, ' +
  '(extract(epoch FROM seen_at) * 1000)::double precision AS seen_at ' +
  "FROM nodes WHERE seen_at > now() - $1::double precision * interval '1 ms' AND id <> $2";
const FORGET = "DELETE FROM nodes WHERE seen_at < now() - $1::double precision * interval '1 ms' AND id <> $2 RETURNING id";

/**
 * Nodes as rows of a table, each renewed by its own process; who hasn't renewed its own is gone. All instants are the database's, so that no two machines' clocks
 * are compared. There is no other word among nodes about who is there.
 */
class PostgresNodes implements NodeBook {
  readonly #options: PostgresNodesOptions;
  readonly #times: NodeTimes;
  readonly #own: OwnNode;
  readonly #changed: ((up: number) => void)[] = [];
  readonly #gone: ((ids: readonly string[]) => void)[] = [];
  #others = new Map<string, NodeRecord>();
  #up = 1;
  #asOf = Date.now();
  /** performance.now() of the last time that the list was read. */
  #readAt = performance.now();
  /** Until then nobody is struck off the list: after an outage of the database all come back, not all at once. */
  #sparedUntil = 0;
  #isKnown = false;
  #isAway = false;
  #beating: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(options: PostgresNodesOptions) {
    this.#options = options;
    this.#times = { ...TIMES, ...options.times };
    this.#own = new OwnNode(options.label, options.measure);
  }

  get self(): NodeRecord {
    return this.#own.record();
  }

  get asOf(): number {
    return this.#asOf;
  }

  get up(): number {
    return this.#up;
  }

  async start(): Promise<void> {
    await this.#beat();
    this.#schedule();
  }

  announce(addresses: NodeAddresses): void {
    this.#own.announce(addresses);
    this.#count();
    void this.#beatNow();
  }

  list(): readonly NodeRecord[] {
    return [this.#own.record(), ...this.#others.values()].sort((a, b) => compare(a.name, b.name) || compare(a.id, b.id));
  }

  onChanged(listener: (up: number) => void): void {
    this.#changed.push(listener);
  }

  onGone(listener: (ids: readonly string[]) => void): void {
    this.#gone.push(listener);
  }

  async drain(): Promise<void> {
    this.#own.drain();
    this.#count();
    await this.#beatNow();
  }

  async close(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    await this.#beating;
    const { db, log, label } = this.#options;
    try {
      await db.query('DELETE FROM nodes WHERE id = $1', [label.id]);
    } catch (error) {
      log.warn({ err: error }, 'this node could not be struck off the list of nodes; the others see that it is gone within seconds');
    }
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.#beatNow().then(() => this.#schedule()), this.#times.beatMs);
  }

  /** After the one that is under way. Never rejects. */
  #beatNow(): Promise<void> {
    const beating = this.#beating.then(async () => {
      if (this.#stopped) return;
      try {
        await this.#beat();
        if (this.#isAway) this.#options.log.info({ nodes: this.#others.size + 1 }, 'the list of nodes is there again');
        this.#isAway = false;
      } catch (error) {
        if (!this.#isAway) this.#options.log.warn({ err: error }, 'the list of nodes can not be read; what was last known of them serves');
        this.#isAway = true;
      }
    });
    this.#beating = beating;
    return beating;
  }

  /** @throws HearthError store_unavailable */
  async #beat(): Promise<void> {
    const { db, label } = this.#options;
    const { goneMs, forgetMs } = this.#times;
    const { name, version, state, gatewayUrl, apiUrl, startedAt, measure } = this.#own.record();
    const values = [label.id, name, version, state, gatewayUrl, apiUrl, JSON.stringify(measure), this.#isKnown ? startedAt : null];
    const { rows: own } = await db.query<{ started_at: number }>(PUT, values);
    this.#own.startedAt = own[0]?.started_at ?? startedAt;
    this.#isKnown = true;
    const { rows } = await db.query<NodeRow>(LIST, [goneMs, label.id]);
    this.#heard(rows.map(nodeFromRow));
    const { rows: forgotten } = await db.query<{ id: string }>(FORGET, [forgetMs, label.id]);
    if (forgotten.length > 0) for (const listener of this.#gone) listener(forgotten.map(({ id }) => id));
  }

  #heard(others: readonly NodeRecord[]): void {
    const now = performance.now();
    const { goneMs } = this.#times;
    if (now - this.#readAt > goneMs) this.#sparedUntil = now + goneMs;
    this.#readAt = now;
    this.#asOf = Date.now();
    const heard = new Map(others.map((node) => [node.id, node]));
    if (now < this.#sparedUntil) for (const [id, node] of this.#others) if (!heard.has(id)) heard.set(id, node);
    this.#others = heard;
    this.#count();
  }

  #count(): void {
    let up = this.#own.state === 'up' ? 1 : 0;
    for (const { state } of this.#others.values()) if (state === 'up') up++;
    up = Math.max(1, up);
    if (up === this.#up) return;
    this.#up = up;
    for (const listener of this.#changed) listener(up);
  }
}

/** The table of nodes of this database. Others see this node once it is started. @throws HearthError store_unavailable */
export async function openPostgresNodes(options: PostgresNodesOptions): Promise<NodeBook> {
  await migratePostgres(options.db, 'nodes', NODE_MIGRATIONS);
  return new PostgresNodes(options);
}

function nodeFromRow(row: NodeRow): NodeRecord {
  return {
    id: row.id,
    name: row.name,
    version: row.version,
    state: row.state,
    startedAt: row.started_at,
    seenAt: row.seen_at,
    gatewayUrl: row.gateway_url,
    apiUrl: row.api_url,
    measure: row.capacity,
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
