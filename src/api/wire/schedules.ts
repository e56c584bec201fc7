import { type Static, Type } from 'typebox';
import type { ScheduleStatus } from '../../schedules/in-force.ts';
import { EventKey } from '../../schemas/function.ts';
import type { FiringRecord, SchedulePolicy } from '../../schemas/schedule.ts';
import { Instant, Nullable, OneOf } from './common.ts';

const policyMembers = {
  missed: OneOf(['skip', 'once', 'all']),
  missed_within_s: Type.Integer(),
  overlap: OneOf(['forbid', 'allow', 'replace']),
  jitter_s: Type.Integer(),
  on_failure: Nullable(Type.Object({ after: Type.Integer(), function: Type.String() })),
  on_recovery: Nullable(Type.Object({ function: Type.String() })),
};

/** As a member of a function. */
export const SchedulePolicyOnTheWire = Type.Object(policyMembers, { description: 'How it is run by the clock; null: it is not.' });

export function schedulePolicy({ missed, missedWithinS, overlap, jitterS, onFailure, onRecovery }: SchedulePolicy) {
  return {
    missed,
    missed_within_s: missedWithinS,
    overlap,
    jitter_s: jitterS,
    on_failure: onFailure && { after: onFailure.after, function: onFailure.target.name },
    on_recovery: onRecovery && { function: onRecovery.target.name },
  };
}

export const Firing = Type.Object(
  {
    id: Type.String({ description: 'Of the invocation, if one was made: GET /invocations/{id}.' }),
    scheduled_at: Instant,
    kind: OneOf(['scheduled', 'catch_up', 'manual'], {
      description: '`catch_up`: for instants at which the platform was down. `manual`: somebody asked for it.',
    }),
    state: OneOf(['open', 'skipped', 'succeeded', 'failed', 'timed_out', 'cancelled', 'lost'], {
      description: '`open`: its invocation is queued or running. `skipped`: the instant was left out.',
    }),
    reason: Nullable(
      Type.String({
        description: '`overlap`, `missed`, `replaced` or `too_many_open` of one that was left out; what went wrong of one that failed.',
      }),
    ),
    fired_at: Instant,
    ended_at: Nullable(Instant),
  },
  { title: 'Firing' },
);

export function firing({ id, scheduledAt, kind, state, reason, firedAt, endedAt }: FiringRecord): Static<typeof Firing> {
  return { id, scheduled_at: scheduledAt, kind, state, reason, fired_at: firedAt, ended_at: endedAt };
}

const members = {
  function_name: Type.String(),
  event_type: EventKey,
  version: Type.Integer(),
  paused: Type.Boolean(),
  next_at: Nullable(Type.Number({ description: 'The next instant of the expression; null: paused. Milliseconds since 1970-01-01 UTC.' })),
  next_due_at: Nullable(Type.Number({ description: 'When it is fired: that instant and its jitter.' })),
  failures_in_a_row: Type.Integer(),
  failing: Type.Boolean({ description: '`on_failure` was invoked, and no success has come since.' }),
  open: Type.Integer({ description: 'Its invocations that are queued or running.' }),
  last_firing: Nullable(Firing),
  last_outcome: Nullable(Firing),
};

export const ScheduleSummary = Type.Object(members, { title: 'ScheduleSummary' });

export const ScheduleDetail = Type.Object(
  {
    ...members,
    ...policyMembers,
    next_firings: Type.Array(Instant, { description: 'The next five instants of the expression.' }),
    firings: Type.Array(Firing, { description: 'The last hundred, newest first.' }),
  },
  { title: 'ScheduleDetail' },
);

export interface LastFirings {
  last: FiringRecord | undefined;
  lastOver: FiringRecord | undefined;
}

export function scheduleSummary({ version, record, open }: ScheduleStatus, { last, lastOver }: LastFirings): Static<typeof ScheduleSummary> {
  return {
    function_name: version.functionName,
    event_type: version.eventKey,
    version: version.number,
    paused: record.paused,
    next_at: record.paused ? null : record.nextAt,
    next_due_at: record.paused ? null : record.dueAt,
    failures_in_a_row: record.failures,
    failing: record.failing,
    open: open.length,
    last_firing: last ? firing(last) : null,
    last_outcome: lastOver ? firing(lastOver) : null,
  };
}
