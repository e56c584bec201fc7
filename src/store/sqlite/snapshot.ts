import { closeSync, openSync } from 'node:fs';
import { backup, type DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';

/** Pages of 4 KiB that are copied in one go, while the connection's other work waits: about a millisecond. */
const PAGES_AT_A_TIME = 256;
/** SQLITE_BUSY and SQLITE_LOCKED: a transaction is open right now. Node.js reports the first attempt's as "not an error", 0. */
const BUSY = new Set([0, 5, 6]);
const RETRY_MS = 5;
const MAX_TRIES = 2000;

/**
 * Copies a database that is in use into a new file of mode 0600. The copy is the database as it is when the last page is copied: what the same connection
 * commits meanwhile is in it (sqlite.org/backup.html). Work of the connection goes on between the pages.
 * @throws errors of SQLite and of the file system, as they are
 */
export async function snapshotDatabase(db: DatabaseSync, file: string): Promise<void> {
  closeSync(openSync(file, 'wx', 0o600));
  for (let tries = 1; ; tries += 1) {
    try {
      await backup(db, file, { rate: PAGES_AT_A_TIME });
      return;
    } catch (error) {
      const { errcode } = error as { errcode?: number };
      if (errcode === undefined || !BUSY.has(errcode) || tries === MAX_TRIES) throw error;
      await sleep(RETRY_MS);
    }
  }
}
