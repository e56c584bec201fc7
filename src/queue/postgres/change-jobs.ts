import { MAX_LOSSES } from '../durable-queue.ts';

/** Writes down who is to be told of the outcomes in the rows of `ended`, in the commit that the outcomes are written in: see the deliveries of SQLite's queue. */
export const PLAN_DELIVERIES = `
  INSERT INTO queue_deliveries (seq, kind, round, target, state, due_at)
  SELECT e.seq, t.kind, e.attempt, t.target, 'pending', e.ended_at
  FROM ended e CROSS JOIN LATERAL (VALUES
    ('callback', CASE WHEN e.callback_url IS NOT NULL THEN
      json_build_object('kind', 'url', 'url', e.callback_url, 'secret', e.destinations::json ->> 'callbackSecret')::text END),
    ('on_success', CASE WHEN e.state = 'succeeded' AND e.mode <> 'sync' THEN e.destinations::json ->> 'onSuccess' END),
    ('on_failure', CASE WHEN e.dead_reason IS NOT NULL AND e.mode <> 'sync' THEN e.destinations::json ->> 'onFailure' END)
  ) AS t (kind, target)
  WHERE t.target IS NOT NULL`;

interface Change {
  /** Of `queue_jobs`, after WHERE; from $3 on the values are its own. */
  where: string;
  /** Leaves rows alone that somebody else is changing. */
  skipLocked?: boolean;
  set: string;
  /** Of the attempt that was under way. */
  outcome: 'lost' | 'cancelled';
  /** Their idempotency keys may be used again. */
  forgetKeys?: boolean;
}

/** What came of attempts: whoever is changed here was not settled by whom it ran under. $1: now; $2: what the attempt that was under way is said to have ended by. */
function change({ where, skipLocked = false, set, outcome, forgetKeys = false }: Change): string {
  return `
    WITH was AS MATERIALIZED (SELECT seq, state, started_at FROM queue_jobs WHERE ${where} LIMIT 500 FOR UPDATE${skipLocked ? ' SKIP LOCKED' : ''}),
    changed AS (
      UPDATE queue_jobs j SET started_at = NULL, lease_until = NULL, ${set} FROM was WHERE j.seq = was.seq
      RETURNING j.seq, j.id, j.attempt, j.function_name, j.version_number, j.state, j.mode, j.ended_at, j.dead_reason, j.callback_url, j.destinations,
        j.idempotency_key, was.state AS old_state, was.started_at AS began_at),
    attempts AS (
      INSERT INTO queue_attempts (seq, number, outcome, started_at, ended_at, error_message, queue_ms, start_ms, run_ms)
      SELECT seq, attempt, '${outcome}', coalesce(began_at, $1), $1, $2, 0, 0, greatest(0, $1 - coalesce(began_at, $1)) FROM changed WHERE old_state = 'running'),
    ${forgetKeys ? 'keys AS (DELETE FROM queue_keys k USING changed c WHERE k.function_name = c.function_name AND k.key = c.idempotency_key),' : ''}
    ended AS (SELECT * FROM changed WHERE ended_at IS NOT NULL),
    deliveries AS (${PLAN_DELIVERIES})
    SELECT id, attempt, function_name, version_number, state, old_state FROM changed`
    .replaceAll('$1', '$1::float8')
    .replaceAll('$2', '$2::text');
}

/** A row that was changed so. */
export interface ChangedRow {
  id: string;
  attempt: number;
  function_name: string;
  version_number: number;
  state: string;
  old_state: string;
}

const isLast = `losses + 1 >= ${MAX_LOSSES}`;
const lostTooOften = (times: string, why: string) =>
  `'It was running ' || (${times}) || ' times when the platform ended or lost hold of it; the last time: ' || ${why} || '.'`;

/** Queued again, or dead letters if that happened too often. */
const voiding = (ticketDueAt: string) => `
  losses = losses + 1,
  state = CASE WHEN ${isLast} THEN 'failed' ELSE 'queued' END,
  due_at = CASE WHEN ${isLast} THEN due_at ELSE $1 END,
  ticket_due_at = ${ticketDueAt}, ticketed_at = CASE WHEN ${ticketDueAt} IS NULL THEN $1 END,
  ended_at = CASE WHEN ${isLast} THEN $1 END,
  error_code = CASE WHEN ${isLast} THEN 'internal' ELSE error_code END,
  error_message = CASE WHEN ${isLast} THEN ${lostTooOften('losses + 1', '$2')} ELSE error_message END,
  dead_reason = CASE WHEN ${isLast} THEN 'lost_too_often' END`;

/** Leases that have run out, of whichever node. Values: now, why. */
export const VOID_EXPIRED = change({
  where: "state = 'running' AND lease_until <= $1",
  skipLocked: true,
  set: voiding('$1::float8'),
  outcome: 'lost',
});
/** What a former process of this node ran. Values: now, why, node. */
export const VOID_OF_NODE = change({ where: "state = 'running' AND node = $3", set: voiding('$1::float8'), outcome: 'lost' });
/** Whoever ran them has lost their tickets, which are still good for one invocation each. Values: now, why, ids, attempts. */
export const VOID_OF_LEASES = change({
  where: "state = 'running' AND (id, attempt) IN (SELECT v.id, v.attempt FROM unnest($3::text[], $4::integer[]) AS v (id, attempt))",
  set: voiding('NULL::float8'),
  outcome: 'lost',
});
/** As these, of tickets that have come to somebody else. Values: now, why, tickets. */
export const VOID_OF_TICKETS = change({ where: "state = 'running' AND ticket = ANY ($3::text[])", set: voiding('NULL::float8'), outcome: 'lost' });
/** Values: now, null, id. */
export const CANCEL = change({
  where: "id = $3 AND state IN ('queued', 'running')",
  set: "state = 'cancelled', ended_at = $1, status = NULL, error_code = NULL, error_message = NULL, dead_reason = NULL, ticket = NULL, ticket_due_at = NULL",
  outcome: 'cancelled',
});
/** What a lane has that has grown too old: as the dispatcher would settle it. Values: now, null, function, version. */
export const BURY_TOO_OLD = change({
  where: "state = 'queued' AND function_name = $3 AND version_number = $4 AND due_at <= $1 AND $1 - age_from > max_age_ms",
  set:
    "state = 'failed', ended_at = $1, status = NULL, error_code = 'deadline_exceeded', ticket = NULL, ticket_due_at = NULL, " +
    "error_message = 'It was due ' || round(($1 - age_from) / 1000) || ' s ago, and its function''s retry.max_age_s is ' || max_age_ms / 1000 || '.', " +
    "dead_reason = CASE WHEN mode <> 'sync' THEN 'too_old' END",
  outcome: 'lost',
  forgetKeys: true,
});
/** What a ticket was used for that came back too often. Values: now, why, ticket. */
export const BURY_OF_TICKET = change({
  where: "ticket = $3 AND state IN ('queued', 'running')",
  set:
    "state = 'failed', ended_at = $1, losses = losses + 1, status = NULL, error_code = 'internal', dead_reason = 'lost_too_often', ticket = NULL, " +
    `ticket_due_at = NULL, error_message = ${lostTooOften("losses + CASE WHEN j.state = 'running' THEN 1 ELSE 0 END", '$2')}`,
  outcome: 'lost',
});
