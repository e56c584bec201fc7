import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HearthError } from '../errors.ts';

/**
 * Keeps a second platform out of a data folder: two would close each other's records and sweep each other's builds. The lock is SQLite's own, on a file of
 * its own (the database stays readable to others), so the kernel drops it with the process, however that ends.
 * @returns what releases it
 * @throws HearthError invalid_config when it is taken, or the folder can't be written
 */
export function lockFolder(folder: string): () => void {
  const file = join(folder, 'hearth.lock');
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file, { timeout: 0 });
    db.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    db?.close();
    const taken = (cause as { errcode?: number }).errcode === 5;
    throw new HearthError(
      'invalid_config',
      taken
        ? `The data folder ${folder} is in use by another platform. Stop that one, or name another folder by HEARTH_DATA_DIR.`
        : `The data folder ${folder} can't be locked: ${(cause as Error).message}. It must be writable; HEARTH_DATA_DIR names another one.`,
      { cause },
    );
  }
  const lock = db;
  return () => lock.close();
}
