import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { HearthError } from '../../errors.ts';
import { toWire } from '../../store/sqlite/wire-error.ts';
import type { Lease } from '../durable-queue.ts';
import { acceptOperations } from './accept-operations.ts';
import { backlogOperation } from './backlog-operation.ts';
import { deliveryOperations } from './delivery-operations.ts';
import { LeaseBook } from './lease-book.ts';
import { leaseOperations } from './lease-operations.ts';
import type { BlockingQueue, FromWorker, QueueMethod, QueueRequest, QueueResponse } from './messages.ts';
import { openQueueDatabase } from './open-database.ts';
import type { Session } from './operations.ts';
import { isDiskFailure, toQueueError } from './queue-errors.ts';
import { recordOperations } from './record-operations.ts';

/** Requests in one transaction. */
const MAX_BATCH = 1000;
const SWEEP_INTERVAL_MS = 250;

/**
 * How a method is committed. `acknowledged`: on the disk before the answer. `remembered`: survives the process; a power cut may take it. `none`: writes nothing.
 */
const COMMIT: Record<QueueMethod, 'acknowledged' | 'remembered' | 'none'> = {
  accept: 'acknowledged',
  acceptAll: 'acknowledged',
  replay: 'acknowledged',
  settle: 'acknowledged',
  cancel: 'acknowledged',
  redrive: 'acknowledged',
  redriveMany: 'acknowledged',
  discard: 'acknowledged',
  settleDelivery: 'remembered',
  take: 'remembered',
  prune: 'remembered',
  heartbeat: 'none',
  lanes: 'none',
  get: 'none',
  list: 'none',
  input: 'none',
  deadLetters: 'none',
  dueDeliveries: 'none',
  backlog: 'none',
};

export interface QueueHooks {
  /** Wall clock, milliseconds since the epoch; read once, at the start. */
  wallClock(): number;
  /** Monotonic, milliseconds. */
  tick(): number;
  /** Called around every commit with the methods in it: where a test lets the process die. */
  at?(point: 'before-commit' | 'after-commit', methods: readonly string[]): void;
}

/**
 * Answers requests that come through the port, until one is `close`. All that have come while the last commit was on its way to the disk share the next one
 * (group commit); none is answered before it. Requests take effect in the order in which they came.
 */
