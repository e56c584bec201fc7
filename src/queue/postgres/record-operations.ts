import type { InvocationState } from '../../schemas/records.ts';
import type { DeadLetterFilter, DurableQueue, LaneKey } from '../durable-queue.ts';
import { attemptFromRow, JOB_COLUMNS, jobFromRow, type Row, replyFromRow } from '../job-rows.ts';
import { laneName } from '../lane.ts';
import { deliveriesOf } from './delivery-operations.ts';
import type { Outbox, Ticketable } from './outbox.ts';
import type { QueueFeed } from './queue-feed.ts';
import type { Session } from './session.ts';

type RecordOperations = Pick<DurableQueue, 'get' | 'list' | 'deadLetters' | 'redrive' | 'redriveMany' | 'discard' | 'prune'>;

const MAX_ROWS = 1000;
/** Invocations that one statement deletes. */
const PRUNE_CHUNK = 500;
const STATES: readonly InvocationState[] = ['queued', 'running', 'succeeded', 'failed', 'timed_out', 'cancelled'];
/** Later than any instant. */
const NEVER = Number.MAX_SAFE_INTEGER;

/** Each state is read in the order of its index, and as many as are asked for at most; the newest of all are among them. */
const list = (where: string) => `
  SELECT found.* FROM unnest($1::text[]) AS s (state) CROSS JOIN LATERAL (
    SELECT ${JOB_COLUMNS} FROM queue_jobs j WHERE ${where} j.state = s.state AND j.accepted_at < $2::float8 ORDER BY j.accepted_at DESC, j.id DESC LIMIT $3) found`;
const LIST = list('');
const LIST_OF_FUNCTION = list('j.function_name = $4 AND');

const dead = (columns: string, where: string, locking: string) =>
  `SELECT ${columns} FROM queue_jobs WHERE dead_reason IS NOT NULL AND ${where} ended_at < $1::float8 ORDER BY ended_at DESC, id DESC LIMIT $2 ${locking}`;
const DEAD = dead(JOB_COLUMNS, '', '');
const DEAD_OF_FUNCTION = dead(JOB_COLUMNS, 'function_name = $3 AND', '');

/** $1: now, $2: when a ticket is due; from $3 on the values are the selection's. */
const revive = (selection: string) => `
  WITH dead AS MATERIALIZED (${selection}),
  results AS (DELETE FROM queue_results r USING dead WHERE r.seq = dead.seq),
  deliveries AS (DELETE FROM queue_deliveries d USING dead WHERE d.seq = dead.seq)
  UPDATE queue_jobs j SET state = 'queued', mode = 'async', due_at = $1::float8, age_from = $1::float8, ticket_due_at = $2::float8, ticketed_at = NULL,
    ended_at = NULL, failures = 0, losses = 0, status = NULL, error_code = NULL, error_message = NULL, dead_reason = NULL
  FROM dead WHERE j.seq = dead.seq
  RETURNING j.id, j.function_name AS "functionName", j.version_number AS "versionNumber", j.due_at, j.ticket_due_at, j.age_from AS "ageFrom", j.max_age_ms AS "maxAgeMs"`;
const REDRIVE = revive('SELECT seq FROM queue_jobs WHERE id = $3 AND dead_reason IS NOT NULL FOR UPDATE');
const REDRIVE_MANY = revive(
  'SELECT seq FROM queue_jobs WHERE dead_reason IS NOT NULL AND ended_at < $3::float8 ORDER BY ended_at DESC, id DESC LIMIT $4 FOR UPDATE SKIP LOCKED',
);
const REDRIVE_MANY_OF_FUNCTION = revive(
  'SELECT seq FROM queue_jobs WHERE dead_reason IS NOT NULL AND function_name = $5 AND ended_at < $3::float8 ORDER BY ended_at DESC, id DESC LIMIT $4 FOR UPDATE SKIP LOCKED',
);

const erase = (selection: string) => `
  WITH gone AS MATERIALIZED (${selection}),
  inputs AS (DELETE FROM queue_inputs t USING gone WHERE t.seq = gone.seq),
  attempts AS (DELETE FROM queue_attempts t USING gone WHERE t.seq = gone.seq),
  results AS (DELETE FROM queue_results t USING gone WHERE t.seq = gone.seq),
  deliveries AS (DELETE FROM queue_deliveries t USING gone WHERE t.seq = gone.seq)
  DELETE FROM queue_jobs j USING gone WHERE j.seq = gone.seq`;
