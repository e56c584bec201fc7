import { HearthError } from '../errors.ts';
import type { InstanceRecord, InvocationRecord } from '../schemas/records.ts';
import type { Store } from './store.ts';

/** Most invocations in one transaction, whatever `maxBatch` says. */
const MAX_BATCH = 1000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 10_000;

export interface RecordWriterOptions {
  /** How long a record may wait for others to be written with it, in milliseconds. */
  intervalMs: number;
  /** So many waiting invocations are written at once, without waiting for the interval; 1 to 1000. */
  maxBatch: number;
  /** Records of each kind that wait at most; the oldest are dropped beyond that. */
  maxPending: number;
  log: { warn(fields: object, message: string): void; info(fields: object, message: string): void };
}

/** Writes records behind: whoever hands one over never waits for the store. */
export interface RecordWriter {
  invocation(record: InvocationRecord): void;
  /** Of the records of one instance that wait, only the newest is written. */
  instance(record: InstanceRecord): void;
  /**
   * Resolves when everything handed over before has been written (or dropped).
   * @throws the store's error when an attempt fails; the records are kept and tried again
   */
  flush(): Promise<void>;
  /** Tries once more to write what waits, drops what can't be written, and ends. Never rejects. Records handed over after are dropped. */
  close(): Promise<void>;
  /** Records that were given up. */
  readonly dropped: number;
  /** Records that wait to be written. */
  readonly pending: number;
}

/**
 * States: idle (nothing waits) → gathering (a timer runs) → writing → idle or gathering; a failed write leads to waiting for the retry,
 * its delay doubling with each failure, and one warning tells of the whole outage. At most one write is under way at a time.
 */
export function createRecordWriter(store: Pick<Store, 'writeInvocations' | 'writeInstances'>, options: RecordWriterOptions): RecordWriter {
  const { log, maxPending, intervalMs } = options;
  const maxBatch = Math.min(Math.max(1, options.maxBatch), MAX_BATCH);
  let invocations: InvocationRecord[] = [];
  let instances = new Map<string, InstanceRecord>();
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | undefined;
  let failures = 0;
  /** Shrinks while the store refuses records themselves, until the one that it refuses is alone. */
  let batchLimit = maxBatch;
  let dropped = 0;
  let droppedBeforeOutage = 0;
  let closing: Promise<void> | undefined;

  function waiting(): number {
    return invocations.length + instances.size;
  }

  function schedule(): void {
    if (timer !== undefined || writing !== undefined || closing !== undefined || waiting() === 0) return;
    const full = invocations.length >= maxBatch;
    const delay = failures > 0 ? Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), LAST_RETRY_MS) : full ? 0 : intervalMs;
    timer = setTimeout(() => {
      timer = undefined;
      // What failed is already logged and kept; the next attempt is scheduled when this one has ended.
      write().catch(() => {});
    }, delay);
  }

  /** Everything that waits now, in batches. Joins a write that is under way. */
  function write(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    writing ??= writeAll().finally(() => {
      writing = undefined;
      schedule();
    });
    return writing;
  }

  async function writeAll(): Promise<void> {
    while (invocations.length > 0) {
      const batch = invocations.splice(0, batchLimit);
      await attempt(
        batch,
        (records) => store.writeInvocations(records),
        (records) => {
          invocations = [...records, ...invocations];
        },
      );
    }
    while (instances.size > 0) {
      const batch = [...instances.values()].slice(0, batchLimit);
      for (const record of batch) instances.delete(record.id);
      await attempt(
        batch,
        (records) => store.writeInstances(records),
        (records) => {
          // What came in the meantime is newer.
          instances = new Map([...records.map((record) => [record.id, record] as const), ...instances]);
        },
      );
    }
  }

  /** Writes one batch. Rejects, with the batch put back, when the store is in trouble; gets by a record that the store won't ever take. */
  async function attempt<T>(batch: T[], writeBatch: (batch: T[]) => Promise<void>, putBack: (batch: T[]) => void): Promise<void> {
    try {
      await writeBatch(batch);
    } catch (error) {
      if (isOutage(error)) {
        putBack(batch);
        trim();
        if (failures === 0) {
          droppedBeforeOutage = dropped;
          log.warn({ err: error, waiting: waiting() }, 'records can not be written; they are kept and tried again');
        }
        failures += 1;
        throw error;
      }
      if (batch.length === 1) {
        dropped += 1;
        log.warn({ err: error, record: batch[0] }, 'the store refuses a record; it is dropped');
        batchLimit = maxBatch;
        return;
      }
      putBack(batch);
      batchLimit = Math.ceil(batch.length / 2);
      return;
    }
    if (failures > 0) log.info({ dropped: dropped - droppedBeforeOutage }, 'records are written again');
    failures = 0;
    batchLimit = maxBatch;
  }

  function trim(): void {
    const excess = invocations.length - maxPending;
    if (excess > 0) {
      invocations.splice(0, excess);
      dropped += excess;
    }
    for (const id of instances.keys()) {
      if (instances.size <= maxPending) break;
      instances.delete(id);
      dropped += 1;
    }
  }

  async function close(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    // Twice: a write under way may have begun before the last records came.
    await writing?.catch(() => {});
    await write().catch(() => {});
    const lost = waiting();
    if (lost > 0) {
      dropped += lost;
      log.warn({ lost }, 'records could not be written before the end; they are lost');
      invocations = [];
      instances.clear();
    }
  }

  return {
    invocation(record) {
      if (closing !== undefined) {
        dropped += 1;
        return;
      }
      invocations.push(record);
      trim();
      if (invocations.length === maxBatch && failures === 0) {
        clearTimeout(timer);
        timer = undefined;
      }
      schedule();
    },
    instance(record) {
      if (closing !== undefined) {
        dropped += 1;
        return;
      }
      // Deleted first, so that the map's order is that of the latest change.
      instances.delete(record.id);
      instances.set(record.id, record);
      trim();
      schedule();
    },
    async flush() {
      await writing;
      await write();
    },
    close() {
      closing ??= close();
      return closing;
    },
    get dropped() {
      return dropped;
    },
    get pending() {
      return waiting();
    },
  };
}

function isOutage(error: unknown): boolean {
  return error instanceof HearthError && error.code === 'store_unavailable';
}
