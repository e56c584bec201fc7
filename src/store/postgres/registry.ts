import type { PostgresDatabase, Queryable } from '../../postgres/postgres.ts';
import type { StoreChange } from '../change-feed.ts';

/** PostgreSQL's channel for: something stands in `changes`. */
export const CHANNEL = 'hearth_changes';

/** What all nodes share and each has in memory. Its writes happen one after another, whichever node they come from. */
export interface Registry {
  /** A transaction that waits for those of others, and tells other nodes what it has changed as soon as it is committed. */
  change<T>(work: (tx: Queryable, changed: (kind: StoreChange['kind'], name: string) => void) => Promise<T>): Promise<T>;
  /** Reads as of one instant. */
  read<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
}

export function createRegistry(db: PostgresDatabase, node: string): Registry {
  return {
    change: (work) =>
      db.transaction(async (tx) => {
        // Held until the end: so nobody commits a smaller number after a larger one, and there is nothing that two of these could deadlock on.
        await tx.query('SELECT seq FROM change_counter WHERE id = 1 FOR UPDATE', []);
        const changes = new Map<string, StoreChange>();
        const result = await work(tx, (kind, name) => changes.set(`${kind} ${name}`, { kind, name }));
        if (changes.size > 0) await note(tx, node, [...changes.values()]);
        return result;
      }),
    read: (work) =>
      db.transaction(async (tx) => {
        await tx.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
        return work(tx);
      }),
  };
}

async function note(tx: Queryable, node: string, changes: readonly StoreChange[]): Promise<void> {
  await tx.query(
    'WITH counter AS (UPDATE change_counter SET seq = seq + 1 WHERE id = 1 RETURNING seq), ' +
      'noted AS (INSERT INTO changes (kind, name, node, seq) SELECT changed.kind, changed.name, $3, counter.seq ' +
      'FROM counter, unnest($1::text[], $2::text[]) AS changed (kind, name) ' +
      'ON CONFLICT (kind, name, node) DO UPDATE SET seq = excluded.seq, changed_at = excluded.changed_at) ' +
      `SELECT pg_notify('${CHANNEL}', '')`,
    [changes.map(({ kind }) => kind), changes.map(({ name }) => name), node],
  );
}
