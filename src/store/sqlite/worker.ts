import { parentPort, workerData } from 'node:worker_threads';
import { accessOperations } from './access-operations.ts';
import { type Database, openDatabase } from './database.ts';
import { functionOperations } from './function-operations.ts';
import { keyOperations } from './key-operations.ts';
import { recordOperations } from './record-operations.ts';
import type { BlockingStore, StoreOpening, StoreRequest, StoreResponse, StoreWorkerData } from './requests.ts';
import { scheduleOperations } from './schedule-operations.ts';
import { secretOperations } from './secret-operations.ts';
import { seriesOperations } from './series-operations.ts';
import { toStoreError } from './sqlite-errors.ts';
import { trafficOperations } from './traffic-operations.ts';
import { toWire } from './wire-error.ts';

/** The thread in which SQLite may block. Answers requests one after another, in the order in which they came; a snapshot when it is done. */

if (parentPort === null) throw new Error('worker.ts is run as a worker by open-sqlite-store.ts');
const port = parentPort;
const { file } = workerData as StoreWorkerData;

function serve(db: Database): void {
  const store: BlockingStore = {
    ...functionOperations(db),
    ...trafficOperations(db),
    ...keyOperations(db),
    ...recordOperations(db),
    ...secretOperations(db),
    ...scheduleOperations(db),
    ...accessOperations(db),
    ...seriesOperations(db),
    snapshot: (copy) => db.snapshot(copy),
    close: () => db.close(),
  };
  const failed = (id: number, error: unknown): StoreResponse => ({ id, error: toWire(toStoreError(error, file)) });
  port.on('message', ({ id, method, args }: StoreRequest) => {
    let response: StoreResponse;
    try {
      const operation = store[method] as (...args: readonly unknown[]) => unknown;
      const value = operation(...args);
      if (value instanceof Promise) {
        void value.then(
          () => port.postMessage({ id, value: undefined } satisfies StoreResponse),
          (error: unknown) => port.postMessage(failed(id, error)),
        );
        return;
      }
      response = { id, value };
    } catch (error) {
      response = failed(id, error);
    }
    port.postMessage(response);
    if (method === 'close') port.close();
  });
  port.postMessage({ opened: true } satisfies StoreOpening);
}

try {
  serve(openDatabase(file));
} catch (error) {
  port.postMessage({ opened: false, error: toWire(toStoreError(error, file)) } satisfies StoreOpening);
}
