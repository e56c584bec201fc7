import { HearthError } from '../../errors.ts';
import { migratePostgres } from '../../postgres/migrate-postgres.ts';
import type { PostgresDatabase } from '../../postgres/postgres.ts';
import type { Store } from '../store.ts';
import { accessOperations } from './access-operations.ts';
import { functionOperations } from './function-operations.ts';
import { MIGRATIONS } from './migrations.ts';
import { recordOperations } from './record-operations.ts';
import { createRegistry } from './registry.ts';
import { registryOperations } from './registry-operations.ts';
import { scheduleOperations } from './schedule-operations.ts';
import { seriesOperations } from './series-operations.ts';

export interface PostgresStoreOptions {
  /** Stays its owner's: it is closed after the store. */
  db: PostgresDatabase;
  /** This one. */
  node: { id: string };
}

/**
 * The store in a PostgreSQL that many nodes share.
 * @throws HearthError store_unavailable when it can't be reached, or its tables are not ours to touch
 */
export async function openPostgresStore({ db, node }: PostgresStoreOptions): Promise<Store> {
  await migratePostgres(db, 'store', MIGRATIONS);
  const registry = createRegistry(db, node.id);
  const underWay = new Set<Promise<unknown>>();
  let closed = false;

  /** What was asked before the store is closed is done; what is asked after is refused. */
  function whileOpen<O extends object>(operations: O): O {
    const guarded = Object.entries(operations as Record<string, (...args: unknown[]) => Promise<unknown>>).map(([name, operation]) => [
      name,
      (...args: unknown[]) => {
        if (closed) return Promise.reject(new HearthError('store_unavailable', `The store in ${db.shown} is closed; the platform is shutting down.`));
        const result = operation(...args);
        const ended: Promise<unknown> = result.then(
          () => underWay.delete(ended),
          () => underWay.delete(ended),
        );
        underWay.add(ended);
        return result;
      },
    ]);
    return Object.fromEntries(guarded) as O;
  }

  return {
    ...whileOpen({
      ...functionOperations(db, registry),
      ...registryOperations(db, registry),
      ...scheduleOperations(db, registry),
      ...recordOperations(db, node.id),
      ...accessOperations(db),
      ...seriesOperations(db, node.id),
    }),
    snapshot: () =>
      Promise.reject(
        new HearthError(
          'backup_not_here',
          `The state is in PostgreSQL at ${db.shown}, whose backups are its own: make one with pg_dump, or with what your PostgreSQL has for it. Keep the key of the secrets beside it.`,
        ),
      ),
    async close() {
      closed = true;
      await Promise.all(underWay);
    },
  };
}
