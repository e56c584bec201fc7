import type { AttemptOutcome, CancelOutcome, DurableQueue, Lease, Verdict } from '../durable-queue.ts';
import { CANCEL, type ChangedRow, PLAN_DELIVERIES } from './change-jobs.ts';
import { GroupCommit } from './group-commit.ts';
import type { HeldTickets } from './held-tickets.ts';
import type { Outbox, Ticketable } from './outbox.ts';
import type { QueueFeed } from './queue-feed.ts';
import { asJson, type Session } from './session.ts';
import type { Voiding } from './voiding.ts';

type SettleOperations = Pick<DurableQueue, 'heartbeat' | 'settle' | 'cancel'>;

const SETTLE = `
  WITH v AS MATERIALIZED (SELECT * FROM json_to_recordset($1::json) AS v (
    n integer, id text, attempt integer, state text, due_at float8, ticket_due_at float8, counts integer, ended_at float8, status integer, error_code text,
    error_message text, dead_reason text, forget_key boolean, tried json, reply_status integer, reply_headers text, reply_bytes bigint)),
  changed AS (
    UPDATE queue_jobs j SET state = v.state, due_at = coalesce(v.due_at, j.due_at), ticket_due_at = v.ticket_due_at, ticketed_at = NULL, ticket = NULL,
      started_at = NULL, lease_until = NULL, failures = j.failures + v.counts, ended_at = v.ended_at, status = v.status, error_code = v.error_code,
      error_message = v.error_message, dead_reason = v.dead_reason
    FROM v WHERE j.id = v.id AND j.state = 'running' AND j.attempt = v.attempt
    RETURNING v.n, j.seq, j.id, j.attempt, j.mode, j.state, j.dead_reason, j.callback_url, j.destinations, j.ended_at, j.function_name, j.version_number,
      j.idempotency_key, j.due_at, j.ticket_due_at, j.age_from, j.max_age_ms),
  attempts AS (
    INSERT INTO queue_attempts (seq, number, outcome, started_at, ended_at, status, error_code, error_message, instance_id, start_kind, queue_ms, start_ms, run_ms, logs)
    SELECT c.seq, c.attempt, t."outcome", t."startedAt", t."endedAt", t."status", t."errorCode", t."errorMessage", t."instanceId", t."start", t."queueMs", t."startMs",
      t."runMs", t."logs"
    FROM changed c JOIN v ON v.n = c.n CROSS JOIN LATERAL json_to_record(v.tried) AS t ("outcome" text, "startedAt" float8, "endedAt" float8, "status" integer,
      "errorCode" text, "errorMessage" text, "instanceId" text, "start" text, "queueMs" float8, "startMs" float8, "runMs" float8, "logs" text)
    WHERE v.tried IS NOT NULL),
  results AS (
    INSERT INTO queue_results (seq, status, headers, bytes, body)
    SELECT c.seq, v.reply_status, v.reply_headers, v.reply_bytes, b.body
    FROM changed c JOIN v ON v.n = c.n JOIN unnest($2::bytea[]) WITH ORDINALITY AS b (body, n) ON b.n = c.n WHERE v.reply_status IS NOT NULL),
  keys AS (
    DELETE FROM queue_keys k USING changed c JOIN v ON v.n = c.n
    WHERE v.forget_key AND k.function_name = c.function_name AND k.key = c.idempotency_key),
  ended AS (SELECT * FROM changed WHERE ended_at IS NOT NULL),
  deliveries AS (${PLAN_DELIVERIES})
  SELECT n, id, function_name AS "functionName", version_number AS "versionNumber", state, due_at, ticket_due_at, age_from AS "ageFrom", max_age_ms AS "maxAgeMs"
  FROM changed`;

const HEARTBEAT = `
  UPDATE queue_jobs j SET lease_until = $3::float8 + j.lease_ms FROM unnest($1::text[], $2::integer[]) AS v (id, attempt)
  WHERE j.id = v.id AND j.state = 'running' AND j.attempt = v.attempt RETURNING j.id`;

