import type { Worker } from 'node:worker_threads';
import { HearthError } from '../../errors.ts';
import { fromWire } from '../../store/sqlite/wire-error.ts';
import type { DurableQueue, NewInvocation } from '../durable-queue.ts';
import { bytesOf, WaitingBytes } from '../waiting-bytes.ts';
import type { BlockingQueue, FromWorker, QueueMethod, QueueRequest } from './messages.ts';
import { monotonicMs } from './monotonic.ts';

export interface QueueLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

interface Call {
  resolve(value: never): void;
  reject(error: HearthError): void;
}

/**
 * The main thread's side of the worker: opening → open → closing → closed; a worker that dies leads from any of them to closed, and every call that waits then
 * or comes later rejects with store_unavailable and the reason. Calls of one turn of the event loop travel together.
 * Resolves once the worker has opened the database; takes over the worker, which `close` ends.
 * @throws HearthError store_unavailable or storage_full when it could not be opened; the worker is gone then
 */
export async function createQueueClient(worker: Worker, file: string, log: QueueLog): Promise<DurableQueue> {
  const calls = new Map<number, Call>();
  let outbox: QueueRequest[] = [];
  let lastId = 0;
  const waiting = new WaitingBytes('the disk', 'disk_too_slow');
  let closed: HearthError | undefined;
  let closing: Promise<void> | undefined;
  let death: unknown;
  let opened = false;
  let onVoided: Parameters<DurableQueue['onVoided']>[0] = () => undefined;

  const exited = new Promise<void>((resolve) => {
    worker.on('error', (error) => {
      death = error;
    });
    worker.once('exit', (code) => {
      if (closed === undefined) {
        const reason = death instanceof Error ? death.message : `exit code ${code}`;
        closed = new HearthError('store_unavailable', `The worker of the queue ${file} has died (${reason}); restart the platform.`, {
          cause: death,
        });
        if (opened) log.error({ err: closed, file }, 'the queue is gone');
      }
      for (const call of calls.values()) call.reject(closed);
      calls.clear();
      resolve();
    });
  });

  const opening = await new Promise<Extract<FromWorker, { kind: 'opened' }>>((resolve, reject) => {
    worker.once('message', (message: FromWorker) => {
      if (message.kind === 'opened') resolve(message);
      else if (message.kind === 'refused') reject(fromWire(message.error));
    });
    void exited.then(() => reject(closed));
  }).catch(async (error: unknown) => {
    await worker.terminate();
    throw error;
  });
  opened = true;
  if (opening.voided > 0) log.warn({ invocations: opening.voided }, 'invocations were running when the platform ended; they are run again');
  if (opening.shiftedMs > 0) log.warn({ ms: opening.shiftedMs }, 'the clock was set back; what was due by it is due as much earlier');

  worker.on('message', (message: FromWorker) => {
    if (message.kind === 'voided') onVoided(message.leases, message.lanes);
    if (message.kind !== 'answers') return;
    for (const answer of message.answers) {
      const call = calls.get(answer.id);
      calls.delete(answer.id);
      if ('error' in answer) call?.reject(fromWire(answer.error));
      else call?.resolve(answer.value as never);
    }
  });

  function flush(): void {
    const batch = outbox;
    outbox = [];
    worker.postMessage(batch);
  }

  function call<M extends QueueMethod | 'snapshot' | 'close'>(
    method: M,
    ...args: readonly unknown[]
  ): Promise<M extends QueueMethod ? ReturnType<BlockingQueue[M]> : void> {
    return new Promise((resolve, reject) => {
      if (closed !== undefined) {
        reject(closed);
        return;
      }
      lastId += 1;
      calls.set(lastId, { resolve, reject });
      if (outbox.length === 0) setImmediate(flush);
      outbox.push({ id: lastId, method, args });
    });
  }

  async function close(): Promise<void> {
    if (closed !== undefined) return exited;
    const done = call('close');
    closed = new HearthError('store_unavailable', `The queue ${file} is closed; the platform is shutting down.`);
    try {
      await done;
    } finally {
      await worker.terminate();
    }
  }

  return {
    accept: (invocation) => waiting.bounded(bytesOf(invocation), () => call('accept', detached(invocation))),
    acceptAll: (invocations) => {
      const bytes = invocations.reduce((sum, invocation) => sum + bytesOf(invocation), 0);
      return waiting.bounded(bytes, () => call('acceptAll', invocations.map(detached)));
    },
    lanes: () => call('lanes'),
    take: (lane, limit, leaseMs) => call('take', lane, limit, leaseMs),
    heartbeat: (leases) => call('heartbeat', leases),
    settle: (lease, verdict) => call('settle', lease, verdict),
    onVoided: (listener) => {
      onVoided = listener;
    },
    onChanged: () => undefined,
    onWork: () => undefined,
    shared: false,
    cancel: (id) => call('cancel', id),
    replay: (id, newId) => call('replay', id, newId),
    get: (id) => call('get', id),
    list: (filter) => call('list', filter),
    input: (id) => call('input', id),
    deadLetters: (filter) => call('deadLetters', filter),
    redrive: (id) => call('redrive', id),
    redriveMany: (filter) => call('redriveMany', filter),
    discard: (id) => call('discard', id),
    dueDeliveries: (limit) => call('dueDeliveries', limit),
    settleDelivery: (delivery, outcome) => call('settleDelivery', delivery, outcome),
    backlog: () => call('backlog'),
    async prune(endedBefore, deadBefore) {
      let total = 0;
      // The worker deletes a chunk at a time, so that others get their turn in between.
      for (;;) {
        const deleted = await call('prune', endedBefore, deadBefore);
        total += deleted;
        if (deleted === 0) return total;
      }
    },
    snapshot: (copy) => call('snapshot', copy),
    now: () => opening.epochOfTick + monotonicMs(),
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** A view is sent with all of the memory that it is a view of. */
function detached(invocation: NewInvocation): NewInvocation {
  const { payload } = invocation;
  return { ...invocation, payload: { ...payload, body: payload.body && Uint8Array.prototype.slice.call(payload.body) } };
}
