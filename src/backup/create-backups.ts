import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { HearthError } from '../errors.ts';
import type { DurableQueue } from '../queue/durable-queue.ts';
import type { Store } from '../store/store.ts';
import { type BackupSource, BUNDLE_FOLDER, isBundle, KEY_FILE, packBackup, QUEUE_FILE, STORE_FILE } from './backup-file.ts';

export interface BackupParts {
  store: Pick<Store, 'snapshot'>;
  queue: Pick<DurableQueue, 'snapshot'>;
  /** The file of the secrets' key; null when the key is a setting, which is the operator's to keep. */
  keyFile: string | null;
  /** Of files that never change, and are there before anything in the store names them; need not exist. */
  bundleFolder: string;
  /** For the copies, while they are sent; of nobody else's use. */
  folder: string;
  /** Of the platform. */
  version: string;
  /** Milliseconds since the epoch. */
  clock: () => number;
  log: { info(fields: object, message: string): void };
}

export interface Backups {
  /**
   * The whole state of the running platform as one stream (see backup-file.ts), which must be read or destroyed. Requests and asynchronous work go on meanwhile.
   * @throws HearthError conflict when one is being made already, or the secrets' key changed meanwhile; store_unavailable; storage_full
   */
  make(options: { includeKey: boolean }): Promise<Readable>;
}

/** Removes what a crash left in the folder. */
export async function createBackups({ store, queue, keyFile, bundleFolder, folder, version, clock, log }: BackupParts): Promise<Backups> {
  await rm(folder, { recursive: true, force: true });
  let making = false;

  const readKey = (): Promise<string | null> => (keyFile === null ? Promise.resolve(null) : readFile(keyFile, 'utf8'));

  /** @returns what goes into the backup */
  async function copy(includeKey: boolean): Promise<BackupSource[]> {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { mode: 0o700 });
    const key = await readKey();
    // The queue first. What it holds refers to what the store holds already: versions, and firings of schedules, which the store writes down before the queue
    // gets them, and which are given to the queue again when it doesn't know them.
    await queue.snapshot(join(folder, QUEUE_FILE));
    await store.snapshot(join(folder, STORE_FILE));
    if ((await readKey()) !== key) {
      throw new HearthError('conflict', "The secrets' key was changed while the backup was made, so that the two might not fit. Make it again.");
    }
    const names = [QUEUE_FILE, STORE_FILE];
    if (includeKey && key !== null) {
      await writeFile(join(folder, KEY_FILE), key, { mode: 0o600, flag: 'wx' });
      names.push(KEY_FILE);
    }
    // Looked at last: whatever the store's copy names is there.
    const bundles = (await readdir(bundleFolder).catch(emptyIfMissing)).map((name) => ({
      name: `${BUNDLE_FOLDER}/${name}`,
      path: join(bundleFolder, name),
    }));
    return [...names.map((name) => ({ name, path: join(folder, name) })), ...bundles.filter(({ name }) => isBundle(name))];
  }

  return {
    async make({ includeKey }) {
      if (making) throw new HearthError('conflict', 'A backup is being made already. Wait for that one.');
      making = true;
      const end = (): void => {
        void rm(folder, { recursive: true, force: true }).finally(() => {
          making = false;
        });
      };
      try {
        const sources = await copy(includeKey);
        const included = sources.some(({ name }) => name === KEY_FILE);
        log.info({ key: included }, 'a backup is made');
        const about = { hearth: version, created_at: new Date(clock()).toISOString() };
        return packBackup(sources, { ...about, secrets_key: keyFile === null ? 'configured' : included ? 'included' : 'left_out' }, end);
      } catch (error) {
        end();
        throw asKnown(error);
      }
    },
  };
}

function emptyIfMissing(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}

function asKnown(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new HearthError('storage_full', `A backup needs room for a copy of the databases beside them: ${message}.`, { cause: error });
  }
  return error;
}
