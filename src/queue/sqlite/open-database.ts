import { chmodSync, closeSync, copyFileSync, existsSync, linkSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { HearthError } from '../../errors.ts';
import { checkSchema, migrate } from '../../store/sqlite/migrations.ts';
import { snapshotDatabase } from '../../store/sqlite/snapshot.ts';
import { inTransaction } from '../../store/sqlite/transaction.ts';
import { CommitMark, readMark } from './commit-mark.ts';
import { QUEUE_MIGRATIONS } from './queue-schema.ts';

/** A database up to this size is read whole at a start, to find damage before work is accepted. Bytes. */
const CHECKED_BYTES = 64 * 1024 * 1024;
const CACHE_KIB = 32 * 1024;
/** Pages of 4 KiB in the write-ahead log before they are moved to the database. */
const CHECKPOINT_PAGES = 4000;
const JOURNAL_LIMIT_BYTES = 64 * 1024 * 1024;

export interface QueueDatabase {
  /** Compiled once. */
  statement(sql: string): StatementSync;
  /** `acknowledged`: on the disk when this returns, and counted; else a power cut may take it. */
  transaction<T>(acknowledged: boolean, now: number, work: () => T): T;
  /** When the last acknowledged commit was made; 0 for none. */
  committedAt: number;
  /** See snapshotDatabase. */
  snapshot(file: string): Promise<void>;
  close(): void;
}

/**
 * Opens or makes the file and its folder. Held exclusively: no shared memory file is needed then, which could not grow on a full disk.
 * @throws HearthError store_unavailable when commits that were acknowledged are missing, or pages are damaged; errors of SQLite and the file system as they are
 */
export function openQueueDatabase(file: string): QueueDatabase {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  closeSync(openSync(file, 'a', 0o600));
  const markFile = `${file}.mark`;
  const marked = readMark(markFile);
  const keptLog = keepLog(file);
  const db = new DatabaseSync(file, { timeout: 0 });
  let commits: number;
  let committedAt: number;
  try {
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    checkSchema(db, QUEUE_MIGRATIONS, file);
    chmodSync(file, 0o600);
    db.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = ${JOURNAL_LIMIT_BYTES}; PRAGMA cache_size = -${CACHE_KIB}; ` +
        `PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`,
    );
    migrate(db, QUEUE_MIGRATIONS, file, Date.now());
    const progress = db.prepare('SELECT commits, committed_at FROM progress').get();
    commits = Number(progress?.commits ?? 0);
    committedAt = Number(progress?.committed_at ?? 0);
    if (commits < marked) throw missing(file, markFile, marked - commits, keptLog);
    checkPages(db, file);
  } catch (error) {
    db.close();
    throw error;
  }
  if (keptLog) rmSync(keptLog, { force: true });
  const mark = new CommitMark(markFile);
  const statements = new Map<string, StatementSync>();
  let full = true;

  function statement(sql: string): StatementSync {
    let found = statements.get(sql);
    if (found === undefined) {
      found = db.prepare(sql);
      statements.set(sql, found);
    }
    return found;
  }

  return {
    statement,
    committedAt,
    transaction(acknowledged, now, work) {
      if (acknowledged !== full) {
        db.exec(`PRAGMA synchronous = ${acknowledged ? 'FULL' : 'NORMAL'}`);
        full = acknowledged;
      }
      const result = inTransaction(db, () => {
        const value = work();
        if (acknowledged) statement('UPDATE progress SET commits = ?, committed_at = ?').run(commits + 1, now);
        return value;
      });
      if (acknowledged) {
        commits += 1;
        mark.write(commits);
      }
      return result;
    },
    snapshot: (copy) => snapshotDatabase(db, copy),
    close() {
      statements.clear();
      db.close();
      mark.close();
    },
  };
}

/** SQLite deletes the log when it closes a database, the part that it could not read too; this name keeps it for whoever is to mend it. */
function keepLog(file: string): string | null {
  const log = `${file}-wal`;
  if (!existsSync(log)) return null;
  const kept = `${log}.kept`;
  rmSync(kept, { force: true });
  try {
    linkSync(log, kept);
  } catch {
    copyFileSync(log, kept);
  }
  return kept;
}

function missing(file: string, markFile: string, count: number, keptLog: string | null): HearthError {
  return new HearthError(
    'store_unavailable',
    `${file} lacks the last ${count} commit(s) that were acknowledged: the database or its write-ahead log was truncated, damaged, removed or restored from an ` +
      `older copy. Nothing was started. ${keptLog ? `The log as it was found is kept as ${keptLog}. ` : ''}Restore the database and its -wal file from a ` +
      `backup; or, to go on with what is left and lose the rest, delete ${markFile}.`,
  );
}

function checkPages(db: DatabaseSync, file: string): void {
  if (statSync(file).size > CHECKED_BYTES) return;
  const [first] = db.prepare('PRAGMA quick_check(1)').all();
  const finding = String(first?.quick_check ?? 'ok');
  if (finding === 'ok') return;
  throw new HearthError(
    'store_unavailable',
    `${file} is damaged (${finding}). Nothing was started. Restore it from a backup, or move it away together with its -wal and .mark files to start with an empty queue.`,
  );
}
