import type { Queryable } from '../../postgres/postgres.ts';
import type { FiringRecord, ScheduleRecord } from '../../schemas/schedule.ts';
import { firingFromRow, noticeFromRow, scheduleFromRow } from '../rows/schedules.ts';
import type { Store } from '../store.ts';
import type { Registry } from './registry.ts';
import { bounded, inChunks } from './sql.ts';

type ScheduleOperations = Pick<
  Store,
  | 'schedules'
  | 'schedule'
  | 'changeSchedules'
  | 'deleteSchedule'
  | 'firings'
  | 'openFirings'
  | 'pruneFirings'
  | 'scheduleNotices'
  | 'deleteScheduleNotices'
>;

const MAX_ROWS = 1000;
const PRUNE_CHUNK = 500;

export function scheduleOperations(db: Queryable, registry: Registry): ScheduleOperations {
  return {
    async schedules(page) {
      const { rows } = await db.query('SELECT * FROM schedules WHERE function_name > $1 ORDER BY function_name LIMIT $2', [
        page?.after ?? '',
        page?.limit ?? null,
      ]);
      return rows.map(scheduleFromRow);
    },

    schedule: (functionName) =>
      registry.read(async (tx) => {
        const record = await tx.query('SELECT * FROM schedules WHERE function_name = $1', [functionName]);
        const open = await tx.query("SELECT * FROM schedule_firings WHERE function_name = $1 AND state = 'open' ORDER BY id", [functionName]);
        return { record: record.rows.map(scheduleFromRow)[0], open: open.rows.map(firingFromRow) };
      }),

    changeSchedules: (changes) =>
      registry.change(async (tx, changed) => {
        const refused: string[] = [];
        const stale: string[] = [];
        for (const { schedule, firings, notices } of changes) {
          const { functionName } = schedule;
          if (!(await putSchedule(tx, schedule))) {
            if ((await tx.query('SELECT 1 FROM functions WHERE name = $1', [functionName])).changes > 0) stale.push(functionName);
            else refused.push(...firings.map(({ id }) => id));
            continue;
          }
          for (const firing of firings) if (!(await putFiring(tx, firing))) refused.push(firing.id);
          for (const { id, kind, target, body, ...notice } of notices) {
            await tx.query('INSERT INTO schedule_notices (id, function_name, kind, target, body) VALUES ($1, $2, $3, $4, $5)', [
              id,
              notice.functionName,
              kind,
              JSON.stringify(target),
              body,
            ]);
          }
          changed('schedule', functionName);
        }
        return { refused, stale };
      }),

    deleteSchedule: (functionName) =>
      registry.change(async (tx, changed) => {
        await tx.query("DELETE FROM schedule_firings WHERE function_name = $1 AND state = 'open'", [functionName]);
        const { changes } = await tx.query('DELETE FROM schedules WHERE function_name = $1', [functionName]);
        if (changes === 1) changed('schedule', functionName);
        return changes === 1;
      }),

    async firings({ functionName, before, ended, limit }) {
      const { rows } = await db.query(
        `SELECT * FROM schedule_firings WHERE function_name = $1 AND fired_at < $2${ended ? " AND state NOT IN ('open', 'skipped')" : ''} ORDER BY fired_at DESC, id DESC LIMIT $3`,
        [functionName, before ?? Number.MAX_SAFE_INTEGER, bounded(limit, MAX_ROWS)],
      );
      return rows.map(firingFromRow);
    },

    async openFirings({ after, limit }) {
      const { rows } = await db.query("SELECT * FROM schedule_firings WHERE state = 'open' AND id > $1 ORDER BY id LIMIT $2", [after, limit]);
      return rows.map(firingFromRow);
    },

    pruneFirings: (before) =>
      inChunks(async () => {
        const sql = `DELETE FROM schedule_firings WHERE id IN (SELECT id FROM schedule_firings WHERE ended_at < $1 LIMIT ${PRUNE_CHUNK} FOR UPDATE SKIP LOCKED)`;
        return (await db.query(sql, [before])).changes;
      }),

    async scheduleNotices() {
      return (await db.query('SELECT * FROM schedule_notices ORDER BY id', [])).rows.map(noticeFromRow);
    },

    async deleteScheduleNotices(ids) {
      await db.query('DELETE FROM schedule_notices WHERE id = ANY ($1)', [ids]);
    },
  };
}

/** @returns false when there is no such function, or when its schedule isn't what it was */
async function putSchedule(tx: Queryable, schedule: ScheduleRecord): Promise<boolean> {
  const { changes } = await tx.query(
    'INSERT INTO schedules (function_name, event_key, next_at, due_at, last_at, round, paused, failures, failing, revision) ' +
      'SELECT name, $2, $3::float8, $4::float8, $5::float8, $6::bigint, $7::smallint, $8::bigint, $9::smallint, $10::bigint + 1 FROM functions ' +
      'WHERE name = $1 AND ($10 = 0 OR name IN (SELECT function_name FROM schedules)) ' +
      'ON CONFLICT (function_name) DO UPDATE SET event_key = excluded.event_key, next_at = excluded.next_at, due_at = excluded.due_at, ' +
      'last_at = excluded.last_at, round = excluded.round, paused = excluded.paused, failures = excluded.failures, failing = excluded.failing, ' +
      'revision = excluded.revision WHERE schedules.revision = excluded.revision - 1',
    [
      schedule.functionName,
      schedule.eventKey,
      schedule.nextAt,
      schedule.dueAt,
      schedule.lastAt,
      schedule.round,
      Number(schedule.paused),
      schedule.failures,
      Number(schedule.failing),
      schedule.revision,
    ],
  );
  return changes === 1;
}

/** @returns false when another firing was made of the same instant before */
async function putFiring(tx: Queryable, firing: FiringRecord): Promise<boolean> {
  const { changes: updated } = await tx.query('UPDATE schedule_firings SET ended_at = $2, state = $3, reason = $4 WHERE id = $1', [
    firing.id,
    firing.endedAt,
    firing.state,
    firing.reason,
  ]);
  if (updated === 1) return true;
  const { changes: inserted } = await tx.query(
    'INSERT INTO schedule_firings (id, function_name, scheduled_at, round, kind, fired_at, ended_at, state, reason) ' +
      'VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING',
    [firing.id, firing.functionName, firing.scheduledAt, firing.round, firing.kind, firing.firedAt, firing.endedAt, firing.state, firing.reason],
  );
  return inserted === 1;
}
