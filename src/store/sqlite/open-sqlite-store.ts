import { Worker } from 'node:worker_threads';
import type { Store } from '../store.ts';
import type { StoreWorkerData } from './requests.ts';
import { createStoreClient, type StoreLog } from './store-client.ts';

export interface SqliteStoreOptions {
  /** Path of the database; made, with its folder, when it isn't there. */
  file: string;
  log: StoreLog;
}

/**
 * The store in one SQLite file. All of its input and output happens in a worker thread, so the event loop never waits for a disk.
 * @throws HearthError store_unavailable, naming the file and what to do
 */
export function openSqliteStore({ file, log }: SqliteStoreOptions): Promise<Store> {
  // Nobody rewrites a string: from source the worker is worker.ts, from the compiled package worker.js.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), {
    name: 'hearth-store',
    workerData: { file } satisfies StoreWorkerData,
  });
  return createStoreClient(worker, file, log);
}
