import { openPostgres } from '../../../src/postgres/open-postgres.ts';
import type { PostgresDatabase } from '../../../src/postgres/postgres.ts';
import type { DurableQueue } from '../../../src/queue/durable-queue.ts';
import { openPostgresQueue } from '../../../src/queue/postgres/open-postgres-queue.ts';
import type { Tickets } from '../../../src/queue/tickets/tickets.ts';
import type { QueuePlace } from '../../unit/queue/queue-conformance.ts';
import type { TestQueue } from '../../unit/queue/test-queue.ts';

const TABLES = ['jobs', 'inputs', 'attempts', 'results', 'keys', 'deliveries'].map((name) => `hearth.queue_${name}`).join(', ');

export interface NodeOptions {
  node?: string;
  tickets?: Tickets | null;
  /** In place of the one of its own. */
  db?: PostgresDatabase;
  graceMs?: number;
}

/** The queue's tables of one database, and nodes over them with their own connections. */
export class PostgresPlace implements QueuePlace {
  readonly #url: string;
  readonly #open: { queue: DurableQueue; db: PostgresDatabase }[] = [];

  private constructor(url: string) {
    this.#url = url;
  }

  static async make(url: string): Promise<PostgresPlace> {
    const db = openPostgres({ url, maxConnections: 1, log: SILENT });
    const { rows } = await db.query<{ there: boolean }>("SELECT to_regclass('hearth.queue_jobs') IS NOT NULL AS there", []);
    if (rows[0]?.there) await db.query(`TRUNCATE ${TABLES}`);
    await db.close();
    return new PostgresPlace(url);
  }

  async open({
    node = 'node-a',
    tickets = null,
    db = this.connect(),
    graceMs = 0,
  }: NodeOptions = {}): Promise<Pick<TestQueue, 'queue' | 'warnings' | 'pass'>> {
    let passed = 0;
    const warnings: string[] = [];
    const queue = await openPostgresQueue({
      db,
      node,
      tickets,
      log: { warn: (_, text) => warnings.push(text), error: (_, text) => warnings.push(text) },
      tick: () => performance.now() + passed,
      timing: { lookMs: 100, maxLeaseMs: Number.POSITIVE_INFINITY, graceMs },
    });
    this.#open.push({ queue, db });
    return {
      queue,
      warnings,
      pass(ms) {
        passed += ms;
      },
    };
  }

  connect(): PostgresDatabase {
    return openPostgres({ url: this.#url, maxConnections: 4, log: SILENT });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { queue, db } of this.#open) {
      await queue.close();
      await db.close();
    }
  }
}

const SILENT = { info: () => undefined, warn: () => undefined };
