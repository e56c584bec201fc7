import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { AttemptOutcome, DurableQueue, NewInvocation, Taken, Verdict } from '../../../src/queue/durable-queue.ts';
import { createQueueClient } from '../../../src/queue/sqlite/queue-client.ts';
import type { HookedWorkerData } from './fixtures/hooked-worker.ts';

export interface TestQueue {
  queue: DurableQueue;
  warnings: string[];
  /** Both clocks go on by so many milliseconds at once. */
  pass(ms: number): void;
  /** Commits fail with that code of SQLite from now on; 0: no more. */
  failCommits(errcode: number, staying?: boolean): void;
}

export class QueueFolder {
  readonly folder: string;
  readonly file: string;
  readonly #open: DurableQueue[] = [];

  private constructor(folder: string) {
    this.folder = folder;
    this.file = join(folder, 'queue.db');
  }

  static async make(): Promise<QueueFolder> {
    return new QueueFolder(await mkdtemp(join(tmpdir(), 'hearth-queue-')));
  }

  /** @param wallAhead milliseconds that the wall clock is ahead of the machine's */
  async open(wallAhead = 0): Promise<TestQueue> {
    const clocks = new SharedArrayBuffer(16);
    const failure = new SharedArrayBuffer(8);
    const views = { clocks: new Float64Array(clocks), failure: new Int32Array(failure) };
    views.clocks[0] = wallAhead;
    const worker = new Worker(new URL('./fixtures/hooked-worker.ts', import.meta.url), {
      workerData: { file: this.file, clocks, failure } satisfies HookedWorkerData,
    });
    const warnings: string[] = [];
    const queue = await createQueueClient(worker, this.file, { warn: (_, text) => warnings.push(text), error: (_, text) => warnings.push(text) });
    this.#open.push(queue);
    return {
      queue,
      warnings,
      pass(ms) {
        views.clocks[1] = (views.clocks[1] as number) + ms;
      },
      failCommits(errcode, staying = true) {
        views.failure[1] = staying ? 1 : 0;
        views.failure[0] = errcode;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const queue of this.#open) await queue.close().catch(() => undefined);
    await rm(this.folder, { recursive: true, force: true });
  }
}

let made = 0;

/** Complete; name only what the test is about. */
export function newInvocation(members: Partial<NewInvocation> = {}, body = 'input'): NewInvocation {
  made += 1;
  return {
    id: `invocation-${String(made).padStart(6, '0')}`,
    functionName: 'echo',
    versionNumber: 1,
    mode: 'async',
    payload: {
      trigger: 'gateway',
      verb: 'POST',
      path: '/echo',
      rawPath: '/echo?a=1',
      query: 'a=1',
      params: { id: '7' },
      headers: ['Content-Type', 'text/plain'],
      body: Buffer.from(body),
      requestId: 'caller-1',
    },
    delayMs: 0,
    priority: 5,
    callbackUrl: null,
    replayOf: null,
    idempotency: null,
    ...members,
  };
}

export const LANE = { functionName: 'echo', versionNumber: 1 };

export function attempt(members: Partial<AttemptOutcome> = {}): AttemptOutcome {
  return {
    outcome: 'succeeded',
    startedAt: 1000,
    endedAt: 2000,
    status: 200,
    errorCode: null,
    errorMessage: null,
    instanceId: 'instance',
    start: 'warm',
    queueMs: 1,
    startMs: 2,
    runMs: 3,
    logs: 'printed',
    ...members,
  };
}

export function succeeded(text = 'answer'): Verdict {
  const body = new TextEncoder().encode(text);
  return {
    kind: 'done',
    state: 'succeeded',
    attempt: attempt(),
    error: null,
    reply: { status: 200, headers: ['X-A', 'b'], body, bytes: body.length },
    deadReason: null,
    forgetKey: false,
  };
}

export function died(): Verdict {
  const failure = { errorCode: 'function_failed', errorMessage: 'boom', status: 502 };
  return {
    kind: 'done',
    state: 'failed',
    attempt: attempt({ outcome: 'failed', ...failure }),
    error: { code: failure.errorCode, message: failure.errorMessage },
    reply: null,
    deadReason: 'attempts_exhausted',
    forgetKey: false,
  };
}

export function retry(delayMs: number, counts = true): Verdict {
  return { kind: 'retry', delayMs, counts, attempt: attempt({ outcome: 'failed', status: 502, errorCode: 'function_failed', errorMessage: 'boom' }) };
}

/** The only one that is due. @throws Error when there is none */
export async function takeOne(queue: DurableQueue, leaseMs = 60_000): Promise<Taken> {
  const { taken } = await queue.take(LANE, 1, leaseMs);
  const [one] = taken;
  if (!one) throw new Error('nothing is due');
  return one;
}
