import type { PostgresDatabase, Queryable } from '../../postgres/postgres.ts';
import type { StoreChange } from '../change-feed.ts';
import { noteChanges } from './changes.ts';

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
        if (changes.size > 0) await noteChanges(tx, node, [...changes.values()]);
        return result;
      }),
    read: (work) =>
      db.transaction(async (tx) => {
        await tx.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
        return work(tx);
      }),
  };
}
