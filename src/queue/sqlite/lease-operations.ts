import type { InvocationState } from '../../schemas/records.ts';
import {
  type AttemptOutcome,
  type CancelOutcome,
  type LaneKey,
  type Lease,
  MAX_LOSSES,
  type StoredReply,
  type Taken,
  type Verdict,
} from '../durable-queue.ts';
import { payloadFromRow, type Row } from '../job-rows.ts';
import { ATTEMPT_INSERT, attemptValues } from './attempt-row.ts';
import { planDeliveries } from './delivery-operations.ts';
import type { BlockingQueue } from './messages.ts';
import type { Session } from './operations.ts';

type LeaseOperations = Pick<BlockingQueue, 'lanes' | 'take' | 'heartbeat' | 'settle' | 'cancel'> & {
  /** Voids leases; the invocations are queued again, or dead letters if that happened too often. @returns lanes that have work now */
  voidLeases(leases: readonly Lease[], why: string): LaneKey[];
  /** Those of a process that has ended: all that are running. */
  runningLeases(): Lease[];
};

const RUNNING =
  "SELECT seq, function_name, version_number, mode, started_at, attempt, losses, idempotency_key, callback_url, destinations FROM jobs WHERE id = ? AND state = 'running' AND attempt = ?";

export function leaseOperations({ db, leases, now, afterCommit }: Session): LeaseOperations {
  function writeAttempt(seq: number, lease: Lease, attempt: AttemptOutcome): void {
    db.statement(ATTEMPT_INSERT).run(...attemptValues(seq, lease.attempt, attempt));
  }

  function finish(
    row: Row,
    state: InvocationState,
    verdict: Pick<Extract<Verdict, { kind: 'done' }>, 'error' | 'deadReason'>,
    status: number | null,
  ): void {
    const seq = row.seq as number;
    db.statement(
      'UPDATE jobs SET state = ?, ended_at = ?, status = ?, error_code = ?, error_message = ?, dead_reason = ?, started_at = NULL WHERE seq = ?',
    ).run(state, now(), status, verdict.error?.code ?? null, verdict.error?.message ?? null, verdict.deadReason, seq);
    planDeliveries(db, row, state, verdict.deadReason, now());
  }

  function writeReply(seq: number, reply: StoredReply): void {
    db.statement('INSERT INTO results (seq, status, headers, bytes, body) VALUES (?, ?, ?, ?, ?)').run(
      seq,
      reply.status,
      JSON.stringify(reply.headers),
      reply.bytes,
      reply.body,
    );
  }

  function due({ functionName, versionNumber }: LaneKey, limit: number): { rows: Row[]; nextDueAt: number | null } {
    const rows: Row[] = [];
    let nextDueAt: number | null = null;
    let below = 10;
    for (;;) {
      const level = db
        .statement(
          "SELECT max(priority) AS priority FROM jobs INDEXED BY jobs_to_take WHERE state = 'queued' AND function_name = ? AND version_number = ? AND priority < ?",
        )
        .get(functionName, versionNumber, below)?.priority as number | null;
      if (level === null) return { rows, nextDueAt };
      below = level;
      if (rows.length < limit) {
        rows.push(
          ...db
            .statement(
              'SELECT j.seq, j.id, j.mode, j.trigger_kind, j.verb, j.path, j.request_id, j.accepted_at, j.age_from, j.attempt, j.failures, j.callback_url, j.destinations ' +
                "FROM jobs j INDEXED BY jobs_to_take WHERE j.state = 'queued' AND j.function_name = ? AND j.version_number = ? AND j.priority = ? AND j.due_at <= ? " +
                'ORDER BY j.due_at, j.seq LIMIT ?',
            )
            .all(functionName, versionNumber, level, now(), limit - rows.length),
        );
      }
      if (rows.length >= limit) return { rows, nextDueAt: now() };
      // All that was due of this level is taken.
      const next = db
        .statement(
          "SELECT min(due_at) AS due_at FROM jobs INDEXED BY jobs_to_take WHERE state = 'queued' AND function_name = ? AND version_number = ? AND priority = ? AND due_at > ?",
        )
        .get(functionName, versionNumber, level, now())?.due_at as number | null;
      if (next !== null) nextDueAt = Math.min(next, nextDueAt ?? next);
    }
  }

  function take(lane: LaneKey, limit: number, leaseMs: number): { taken: Taken[]; nextDueAt: number | null } {
    const { rows, nextDueAt } = due(lane, limit);
    const taken = rows.map((row): Taken => {
      const lease = { id: row.id as string, attempt: (row.attempt as number) + 1 };
      db.statement("UPDATE jobs SET state = 'running', attempt = ?, started_at = ? WHERE seq = ?").run(lease.attempt, now(), row.seq as number);
      const input = db.statement('SELECT head, body FROM inputs WHERE seq = ?').get(row.seq as number);
      afterCommit(() => leases.give(lease, leaseMs));
      return {
        ...lane,
        lease,
        mode: row.mode as Taken['mode'],
        payload: payloadFromRow({ ...row, ...input }),
        acceptedAt: row.accepted_at as number,
        ageFrom: row.age_from as number,
        failures: row.failures as number,
        hasDeliveries: row.callback_url !== null || row.destinations !== null,
      };
    });
    return { taken, nextDueAt };
  }

  return {
    lanes: () => {
      const lanes: LaneKey[] = [];
      let [name, number] = ['', -1];
      for (;;) {
        const row = db
          .statement(
            "SELECT function_name, version_number FROM jobs INDEXED BY jobs_to_take WHERE state = 'queued' AND (function_name, version_number) > (?, ?) " +
              'ORDER BY function_name, version_number LIMIT 1',
          )
          .get(name, number);
        if (!row) return lanes;
        [name, number] = [row.function_name as string, row.version_number as number];
        lanes.push({ functionName: name, versionNumber: number });
      }
    },

    take,

    heartbeat: (held) => {
      for (const lease of held) leases.prolong(lease);
    },

    settle: (lease, verdict) => {
      const row = db.statement(RUNNING).get(lease.id, lease.attempt);
      if (!row) return false;
      const seq = row.seq as number;
      if (verdict.attempt) writeAttempt(seq, lease, verdict.attempt);
      if (verdict.kind === 'retry') {
        db.statement(
          "UPDATE jobs SET state = 'queued', due_at = ?, started_at = NULL, failures = failures + ?, status = ?, error_code = ?, error_message = ? WHERE seq = ?",
        ).run(
          now() + verdict.delayMs,
          verdict.counts ? 1 : 0,
          verdict.attempt?.status ?? null,
          verdict.attempt?.errorCode ?? null,
          verdict.attempt?.errorMessage ?? null,
          seq,
        );
      } else {
        finish(row, verdict.state, verdict, verdict.reply?.status ?? verdict.attempt?.status ?? null);
        if (verdict.reply) writeReply(seq, verdict.reply);
        if (verdict.forgetKey && row.idempotency_key !== null) {
          db.statement('DELETE FROM idempotency_keys WHERE function_name = ? AND key = ?').run(
            row.function_name as string,
            row.idempotency_key as string,
          );
        }
      }
      afterCommit(() => leases.end(lease.id));
      return true;
    },

    cancel: (id): CancelOutcome | undefined => {
      const row = db.statement('SELECT seq, state, mode, attempt, started_at, callback_url, destinations FROM jobs WHERE id = ?').get(id);
      if (!row) return undefined;
      const state = row.state as InvocationState;
      if (state !== 'queued' && state !== 'running') return { cancelled: false, state, lease: null };
      const lease = state === 'running' ? { id, attempt: row.attempt as number } : null;
      if (lease) writeAttempt(row.seq as number, lease, cutOff('cancelled', row, now(), null));
      finish(row, 'cancelled', { error: null, deadReason: null }, null);
      afterCommit(() => leases.end(id));
      return { cancelled: true, state: 'cancelled', lease };
    },

    runningLeases: () =>
      db
        .statement("SELECT id, attempt FROM jobs WHERE state = 'running'")
        .all()
        .map((row) => ({ id: row.id as string, attempt: row.attempt as number })),

    voidLeases: (voided, why) => {
      const lanes = new Map<string, LaneKey>();
      for (const lease of voided) {
        const row = db.statement(RUNNING).get(lease.id, lease.attempt);
        afterCommit(() => leases.end(lease.id));
        if (!row) continue;
        writeAttempt(row.seq as number, lease, cutOff('lost', row, now(), why));
        const losses = (row.losses as number) + 1;
        db.statement('UPDATE jobs SET losses = ? WHERE seq = ?').run(losses, row.seq as number);
        if (losses >= MAX_LOSSES) {
          const message = `It was running ${losses} times when the platform ended or lost hold of it; the last time: ${why}.`;
          finish(row, 'failed', { error: { code: 'internal', message }, deadReason: 'lost_too_often' }, null);
          continue;
        }
        db.statement("UPDATE jobs SET state = 'queued', due_at = ?, started_at = NULL WHERE seq = ?").run(now(), row.seq as number);
        const lane = { functionName: row.function_name as string, versionNumber: row.version_number as number };
        lanes.set(`${lane.functionName}@${lane.versionNumber}`, lane);
      }
      return [...lanes.values()];
    },
  };
}

function cutOff(outcome: 'lost' | 'cancelled', row: Row, now: number, errorMessage: string | null): AttemptOutcome {
  const startedAt = (row.started_at as number | null) ?? now;
  return {
    outcome,
    startedAt,
    endedAt: now,
    status: null,
    errorCode: null,
    errorMessage,
    instanceId: null,
    start: null,
    queueMs: 0,
    startMs: 0,
    runMs: Math.max(0, now - startedAt),
    logs: null,
  };
}
