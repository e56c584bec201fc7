import { parentPort, workerData } from 'node:worker_threads';
import { toWire } from '../../store/sqlite/wire-error.ts';
import type { FromWorker, QueueWorkerData } from './messages.ts';
import { monotonicMs } from './monotonic.ts';
import { toQueueError } from './queue-errors.ts';
import { serveQueue } from './serve-queue.ts';

/** The thread in which the queue's database may block. */

if (parentPort === null) throw new Error('worker.ts is run as a worker by open-sqlite-queue.ts');
const { file } = workerData as QueueWorkerData;
try {
  serveQueue(parentPort, file, { wallClock: Date.now, tick: monotonicMs });
} catch (error) {
  parentPort.postMessage({ kind: 'refused', error: toWire(toQueueError(error, file)) } satisfies FromWorker);
}