export function serveQueue(port: MessagePort, file: string, hooks: QueueHooks): void {
  const send = (message: FromWorker): void => port.postMessage(message);
  const startTick = hooks.tick();
  const startWall = hooks.wallClock();
  const clock = (): number => startWall + (hooks.tick() - startTick);
  const db = openQueueDatabase(file);
  const leases = new LeaseBook(hooks.tick);
  let effects: (() => void)[] = [];
  let batchNow = Math.floor(clock());
  const session: Session = { db, leases, now: () => batchNow, afterCommit: (effect) => effects.push(effect) };
  const leaseOps = leaseOperations(session);
  const operations: BlockingQueue = {
    ...acceptOperations(session),
    ...leaseOps,
    ...recordOperations(session),
    ...deliveryOperations(session),
    ...backlogOperation(session),
  };
  /** Why nothing is written any more: what a disk that failed holds isn't known. */
  let broken: HearthError | null = null;

  function commit<T>(acknowledged: boolean, methods: readonly string[], work: () => T): T {
    if (broken) throw broken;
    batchNow = Math.floor(clock());
    effects = [];
    try {
      const value = db.transaction(acknowledged, batchNow, () => {
        const result = work();
        hooks.at?.('before-commit', methods);
        return result;
      });
      hooks.at?.('after-commit', methods);
      for (const effect of effects) effect();
      return value;
    } catch (error) {
      const known = toQueueError(error, file);
      if (isDiskFailure(error)) {
        broken = new HearthError(
          'store_unavailable',
          `${known.message} What was acknowledged before is kept; nothing more is accepted or run from the queue until the platform is restarted.`,
          { cause: error },
        );
        throw broken;
      }
      throw known;
    } finally {
      effects = [];
    }
  }

  function run({ id, method, args }: QueueRequest): QueueResponse {
    const operation = operations[method as QueueMethod] as (...args: readonly unknown[]) => unknown;
    return { id, value: operation(...args) };
  }

  function alone(request: QueueRequest): QueueResponse {
    try {
      const how = COMMIT[request.method as QueueMethod];
      if (how !== 'none') return commit(how === 'acknowledged', [request.method], () => run(request));
      batchNow = Math.floor(clock());
      return run(request);
    } catch (error) {
      return { id: request.id, error: toWire(toQueueError(error, file)) };
    }
  }

  function together(batch: readonly QueueRequest[]): QueueResponse[] {
    const writes = batch.filter(({ method }) => COMMIT[method as QueueMethod] !== 'none');
    if (batch.length === 1 || writes.length === 0) return batch.map(alone);
    const acknowledged = writes.some(({ method }) => COMMIT[method as QueueMethod] === 'acknowledged');
    try {
      return commit(
        acknowledged,
        writes.map(({ method }) => method),
        () => batch.map(run),
      );
    } catch {
      // One of them may be to blame; each by itself, only that one fails. On a full or failed disk all do.
      return batch.map(alone);
    }
  }

  function serve(first: QueueRequest[]): void {
    const waiting = [...first];
    while (waiting.length < MAX_BATCH) {
      const more = receiveMessageOnPort(port) as { message: QueueRequest[] } | undefined;
      if (!more) break;
      waiting.push(...more.message);
    }
    const closing = waiting.findIndex(({ method }) => method === 'close');
    const asked = closing < 0 ? waiting : waiting.slice(0, closing);
    const answers = together(asked.filter(({ method }) => method !== 'snapshot'));
    for (const request of asked) if (request.method === 'snapshot') void copy(request);
    if (closing >= 0) answers.push(end(waiting[closing] as QueueRequest));
    send({ kind: 'answers', answers });
    if (closing >= 0) port.close();
  }

  /** Answered when it is done; others need not wait for it. */
  async function copy({ id, args }: QueueRequest): Promise<void> {
    const answer = await db.snapshot(args[0] as string).then(
      (): QueueResponse => ({ id, value: undefined }),
      (error: unknown): QueueResponse => ({ id, error: toWire(toQueueError(error, file)) }),
    );
    send({ kind: 'answers', answers: [answer] });
  }

  function end({ id }: QueueRequest): QueueResponse {
    clearInterval(sweeper);
    try {
      db.close();
      return { id, value: undefined };
    } catch (error) {
      return { id, error: toWire(toQueueError(error, file)) };
    }
  }

  function voidLeases(voided: readonly Lease[], why: string) {
    return commit(true, ['void'], () => leaseOps.voidLeases(voided, why));
  }

  function sweep(): void {
    const expired = leases.expired();
    if (expired.length === 0) return;
    try {
      const lanes = voidLeases(expired, 'its lease ran out');
      send({ kind: 'voided', leases: expired, lanes });
    } catch {
      // The disk: they stay expired, and the next sweep tries again.
    }
  }

  // Whoever held leases has ended: the folder is locked, so that this is the only process that runs anything.
  const orphans = leaseOps.runningLeases();
  const shiftedMs = shiftBack(session, startWall);
  if (orphans.length > 0) voidLeases(orphans, 'the platform ended while it ran');

  port.on('message', serve);
  const sweeper = setInterval(sweep, SWEEP_INTERVAL_MS);
  send({ kind: 'opened', epochOfTick: startWall - startTick, voided: orphans.length, shiftedMs });

  /** The wall clock stands before the last commit: it was set back. What is due by it would wait for as long. @returns milliseconds */
  function shiftBack({ now }: Session, wall: number): number {
    const back = db.committedAt - wall;
    if (back <= 0) return 0;
    commit(true, ['shift'], () => {
      db.statement("UPDATE jobs SET due_at = max(?, due_at - ?), age_from = age_from - ? WHERE state = 'queued'").run(now(), back, back);
      db.statement("UPDATE deliveries SET due_at = due_at - ? WHERE state = 'pending'").run(back);
    });
    return back;
  }
}