interface Settlement {
  lease: Lease;
  verdict: Verdict;
}

export function settleOperations(session: Session, held: HeldTickets, outbox: Outbox, feed: QueueFeed, voiding: Voiding): SettleOperations {
  const { db, now } = session;
  const commit = new GroupCommit<Settlement, boolean>(async (settlements) => {
    const at = now();
    const rows = settlements.map((settlement, index) => ({ n: index + 1, ...rowOf(settlement, at, outbox) }));
    const { rows: settled } = await db.query<Ticketable & { n: number; state: string }>(SETTLE, [
      asJson(rows),
      settlements.map(({ verdict }) => (verdict.kind === 'done' ? (verdict.reply?.body ?? null) : null)),
    ]);
    for (const { id } of settled) feed.changed(id);
    outbox.queued(settled.filter(({ state }) => state === 'queued'));
    const valid = new Set(settled.map(({ n }) => n));
    return settlements.map((_, index) => valid.has(index + 1));
  });

  return {
    async heartbeat(leases) {
      const asked = leases.filter((lease) => !voiding.isFenced(lease));
      if (asked.length === 0) return;
      const { rows } = await db.query<{ id: string }>(HEARTBEAT, [asked.map(({ id }) => id), asked.map(({ attempt }) => attempt), now()]);
      const valid = new Set(rows.map(({ id }) => id));
      const gone = asked.filter(({ id }) => !valid.has(id));
      // Nobody has told, or what they told was lost.
      if (gone.length > 0) voiding.elsewhere(gone);
    },

    async settle(lease, verdict) {
      if (voiding.isFenced(lease)) {
        voiding.forget(lease);
        return false;
      }
      const valid = await commit.add({ lease, verdict }, lease.id, sizeOf(verdict));
      held.done(lease);
      return valid;
    },

    async cancel(id): Promise<CancelOutcome | undefined> {
      const { rows } = await db.query<ChangedRow>(CANCEL, [now(), null, id]);
      const [row] = rows;
      if (!row) {
        const { rows: over } = await db.query<{ state: CancelOutcome['state'] }>('SELECT state FROM queue_jobs WHERE id = $1', [id]);
        return over[0] && { cancelled: false, state: over[0].state, lease: null };
      }
      const lease = row.old_state === 'running' ? { id, attempt: row.attempt } : null;
      if (lease) {
        feed.voided(lease);
        held.done(lease);
      } else feed.changed(id);
      return { cancelled: true, state: 'cancelled', lease };
    },
  };
}

function rowOf({ lease, verdict }: Settlement, at: number, outbox: Outbox) {
  const { attempt } = verdict;
  const tried: AttemptOutcome | null = attempt;
  if (verdict.kind === 'retry') {
    const dueAt = at + verdict.delayMs;
    return {
      ...lease,
      state: 'queued',
      due_at: dueAt,
      ticket_due_at: outbox.firstDueAt(dueAt, at),
      counts: verdict.counts ? 1 : 0,
      ended_at: null,
      status: attempt?.status ?? null,
      error_code: attempt?.errorCode ?? null,
      error_message: attempt?.errorMessage ?? null,
      dead_reason: null,
      forget_key: false,
      tried,
    };
  }
  const { reply, error } = verdict;
  return {
    ...lease,
    state: verdict.state,
    counts: 0,
    ended_at: at,
    status: reply?.status ?? attempt?.status ?? null,
    error_code: error?.code ?? null,
    error_message: error?.message ?? null,
    dead_reason: verdict.deadReason,
    forget_key: verdict.forgetKey,
    tried,
    ...(reply ? { reply_status: reply.status, reply_headers: JSON.stringify(reply.headers), reply_bytes: reply.bytes } : {}),
  };
}

function sizeOf(verdict: Verdict): number {
  const logs = verdict.attempt?.logs?.length ?? 0;
  return 1024 + logs + (verdict.kind === 'done' ? (verdict.reply?.body?.length ?? 0) : 0);
}
