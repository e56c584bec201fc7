import { Worker } from 'node:worker_threads';
import type { DurableQueue } from '../durable-queue.ts';
import type { QueueWorkerData } from './messages.ts';
import { createQueueClient, type QueueLog } from './queue-client.ts';

export interface SqliteQueueOptions {
  /** Path of the database; made, with its folder, when it isn't there. Beside it stand its -wal and .mark files. */
  file: string;
  log: QueueLog;
}

/**
 * The queue in one SQLite file of its own, held exclusively by a worker thread.
 * @throws HearthError store_unavailable, naming the file and what to do; storage_full
 */
export function openSqliteQueue({ file, log }: SqliteQueueOptions): Promise<DurableQueue> {
  // Nobody rewrites a string: from source the worker is worker.ts, from the compiled package worker.js.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), {
    name: 'hearth-queue',
    workerData: { file } satisfies QueueWorkerData,
  });
  return createQueueClient(worker, file, log);
}
