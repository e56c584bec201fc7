import type { FiringRecord, ScheduleNotice, ScheduleRecord, ScheduleTarget } from '../../schemas/schedule.ts';
import type { Row } from './row.ts';

/** The tables' types and our own INSERT vouch for the types here. */

export function scheduleFromRow(row: Row): ScheduleRecord {
  return {
    functionName: row.function_name as string,
    eventKey: row.event_key as string,
    nextAt: row.next_at as number | null,
    dueAt: row.due_at as number | null,
    lastAt: row.last_at as number | null,
    round: row.round as number,
    paused: row.paused === 1,
    failures: row.failures as number,
    failing: row.failing === 1,
    revision: row.revision as number,
  };
}

export function firingFromRow(row: Row): FiringRecord {
  return {
    id: row.id as string,
    functionName: row.function_name as string,
    scheduledAt: row.scheduled_at as number,
    round: row.round as number,
    kind: row.kind as FiringRecord['kind'],
    firedAt: row.fired_at as number,
    endedAt: row.ended_at as number | null,
    state: row.state as FiringRecord['state'],
    reason: row.reason as string | null,
  };
}

export function noticeFromRow(row: Row): ScheduleNotice {
  return {
    id: row.id as string,
    functionName: row.function_name as string,
    kind: row.kind as ScheduleNotice['kind'],
    target: JSON.parse(row.target as string) as ScheduleTarget,
    body: row.body as string,
  };
}
