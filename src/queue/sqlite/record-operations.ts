import type { SQLInputValue } from 'node:sqlite';
import type { InvocationState } from '../../schemas/records.ts';
import type { DeadLetterFilter, InvocationDetail, LaneKey, QueuedInvocation } from '../durable-queue.ts';
import { attemptFromRow, JOB_COLUMNS, jobFromRow, type Row, replyFromRow } from '../job-rows.ts';
import { deliveriesOf } from './delivery-operations.ts';
import type { BlockingQueue } from './messages.ts';
import type { Session } from './operations.ts';

type RecordOperations = Pick<BlockingQueue, 'get' | 'list' | 'deadLetters' | 'redrive' | 'redriveMany' | 'discard' | 'prune'>;

const JOB_SELECT = `SELECT ${JOB_COLUMNS} FROM jobs`;
const MAX_ROWS = 1000;
/** Invocations that one `prune` deletes, so that no other request waits long behind it. */
const PRUNE_CHUNK = 500;
const STATES: readonly InvocationState[] = ['queued', 'running', 'succeeded', 'failed', 'timed_out', 'cancelled'];
/** Later than any instant. */
const NEVER = Number.MAX_SAFE_INTEGER;

export function recordOperations({ db, now }: Session): RecordOperations {
  const bounded = (limit: number) => Math.min(Math.max(1, Math.trunc(limit)), MAX_ROWS);

  function page(state: InvocationState, functionName: string | undefined, before: number, limit: number): QueuedInvocation[] {
    const [where, values]: [string, SQLInputValue[]] = functionName === undefined ? ['', []] : ['function_name = ? AND ', [functionName]];
    return db
      .statement(`${JOB_SELECT} WHERE ${where}state = ? AND accepted_at < ? ORDER BY accepted_at DESC, id DESC LIMIT ?`)
      .all(...values, state, before, limit)
      .map(jobFromRow);
  }

  function deadRows({ functionName, before, limit }: DeadLetterFilter): Row[] {
    const [where, values]: [string, SQLInputValue[]] = functionName === undefined ? ['', []] : ['function_name = ? AND ', [functionName]];
    return db
      .statement(`${JOB_SELECT} WHERE dead_reason IS NOT NULL AND ${where}ended_at < ? ORDER BY ended_at DESC, id DESC LIMIT ?`)
      .all(...values, before ?? NEVER, bounded(limit));
  }

  function revive(row: Row): LaneKey {
    const seq = row.seq as number;
    for (const table of ['results', 'deliveries']) db.statement(`DELETE FROM ${table} WHERE seq = ?`).run(seq);
    db.statement(
      "UPDATE jobs SET state = 'queued', mode = 'async', due_at = ?, age_from = ?, ended_at = NULL, failures = 0, losses = 0, status = NULL, error_code = NULL, " +
        'error_message = NULL, dead_reason = NULL WHERE seq = ?',
    ).run(now(), now(), seq);
    return { functionName: row.function_name as string, versionNumber: row.version_number as number };
  }

  function erase(seq: number): void {
    for (const table of ['inputs', 'attempts', 'results', 'deliveries', 'jobs']) db.statement(`DELETE FROM ${table} WHERE seq = ?`).run(seq);
  }

  return {
    get: (id): InvocationDetail | undefined => {
      const row = db.statement(`${JOB_SELECT} WHERE id = ?`).get(id);
      if (!row) return undefined;
      const attempts = db
        .statement('SELECT * FROM attempts WHERE seq = ? ORDER BY number')
        .all(row.seq as number)
        .map(attemptFromRow);
      const result = db.statement('SELECT status, headers, bytes, body FROM results WHERE seq = ?').get(row.seq as number);
      return {
        ...jobFromRow(row),
        attempts,
        runningSince: row.started_at as number | null,
        result: result ? replyFromRow(result) : null,
        deliveries: deliveriesOf(db, row.seq as number),
      };
    },

    // Each state is read in the order of its index, and as many as are asked for at most; the newest of all are among them.
    list: ({ functionName, state, before = NEVER, limit }) => {
      const size = bounded(limit);
      const found = (state === undefined ? STATES : [state]).flatMap((one) => page(one, functionName, before, size));
      return found.sort((a, b) => b.acceptedAt - a.acceptedAt || (a.id < b.id ? 1 : -1)).slice(0, size);
    },

    deadLetters: (filter) => deadRows(filter).map(jobFromRow),
    redrive: (id) => {
      const row = db.statement(`${JOB_SELECT} WHERE id = ? AND dead_reason IS NOT NULL`).get(id);
      return row && revive(row);
    },
    redriveMany: (filter) => {
      const lanes = new Map<string, LaneKey>();
      const rows = deadRows(filter);
      for (const row of rows) {
        const lane = revive(row);
        lanes.set(`${lane.functionName}@${lane.versionNumber}`, lane);
      }
      return { redriven: rows.length, lanes: [...lanes.values()] };
    },
    discard: (id) => {
      const row = db.statement('SELECT seq FROM jobs WHERE id = ? AND dead_reason IS NOT NULL').get(id);
      if (!row) return false;
      erase(row.seq as number);
      return true;
    },

    prune: (endedBefore, deadBefore) => {
      const rows = [
        ...db
          .statement('SELECT seq FROM jobs WHERE ended_at IS NOT NULL AND dead_reason IS NULL AND ended_at < ? LIMIT ?')
          .all(endedBefore, PRUNE_CHUNK),
        ...db.statement('SELECT seq FROM jobs WHERE dead_reason IS NOT NULL AND ended_at < ? LIMIT ?').all(deadBefore, PRUNE_CHUNK),
      ];
      for (const row of rows) erase(row.seq as number);
      const keys = db
        .statement(
          `DELETE FROM idempotency_keys WHERE (function_name, key) IN (SELECT function_name, key FROM idempotency_keys WHERE expires_at < ? LIMIT ${PRUNE_CHUNK})`,
        )
        .run(now());
      return rows.length + Number(keys.changes);
    },
  };
}
