import type { SchedulePolicy, ScheduleRecord } from '../schemas/schedule.ts';
import type { CronTimes } from './cron.ts';
import { jitterOf } from './jitter.ts';

/** A clock that is set back by less is waited for. */
const SET_BACK_MS = 60_000;
/** Times of the day that have had their firing don't get another when the clock is set back by less; as cron does it. */
const SET_BACK_FAR_MS = 3 * 3600_000;

/** When that instant is fired. */
export function dueAt(functionName: string, instant: number, times: CronTimes, policy: SchedulePolicy): number {
  if (policy.jitterS === 0) return instant;
  const next = times.next(instant);
  return instant + jitterOf(functionName, instant, policy.jitterS * 1000, next === null ? null : next - instant);
}

/** With the cursor at that instant. */
export function moveTo(record: ScheduleRecord, nextAt: number | null, times: CronTimes, policy: SchedulePolicy): ScheduleRecord {
  return { ...record, nextAt, dueAt: nextAt === null ? null : dueAt(record.functionName, nextAt, times, policy) };
}

export function newSchedule(functionName: string, eventKey: string): ScheduleRecord {
  return { functionName, eventKey, nextAt: null, dueAt: null, lastAt: null, round: 0, paused: false, failures: 0, failing: false, revision: 0 };
}

/**
 * For a clock that was set back: intervals go on by the new time, in a new round, in which instants may come again; times of the day only when it was set back
 * far. Undefined when there is nothing to change.
 */
export function rewind(record: ScheduleRecord, times: CronTimes, policy: SchedulePolicy, now: number): ScheduleRecord | undefined {
  const first = times.next(now);
  if (first === null || (record.nextAt !== null && first >= record.nextAt)) return undefined;
  if (record.lastAt === null || record.lastAt <= now) return record.nextAt === null ? undefined : moveTo(record, first, times, policy);
  const ahead = record.lastAt - now;
  if (ahead <= SET_BACK_MS || (times.isFixedTime && ahead <= SET_BACK_FAR_MS)) return undefined;
  return moveTo({ ...record, lastAt: null, round: record.round + 1 }, first, times, policy);
}
