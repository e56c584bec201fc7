import { createReadStream } from 'node:fs';
import { chown, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HearthError } from '../errors.ts';
import { QUEUE_MIGRATIONS } from '../queue/sqlite/queue-schema.ts';
import { lockFolder } from '../store/lock-folder.ts';
import { checkSchema, MIGRATIONS, type Migration } from '../store/sqlite/migrations.ts';
import { BUNDLE_FOLDER, KEY_FILE, type Manifest, QUEUE_FILE, STORE_FILE, unpackBackup } from './backup-file.ts';

export interface RestoreTarget {
  /** The data folder of the platform that is to have it: empty, or not there yet. */
  dataFolder: string;
  /** Where that platform looks for the secrets' key; null when it has the key from a setting. */
  keyFile: string | null;
}

/** Made by opening the lock; says nothing of a platform that was there. */
const LOCK_FILE = 'hearth.lock';

/**
 * Puts a backup into a data folder, all of it or nothing, owned by whoever owns the folder.
 * @throws HearthError invalid_config when the folder is in use, is not empty or can't be written; invalid_request for a backup that can't be used;
 *   store_unavailable when it is one of a newer version
 */
export async function restoreBackup(file: string, { dataFolder, keyFile }: RestoreTarget): Promise<Manifest> {
  await mkdir(dataFolder, { recursive: true, mode: 0o711 }).catch((cause: Error) => {
    throw new HearthError('invalid_config', `The data folder ${dataFolder} can't be made: ${cause.message}.`, { cause });
  });
  const unlock = lockFolder(dataFolder);
  try {
    const there = (await readdir(dataFolder)).filter((name) => !name.startsWith(LOCK_FILE) && name !== 'lost+found');
    if (there.length > 0) {
      throw new HearthError(
        'invalid_config',
        `The data folder ${dataFolder} is not empty (${there.slice(0, 5).join(', ')}${there.length > 5 ? ', …' : ''}), and nothing is overwritten. Move it away, or name another one by HEARTH_DATA_DIR.`,
      );
    }
    const scratch = join(dataFolder, 'restore.partial');
    await mkdir(scratch, { mode: 0o700 });
    try {
      const manifest = await unpackBackup(createReadStream(file), scratch).catch((error: unknown) => {
        throw asKnown(error, file);
      });
      checkDatabase(join(scratch, STORE_FILE), MIGRATIONS);
      checkDatabase(join(scratch, QUEUE_FILE), QUEUE_MIGRATIONS);
      const owner = await stat(dataFolder);
      if (manifest.secrets_key === 'included') await putKey(join(scratch, KEY_FILE), keyFile, owner);
      await putBundles(join(scratch, BUNDLE_FOLDER), join(dataFolder, BUNDLE_FOLDER), owner);
      for (const name of [QUEUE_FILE, STORE_FILE]) {
        if (process.getuid?.() === 0) await chown(join(scratch, name), owner.uid, owner.gid);
        await rename(join(scratch, name), join(dataFolder, name));
      }
      if (process.getuid?.() === 0) await chown(join(dataFolder, LOCK_FILE), owner.uid, owner.gid);
      await syncFolder(dataFolder);
      return manifest;
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  } finally {
    unlock();
  }
}

/** @throws HearthError as `restoreBackup`, for what the file itself can be blamed for */
export function checkBackup(file: string): Promise<Manifest> {
  return unpackBackup(createReadStream(file), null).catch((error: unknown) => {
    throw asKnown(error, file);
  });
}

async function putKey(from: string, to: string | null, owner: { uid: number; gid: number }): Promise<void> {
  // The setting goes before any file, and the platform says at its start when it is not the right one.
  if (to === null) return;
  const own = await readFile(to, 'utf8').catch(() => null);
  if (own !== null) {
    if (own.trim() === (await readFile(from, 'utf8')).trim()) return;
    throw new HearthError(
      'invalid_config',
      `${to} holds another key of secrets than the backup does, and is not overwritten. Move it away, or name another file by HEARTH_SECRETS_KEY_FILE.`,
    );
  }
  try {
    await writeFile(to, await readFile(from), { flag: 'wx', mode: 0o600, flush: true });
    if (process.getuid?.() === 0) await chown(to, owner.uid, owner.gid);
    await syncFolder(dirname(to));
  } catch (cause) {
    throw new HearthError('invalid_config', `The secrets' key can't be put to ${to}: ${(cause as Error).message}.`, { cause });
  }
}

async function putBundles(from: string, to: string, owner: { uid: number; gid: number }): Promise<void> {
  const names = await readdir(from).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (names === undefined) return;
  if (process.getuid?.() === 0) for (const path of [from, ...names.map((name) => join(from, name))]) await chown(path, owner.uid, owner.gid);
  await syncFolder(from);
  await rename(from, to);
}

function checkDatabase(file: string, migrations: readonly Migration[]): void {
  const db = new DatabaseSync(file);
  try {
    checkSchema(db, migrations, file);
    const [first] = db.prepare('PRAGMA quick_check(1)').all();
    if (first?.quick_check !== 'ok')
      throw new HearthError('invalid_request', `The backup can't be used: ${file} is damaged (${first?.quick_check}).`);
  } finally {
    db.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function asKnown(error: unknown, file: string): unknown {
  if (error instanceof HearthError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new HearthError('storage_full', `There is no room for what ${file} holds: ${message}.`, { cause: error });
  return new HearthError('invalid_request', `The backup ${file} can't be read or unpacked: ${message}.`, { cause: error });
}
