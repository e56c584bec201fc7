import type { FiringRecord, ScheduleRecord } from '../../schemas/schedule.ts';
import { firingFromRow, noticeFromRow, scheduleFromRow } from '../rows/schedules.ts';
import type { Database } from './database.ts';
import type { BlockingStore } from './requests.ts';

export type ScheduleOperations = Pick<
  BlockingStore,
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
/** Rows that one `pruneFirings` deletes, so that no other request waits long behind it. */
const PRUNE_CHUNK = 500;

/** Every write is on the disk before it is acknowledged. */
export function scheduleOperations(db: Database): ScheduleOperations {
  /** @returns false when there is no such function, or when its schedule isn't what it was */
  function putSchedule(schedule: ScheduleRecord): boolean {
    const { changes } = db
      .statement(
        'INSERT INTO schedules (function_name, event_key, next_at, due_at, last_at, round, paused, failures, failing, revision) ' +
          'SELECT name, ?, ?, ?, ?, ?, ?, ?, ?, ? + 1 FROM functions WHERE name = ? AND (?9 = 0 OR name IN (SELECT function_name FROM schedules)) ' +
          'ON CONFLICT (function_name) DO UPDATE SET event_key = excluded.event_key, next_at = excluded.next_at, due_at = excluded.due_at, ' +
          'last_at = excluded.last_at, round = excluded.round, paused = excluded.paused, failures = excluded.failures, failing = excluded.failing, ' +
          'revision = excluded.revision WHERE schedules.revision = excluded.revision - 1',
      )
      .run(
        schedule.eventKey,
        schedule.nextAt,
        schedule.dueAt,
        schedule.lastAt,
        schedule.round,
        Number(schedule.paused),
        schedule.failures,
        Number(schedule.failing),
        schedule.revision,
        schedule.functionName,
      );
    return changes === 1;
  }

  /** @returns false when another firing was made of the same instant before */
  function putFiring(firing: FiringRecord): boolean {
    const { changes } = db
      .statement(
        'INSERT INTO schedule_firings (id, function_name, scheduled_at, round, kind, fired_at, ended_at, state, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ' +
          'ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at, state = excluded.state, reason = excluded.reason ON CONFLICT DO NOTHING',
      )
      .run(
        firing.id,
        firing.functionName,
        firing.scheduledAt,
        firing.round,
        firing.kind,
        firing.firedAt,
        firing.endedAt,
        firing.state,
        firing.reason,
      );
    return changes === 1;
  }

  return {
    schedules: (page) =>
      db
        .statement('SELECT * FROM schedules WHERE function_name > ? ORDER BY function_name LIMIT ?')
        .all(page?.after ?? '', page?.limit ?? -1)
        .map(scheduleFromRow),

    schedule: (functionName) =>
      db.transaction('normal', () => {
        const row = db.statement('SELECT * FROM schedules WHERE function_name = ?').get(functionName);
        const open = db.statement("SELECT * FROM schedule_firings WHERE function_name = ? AND state = 'open' ORDER BY id").all(functionName);
        return { record: row && scheduleFromRow(row), open: open.map(firingFromRow) };
      }),

    changeSchedules: (changes) =>
      db.transaction('full', () => {
        const refused: string[] = [];
        const stale: string[] = [];
        for (const { schedule, firings, notices } of changes) {
          if (!putSchedule(schedule)) {
            if (db.statement('SELECT 1 FROM functions WHERE name = ?').get(schedule.functionName)) stale.push(schedule.functionName);
            else refused.push(...firings.map(({ id }) => id));
            continue;
          }
          for (const firing of firings) if (!putFiring(firing)) refused.push(firing.id);
          for (const { id, functionName, kind, target, body } of notices) {
            db.statement('INSERT INTO schedule_notices (id, function_name, kind, target, body) VALUES (?, ?, ?, ?, ?)').run(
              id,
              functionName,
              kind,
              JSON.stringify(target),
              body,
            );
          }
        }
        return { refused, stale };
      }),

    deleteSchedule: (functionName) =>
      db.transaction('full', () => {
        db.statement("DELETE FROM schedule_firings WHERE function_name = ? AND state = 'open'").run(functionName);
        return db.statement('DELETE FROM schedules WHERE function_name = ?').run(functionName).changes === 1;
      }),

    firings: ({ functionName, before, ended, limit }) =>
      db
        .statement(
          `SELECT * FROM schedule_firings WHERE function_name = ? AND fired_at < ?${ended ? " AND state NOT IN ('open', 'skipped')" : ''} ORDER BY fired_at DESC, id DESC LIMIT ?`,
        )
        .all(functionName, before ?? Number.MAX_SAFE_INTEGER, Math.min(Math.max(1, Math.trunc(limit)), MAX_ROWS))
        .map(firingFromRow),

    openFirings: ({ after, limit }) =>
      db.statement("SELECT * FROM schedule_firings WHERE state = 'open' AND id > ? ORDER BY id LIMIT ?").all(after, limit).map(firingFromRow),

    pruneFirings: (before) =>
      db.transaction('normal', () =>
        Number(
          db
            .statement(
              `DELETE FROM schedule_firings WHERE id IN (SELECT id FROM schedule_firings WHERE ended_at IS NOT NULL AND ended_at < ? LIMIT ${PRUNE_CHUNK})`,
            )
            .run(before).changes,
        ),
      ),

    scheduleNotices: () => db.statement('SELECT * FROM schedule_notices ORDER BY id').all().map(noticeFromRow),

    deleteScheduleNotices: (ids) =>
      db.transaction('full', () => {
        for (const id of ids) db.statement('DELETE FROM schedule_notices WHERE id = ?').run(id);
      }),
  };
}
