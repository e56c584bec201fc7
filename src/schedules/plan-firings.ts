import type { FiringRecord, SchedulePolicy, ScheduleRecord } from '../schemas/schedule.ts';
import type { CronTimes } from './cron.ts';
import { dueAt, moveTo } from './cursor.ts';

/** Noticed later than that, an instant is missed: the machine slept, or its clock was set. */
const ON_TIME_MS = 10_000;
/** Missed instants of one schedule that get a firing each, at most; the latest. */
const MAX_CATCH_UP = 100;
/** Firings of one schedule that are queued or running, at most. */
export const MAX_OPEN = 1000;

export interface Planning {
  record: ScheduleRecord;
  policy: SchedulePolicy;
  times: CronTimes;
  now: number;
  /** Firings that are queued or running. */
  open: number;
  /** What is due was due when the platform was not there. */
  wasDown: boolean;
  newId: () => string;
}

export interface Plan {
  schedule: ScheduleRecord;
  /** In the order of their instants; those that are not `open` are notes that an instant was left out. */
  firings: FiringRecord[];
  /** Those that are queued or running are to be cancelled first. */
  replaces: boolean;
}

/**
 * What becomes of the instants that are due. `wait`: missed ones are made up for one after another, and the one before is not over.
 * @returns null when nothing is due
 */
export function planFirings(planning: Planning): Plan | 'wait' | null {
  const { record, policy, times, now, open, wasDown } = planning;
  if (record.paused || record.nextAt === null || record.dueAt === null || record.dueAt > now) return null;
  if (!wasDown && now - record.dueAt <= ON_TIME_MS) return planOnTime(planning, record.nextAt);
  const due = (instant: number) => dueAt(record.functionName, instant, times, policy) <= now;
  const sequential = policy.missed === 'all' && policy.overlap === 'forbid';
  if (sequential && open > 0) return 'wait';
  // One more than are wanted, for the last may be put off until later.
  const found = times.before(now + 1, policy.missed === 'all' && policy.overlap !== 'replace' ? MAX_CATCH_UP + 1 : 2);
  const missed = found.filter((instant) => instant >= (record.nextAt as number) && due(instant));
  const latest = missed[0] ?? record.nextAt;
  const from = now - policy.missedWithinS * 1000;
  const wanted = policy.missed === 'skip' ? [] : missed.filter((instant) => instant >= from);
  let instants: number[];
  if (policy.missed === 'all' && policy.overlap !== 'replace') instants = wanted.slice(0, MAX_CATCH_UP).reverse();
  else instants = wanted.slice(0, 1);
  if (sequential) instants = instants.slice(0, 1);
  if (instants.length === 0) return planOf(planning, latest, [firing(planning, latest, 'skipped', 'missed')], false);
  const last = instants.at(-1) as number;
  return planOf(planning, sequential ? last : latest, fire(planning, instants, 'catch_up'), policy.overlap === 'replace');
}

/** Several when they are a second apart and the process was busy. */
function planOnTime(planning: Planning, first: number): Plan {
  const { record, policy, times, now } = planning;
  const instants = [first];
  for (let at = times.next(first); at !== null && dueAt(record.functionName, at, times, policy) <= now; at = times.next(at)) instants.push(at);
  return planOf(planning, instants.at(-1) as number, fire(planning, instants, 'scheduled'), policy.overlap === 'replace');
}

function planOf({ record, policy, times }: Planning, last: number, firings: FiringRecord[], replaces: boolean): Plan {
  const schedule = moveTo({ ...record, lastAt: last }, times.next(last), times, policy);
  return { schedule, firings, replaces };
}

function fire(planning: Planning, instants: readonly number[], kind: FiringRecord['kind']): FiringRecord[] {
  const { policy } = planning;
  let open = planning.open;
  return instants.map((instant, index) => {
    if (policy.overlap === 'replace') {
      if (index < instants.length - 1) return firing(planning, instant, 'skipped', 'replaced');
    } else if (policy.overlap === 'forbid' ? open > 0 : open >= MAX_OPEN) {
      return firing(planning, instant, 'skipped', policy.overlap === 'forbid' ? 'overlap' : 'too_many_open');
    }
    open++;
    return firing(planning, instant, 'open', null, kind);
  });
}

function firing(
  { record, now, newId }: Planning,
  scheduledAt: number,
  state: 'open' | 'skipped',
  reason: string | null,
  kind: FiringRecord['kind'] = 'scheduled',
): FiringRecord {
  const { functionName, round } = record;
  return { id: newId(), functionName, scheduledAt, round, kind, firedAt: now, endedAt: state === 'open' ? null : now, state, reason };
}
