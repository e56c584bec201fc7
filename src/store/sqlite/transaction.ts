import type { DatabaseSync } from 'node:sqlite';

/** Runs `work` in one transaction that holds the write lock from its start, so that it never fails half-way for want of it. Rolls back on anything thrown. */
export function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    // SQLite rolls back by itself on some errors (full disk among them); a second ROLLBACK would hide the first error.
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