const DISCARD = erase('SELECT seq FROM queue_jobs WHERE id = $1 AND dead_reason IS NOT NULL FOR UPDATE');
const PRUNE = erase(
  `SELECT seq FROM queue_jobs WHERE ended_at IS NOT NULL AND dead_reason IS NULL AND ended_at < $1::float8 ORDER BY ended_at LIMIT ${PRUNE_CHUNK} FOR UPDATE SKIP LOCKED`,
);
const PRUNE_DEAD = erase(
  `SELECT seq FROM queue_jobs WHERE dead_reason IS NOT NULL AND ended_at < $1::float8 ORDER BY ended_at LIMIT ${PRUNE_CHUNK} FOR UPDATE SKIP LOCKED`,
);
const PRUNE_KEYS = `
  WITH gone AS MATERIALIZED (SELECT function_name, key FROM queue_keys WHERE expires_at < $1::float8 ORDER BY expires_at LIMIT ${PRUNE_CHUNK} FOR UPDATE SKIP LOCKED)
  DELETE FROM queue_keys k USING gone WHERE k.function_name = gone.function_name AND k.key = gone.key`;

export function recordOperations({ db, now }: Session, outbox: Outbox, feed: QueueFeed): RecordOperations {
  const bounded = (limit: number) => Math.min(Math.max(1, Math.trunc(limit)), MAX_ROWS);

  async function redrive(sql: string, ...values: readonly unknown[]): Promise<Ticketable[]> {
    const at = now();
    const { rows } = await db.query<Ticketable>(sql, [at, outbox.firstDueAt(at, at), ...values]);
    for (const { id } of rows) feed.changed(id);
    outbox.queued(rows);
    return rows;
  }

  async function pruneAll(sql: string, before: number): Promise<number> {
    let total = 0;
    for (;;) {
      const { changes } = await db.query(sql, [before]);
      total += changes;
      if (changes < PRUNE_CHUNK) return total;
    }
  }

  return {
    async get(id) {
      const { rows } = await db.query<Row>(`SELECT ${JOB_COLUMNS} FROM queue_jobs WHERE id = $1`, [id]);
      const [row] = rows;
      if (!row) return undefined;
      const seq = row.seq as number;
      const [attempts, result, deliveries] = await Promise.all([
        row.attempt === 0 ? { rows: [] } : db.query<Row>('SELECT * FROM queue_attempts WHERE seq = $1 ORDER BY number', [seq]),
        row.ended_at === null ? { rows: [] } : db.query<Row>('SELECT status, headers, bytes, body FROM queue_results WHERE seq = $1', [seq]),
        row.ended_at === null ? [] : deliveriesOf(db, seq),
      ]);
      return {
        ...jobFromRow(row),
        attempts: attempts.rows.map(attemptFromRow),
        runningSince: row.started_at as number | null,
        result: result.rows[0] ? replyFromRow(result.rows[0]) : null,
        deliveries,
      };
    },

    async list({ functionName, state, before = NEVER, limit }) {
      const size = bounded(limit);
      const values = [state === undefined ? STATES : [state], before, size];
      const { rows } =
        functionName === undefined ? await db.query<Row>(LIST, values) : await db.query<Row>(LIST_OF_FUNCTION, [...values, functionName]);
      return rows
        .map(jobFromRow)
        .sort((a, b) => b.acceptedAt - a.acceptedAt || (a.id < b.id ? 1 : -1))
        .slice(0, size);
    },

    async deadLetters({ functionName, before = NEVER, limit }: DeadLetterFilter) {
      const values = [before, bounded(limit)];
      const { rows } =
        functionName === undefined ? await db.query<Row>(DEAD, values) : await db.query<Row>(DEAD_OF_FUNCTION, [...values, functionName]);
      return rows.map(jobFromRow);
    },
    async redrive(id) {
      const [job] = await redrive(REDRIVE, id);
      return job && laneOf(job);
    },
    async redriveMany({ functionName, before = NEVER, limit }) {
      const values = [before, bounded(limit)];
      const jobs =
        functionName === undefined ? await redrive(REDRIVE_MANY, ...values) : await redrive(REDRIVE_MANY_OF_FUNCTION, ...values, functionName);
      return { redriven: jobs.length, lanes: [...new Map(jobs.map((job) => [laneName(job), laneOf(job)])).values()] };
    },
    discard: async (id) => (await db.query(DISCARD, [id])).changes > 0,

    async prune(endedBefore, deadBefore) {
      return (await pruneAll(PRUNE, endedBefore)) + (await pruneAll(PRUNE_DEAD, deadBefore)) + (await pruneAll(PRUNE_KEYS, now()));
    },
  };
}

function laneOf({ functionName, versionNumber }: LaneKey): LaneKey {
  return { functionName, versionNumber };
}
