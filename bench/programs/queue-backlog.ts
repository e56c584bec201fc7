import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDurableInvocations } from '../../src/queue/create-durable-invocations.ts';
import type { NewInvocation } from '../../src/queue/durable-queue.ts';
import { acceptOperations } from '../../src/queue/sqlite/accept-operations.ts';
import { readMark } from '../../src/queue/sqlite/commit-mark.ts';
import { LeaseBook } from '../../src/queue/sqlite/lease-book.ts';
import { openQueueDatabase } from '../../src/queue/sqlite/open-database.ts';
import { openSqliteQueue } from '../../src/queue/sqlite/open-sqlite-queue.ts';
import type { Invocation, ReplySink } from '../../src/scheduler/invocation.ts';
import { newInvocationId } from '../../src/scheduler/invocation-id.ts';
import type { FunctionVersion } from '../../src/schemas/function.ts';
import type { InvocationRecord } from '../../src/schemas/records.ts';

/**
 * The queue alone, with functions that answer at once: `node queue-backlog.ts <backlog> <seconds>` prints its rates and memory as JSON. The backlog is kept:
 * whatever ends is followed by a new one.
 */

const CALLERS = 32;
const SLOTS = 8;
const [backlog, seconds] = process.argv.slice(2).map(Number) as [number, number];
const folder = await mkdtemp(join(tmpdir(), 'hearth-bench-queue-'));
const file = join(folder, 'queue.db');
const log = { warn() {}, error() {} };

function invocation(functionName: string, delayMs = 0): NewInvocation {
  return {
    id: newInvocationId(),
    functionName,
    versionNumber: 1,
    mode: 'async',
    payload: {
      trigger: 'gateway',
      verb: 'POST',
      path: '/hello',
      rawPath: '/hello',
      query: '',
      params: {},
      headers: ['Host', '127.0.0.1:5000', 'Content-Type', 'application/json', 'Content-Length', '18'],
      body: Buffer.from('{"name": "Valera"}'),
      requestId: null,
    },
    delayMs,
    priority: 5,
    callbackUrl: null,
    replayOf: null,
    idempotency: null,
  };
}

/** Rows per second of the same rows in transactions of that size, on the disk after each: what SQLite does here without threads and promises. */
function rawRate(batch: number, forMs: number): number {
  const db = openQueueDatabase(join(folder, `raw-${batch}.db`));
  const { accept } = acceptOperations({ db, leases: new LeaseBook(() => 0), now: Date.now, afterCommit() {} });
  const start = performance.now();
  let rows = 0;
  while (performance.now() - start < forMs) {
    db.transaction(true, Date.now(), () => {
      for (let index = 0; index < batch; index++) accept(invocation('raw'));
    });
    rows += batch;
  }
  const rate = (rows * 1000) / (performance.now() - start);
  db.close();
  return rate;
}

function fill(): void {
  const db = openQueueDatabase(file);
  const { accept } = acceptOperations({ db, leases: new LeaseBook(() => 0), now: Date.now, afterCommit() {} });
  for (let done = 0; done < backlog; ) {
    const until = Math.min(backlog, done + 5000);
    db.transaction(true, Date.now(), () => {
      for (; done < until; done++) accept(invocation('hello'));
    });
  }
  db.close();
}

fill();
const startedAt = performance.now();
const queue = await openSqliteQueue({ file, log });
const openMs = performance.now() - startedAt;
const rssBefore = process.memoryUsage.rss();

let accepted = 0;
const commitsBefore = readMark(`${file}.mark`);
const acceptEnd = performance.now() + seconds * 1000;
await Promise.all(
  Array.from({ length: CALLERS }, async () => {
    while (performance.now() < acceptEnd) {
      await queue.accept(invocation('later', 3600_000));
      accepted++;
    }
  }),
);
const batch = accepted / (readMark(`${file}.mark`) - commitsBefore);

let ended = 0;
let running = 0;
const durable = createDurableInvocations({
  queue,
  runner: {
    room: () => Math.max(0, SLOTS - running),
    cancelById: () => false,
    submit(_input, _version, sink: ReplySink) {
      running++;
      setImmediate(() => {
        running--;
        sink.reply({} as Invocation, 200, ['Content-Type', 'application/json'], Buffer.from('{"hello":"Valera"}'));
        ended++;
        void queue.accept(invocation('hello'));
        const now = Date.now();
        const record = {
          state: 'succeeded',
          status: 200,
          errorCode: null,
          errorMessage: null,
          instanceId: 'i',
          start: 'warm',
          acceptedAt: now,
          endedAt: now,
        };
        sink.over?.({ ...record, queueMs: 0, startMs: 0, runMs: 0, logs: null } as InvocationRecord);
      });
    },
  },
  loadVersion: async () => undefined,
  describe: () => null,
  choose: () => undefined,
  revealSecret: () => undefined,
  settings: { maxRunning: 256, leaseMarginMs: 30_000, maxResultBytes: 1024 * 1024, keepKeysMs: 1000, callbackHosts: [] },
  random: Math.random,
  log,
});
durable.versions.put('hello', [
  {
    functionName: 'hello',
    number: 1,
    timeoutMs: 1000,
    retry: { attempts: 3, minBackoffMs: 1, maxBackoffMs: 1, maxAgeMs: 3600_000 },
  } as FunctionVersion,
]);
await durable.start();
const dispatchStart = performance.now();
await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const endedPerSecond = (ended * 1000) / (performance.now() - dispatchStart);
const rss = process.memoryUsage.rss();
durable.stop();
await durable.settled(5000);
await durable.close();

process.stdout.write(
  `${JSON.stringify({
    backlog,
    openMs,
    acceptedPerSecond: accepted / seconds,
    batch,
    rawPerSecond: rawRate(Math.max(1, Math.round(batch)), seconds * 1000),
    endedPerSecond,
    rssMiB: rss / 2 ** 20,
    grownMiB: (rss - rssBefore) / 2 ** 20,
  })}\n`,
);
await rm(folder, { recursive: true, force: true });
