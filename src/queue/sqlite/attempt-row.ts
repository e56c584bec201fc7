import type { SQLInputValue } from 'node:sqlite';
import type { AttemptOutcome } from '../durable-queue.ts';

export const ATTEMPT_INSERT =
  'INSERT INTO attempts (seq, number, outcome, started_at, ended_at, status, error_code, error_message, instance_id, start_kind, queue_ms, start_ms, run_ms, ' +
  'logs) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)';

/** In the order of ATTEMPT_INSERT. */
export function attemptValues(seq: number, number: number, attempt: AttemptOutcome): SQLInputValue[] {
  return [
    seq,
    number,
    attempt.outcome,
    attempt.startedAt,
    attempt.endedAt,
    attempt.status,
    attempt.errorCode,
    attempt.errorMessage,
    attempt.instanceId,
    attempt.start,
    attempt.queueMs,
    attempt.startMs,
    attempt.runMs,
    attempt.logs,
  ];
}
