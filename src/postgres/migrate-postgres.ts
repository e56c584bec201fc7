import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { HearthError } from '../errors.ts';
import type { PostgresDatabase, Queryable } from './postgres.ts';

/** One step of a component's tables. Once released it is never edited again: its checksum is written into every database that it made. */
export interface PostgresMigration {
  /** Position in the list, from 1, without gaps. */
  number: number;
  name: string;
  /** Statements, with `;` between them. */
  sql: string;
}

const LOCK_POLL_MS = 100;
const LOCK_WAIT_MS = 60_000;

const BOOK = `
  CREATE SCHEMA IF NOT EXISTS hearth;
  CREATE TABLE IF NOT EXISTS hearth.schema_migrations (
    component TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (component, number)
  );
`;

/**
 * Brings the tables of a component up to date, all steps in one transaction. Nodes that start at once wait for one another.
 * @throws HearthError store_unavailable when a newer platform made them, or an applied step is not the one we know; nothing is changed then
 */
export async function migratePostgres(db: PostgresDatabase, component: string, migrations: readonly PostgresMigration[]): Promise<void> {
  const deadline = Date.now() + LOCK_WAIT_MS;
  for (;;) {
    const done = await db.transaction(async (tx) => {
      // Asked for again and again, and not waited for, since statements have a bound that is not for waiting.
      const { rows } = await tx.query<{ taken: boolean }>("SELECT pg_try_advisory_xact_lock(hashtextextended('hearth migrations', 0)) AS taken", []);
      if (rows[0]?.taken !== true) return false;
      await migrate(tx, db.shown, component, migrations);
      return true;
    });
    if (done) return;
    if (Date.now() > deadline) {
      throw new HearthError(
        'store_unavailable',
        `Another node has been changing the tables in ${db.shown} for a minute; see its log, and start this one again.`,
      );
    }
    await sleep(LOCK_POLL_MS);
  }
}

async function migrate(tx: Queryable, shown: string, component: string, migrations: readonly PostgresMigration[]): Promise<void> {
  const { rows: books } = await tx.query<{ there: boolean }>("SELECT to_regclass('hearth.schema_migrations') IS NOT NULL AS there", []);
  if (books[0]?.there !== true) await tx.query(BOOK);
  const { rows: applied } = await tx.query<{ number: number; name: string; checksum: string }>(
    'SELECT number, name, checksum FROM hearth.schema_migrations WHERE component = $1 ORDER BY number',
    [component],
  );
  for (const { number, name, checksum } of applied) check(shown, component, migrations, number, name, checksum);
  for (const migration of migrations.slice(applied.length)) {
    await tx.query(migration.sql);
    await tx.query('INSERT INTO hearth.schema_migrations (component, number, name, checksum) VALUES ($1, $2, $3, $4)', [
      component,
      migration.number,
      migration.name,
      checksumOf(migration),
    ]);
  }
}

function check(shown: string, component: string, migrations: readonly PostgresMigration[], number: number, name: string, checksum: string): void {
  const known = migrations.find((migration) => migration.number === number);
  if (known === undefined) {
    throw new HearthError(
      'store_unavailable',
      `${shown} was written by a newer version of Hearth: its ${component} has schema step ${number} ("${name}"), and this version knows ` +
        `${migrations.length}. Nothing was changed. Run the newer version, or give this one another database.`,
    );
  }
  if (checksumOf(known) !== checksum) {
    throw new HearthError(
      'store_unavailable',
      `Schema step ${number} ("${name}") of the ${component} in ${shown} is not the one that this version of Hearth has under that number. Nothing was changed. ` +
        'Run the version that made it, or give this one another database.',
    );
  }
}

function checksumOf({ sql }: PostgresMigration): string {
  return createHash('sha256').update(sql).digest('hex');
}
