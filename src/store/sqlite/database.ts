import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { checkSchema, MIGRATIONS, type Migration, migrate } from './migrations.ts';
import { snapshotDatabase } from './snapshot.ts';
import { inTransaction } from './transaction.ts';

const BUSY_TIMEOUT_MS = 5_000;
/** What a checkpointed write-ahead log may keep on disk. */
const JOURNAL_LIMIT_BYTES = 64 * 1024 * 1024;

/** `full`: on the disk before it is acknowledged, even through a power cut. `normal`: a power cut may take the last few transactions, never the consistency. */
export type Durability = 'full' | 'normal';

/** One open connection with its statements, compiled once. Everything here but `snapshot` blocks: it lives in the store's worker only. */
export interface Database {
  statement(sql: string): StatementSync;
  transaction<T>(durability: Durability, work: () => T): T;
  /** See snapshotDatabase. */
  snapshot(file: string): Promise<void>;
  close(): void;
}

/**
 * Opens or makes the file (and its folder) with mode 0600 (0700) and brings its schema up to date.
 * @throws HearthError store_unavailable for a schema that isn't ours to touch; errors of the file system and of SQLite as they are
 */
export function openDatabase(file: string, migrations: readonly Migration[] = MIGRATIONS): Database {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // SQLite gives its -wal and -shm files the mode of the database.
  closeSync(openSync(file, 'a', 0o600));
  const db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
  try {
    checkSchema(db, migrations, file);
    chmodSync(file, 0o600);
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = ${JOURNAL_LIMIT_BYTES}`);
    migrate(db, migrations, file, Date.now());
  } catch (error) {
    db.close();
    throw error;
  }
  const statements = new Map<string, StatementSync>();
  let current: Durability = 'full';
  return {
    statement(sql) {
      let statement = statements.get(sql);
      if (statement === undefined) {
        statement = db.prepare(sql);
        statements.set(sql, statement);
      }
      return statement;
    },
    transaction(durability, work) {
      if (durability !== current) {
        db.exec(`PRAGMA synchronous = ${durability}`);
        current = durability;
      }
      return inTransaction(db, work);
    },
    snapshot: (copy) => snapshotDatabase(db, copy),
    close() {
      statements.clear();
      db.close();
    },
  };
}
