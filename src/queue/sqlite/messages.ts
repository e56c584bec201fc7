import type { WireError } from '../../store/sqlite/wire-error.ts';
import type { DurableQueue, LaneKey, Lease } from '../durable-queue.ts';

/** What passes between the queue's client on the main thread and its worker. */

export type BlockingQueue = {
  [M in Exclude<keyof DurableQueue, 'onVoided' | 'onChanged' | 'onWork' | 'shared' | 'now' | 'close' | 'prune' | 'snapshot'>]: (
    ...args: Parameters<DurableQueue[M]>
  ) => Awaited<ReturnType<DurableQueue[M]>>;
} & {
  /** A chunk; 0 when nothing is left. */
  prune(endedBefore: number, deadBefore: number): number;
};

export type QueueMethod = keyof BlockingQueue;

export interface QueueRequest {
  id: number;
  method: QueueMethod | 'snapshot' | 'close';
  args: readonly unknown[];
}

export type QueueResponse = { id: number; value: unknown } | { id: number; error: WireError };

/** What the worker sends. First, once, whether it opened. */
export type FromWorker =
  | { kind: 'opened'; epochOfTick: number; voided: number; shiftedMs: number }
  | { kind: 'refused'; error: WireError }
  | { kind: 'answers'; answers: QueueResponse[] }
  | { kind: 'voided'; leases: Lease[]; lanes: LaneKey[] };

export interface QueueWorkerData {
  file: string;
}
