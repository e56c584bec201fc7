import type { ErrorCode } from '../errors.ts';
import type { RetryPolicy } from '../schemas/function.ts';
import type { InvocationRecord } from '../schemas/records.ts';
import type { AttemptOutcome, DeadReason, StoredReply, Taken, Verdict } from './durable-queue.ts';

/** The platform had no room or was about to end: nothing was run, and nothing is held against the invocation. */
const NOT_RUN: ReadonlySet<string> = new Set<ErrorCode>(['queue_full', 'draining', 'layer_unavailable']);
/** They would end the same way again. */
const FATAL: ReadonlySet<string> = new Set<ErrorCode>([
  'invalid_code',
  'unknown_layer',
  'layer_build_failed',
  'unknown_version',
  'body_too_large',
  'reply_too_large',
]);
/** Between two tries to find room, at least. Milliseconds. */
const NO_ROOM_DELAY_MS = 200;
/** Between two tries while what it needs is away, the broker by which scripts answer or its libraries, at least. Milliseconds. */
const AWAY_DELAY_MS = 2000;

export interface Attempted {
  taken: Pick<Taken, 'mode' | 'failures' | 'ageFrom'>;
  record: InvocationRecord;
  reply: StoredReply | null;
  policy: RetryPolicy;
  /** Milliseconds since the epoch, by the queue's clock. */
  now: number;
  /** 0 to below 1. */
  random: () => number;
  /** Which clock ran out when a deadline passed. */
  clock: unknown;
}

/**
 * What becomes of an invocation after an attempt. A status below 500 that the function answered is a success: the function has been reached and has spoken, 404
 * and 422 included; one of 500 and above is a failure, as are an exception, a crash, a timeout and a sandbox that can't be had. Failures are tried again until
 * the policy's number of attempts or the age is reached; those that would end the same way are not.
 */
export function judge({ taken, record, reply, policy, now, random, clock }: Attempted): Verdict {
  const attempt = attemptOf(record);
  if (record.state === 'succeeded' && record.status !== null && record.status < 500) {
    return { kind: 'done', state: 'succeeded', attempt, error: null, reply, deadReason: null, forgetKey: false };
  }
  if (record.state === 'cancelled') {
    return { kind: 'done', state: 'cancelled', attempt, error: null, reply: null, deadReason: null, forgetKey: false };
  }
  const code = record.errorCode;
  // In the line until its deadline: no instance had time for it.
  const noBroker = code === 'broker_unavailable' && record.instanceId === null;
  const notRun = (code !== null && NOT_RUN.has(code)) || noBroker || clock === 'queue';
  const over = (deadReason: DeadReason): Verdict => ({
    kind: 'done',
    state: record.state === 'timed_out' ? 'timed_out' : 'failed',
    attempt: { ...attempt, outcome: attempt.outcome === 'succeeded' ? 'failed' : attempt.outcome },
    error: { code: code ?? 'function_failed', message: record.errorMessage ?? `The function answered with the status ${record.status}.` },
    reply,
    // Whoever waits for it is told, and nobody else has to be.
    deadReason: taken.mode === 'sync' ? null : deadReason,
    forgetKey: notRun || record.instanceId === null,
  });
  if (taken.mode === 'sync') return over('attempts_exhausted');
  if (code !== null && FATAL.has(code)) return over('not_retriable');
  if (notRun) {
    const delayMs = (noBroker || code === 'layer_unavailable' ? AWAY_DELAY_MS : NO_ROOM_DELAY_MS) * (1 + random());
    if (code !== 'draining' && isTooOld(taken, policy, now + delayMs)) return over('too_old');
    return { kind: 'retry', delayMs: code === 'draining' ? 0 : delayMs, attempt: { ...attempt, outcome: 'released' }, counts: false };
  }
  const failures = taken.failures + 1;
  if (failures >= policy.attempts) return over('attempts_exhausted');
  const delayMs = backoffMs(failures, policy, random());
  if (isTooOld(taken, policy, now + delayMs)) return over('too_old');
  return { kind: 'retry', delayMs, attempt: { ...attempt, outcome: attempt.outcome === 'succeeded' ? 'failed' : attempt.outcome }, counts: true };
}

/**
 * Exponential with full jitter (Brooker, "Exponential Backoff And Jitter"): anywhere between nothing and a bound that doubles with every failure.
 * @param failures 1 after the first
 * @param random 0 to below 1
 */
export function backoffMs(failures: number, policy: RetryPolicy, random: number): number {
  return random * Math.min(policy.maxBackoffMs, policy.minBackoffMs * 2 ** Math.min(failures - 1, 40));
}

export function isTooOld(taken: Pick<Taken, 'ageFrom'>, policy: RetryPolicy, at: number): boolean {
  return at - taken.ageFrom > policy.maxAgeMs;
}

/** One that is over without having been run. */
export function unrun(deadReason: DeadReason, code: ErrorCode, message: string, mode: Taken['mode']): Verdict {
  const dead = mode === 'sync' ? null : deadReason;
  return { kind: 'done', state: 'failed', attempt: null, error: { code, message }, reply: null, deadReason: dead, forgetKey: true };
}

function attemptOf(record: InvocationRecord): AttemptOutcome {
  const { state } = record;
  return {
    outcome: state === 'queued' || state === 'running' ? 'failed' : state,
    startedAt: record.acceptedAt,
    endedAt: record.endedAt,
    status: record.status,
    errorCode: record.errorCode,
    errorMessage: record.errorMessage,
    instanceId: record.instanceId,
    start: record.start,
    queueMs: record.queueMs,
    startMs: record.startMs,
    runMs: record.runMs,
    logs: record.logs,
  };
}
