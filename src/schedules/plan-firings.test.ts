import { describe, expect, test } from 'vitest';
import { type CronKey, parseEventKey } from '../router/event-key.ts';
import type { SchedulePolicy } from '../schemas/schedule.ts';
import { CronReader } from './cron.ts';
import { moveTo, newSchedule, rewind } from './cursor.ts';
import { type Plan, type Planning, planFirings } from './plan-firings.ts';

const T = Date.parse('2026-05-01T12:00:00Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const reader = new CronReader();

const policyOf = (members: Partial<SchedulePolicy>): SchedulePolicy => ({
  missed: 'once',
  missedWithinS: 86_400,
  overlap: 'forbid',
  jitterS: 0,
  onFailure: null,
  onRecovery: null,
  ...members,
});

interface Situation extends Partial<Omit<Planning, 'policy' | 'times' | 'record'>> {
  expression?: string;
  /** Where the cursor is. */
  at?: number;
  policy?: Partial<SchedulePolicy>;
  paused?: boolean;
}

function planning({ expression = '* * * * *', at = T, policy: members = {}, paused = false, ...rest }: Situation): Planning {
  const policy = policyOf(members);
  const times = reader.times(parseEventKey(`cron|${expression}`) as CronKey);
  const record = { ...moveTo(newSchedule('f', `cron|${expression}`), at, times, policy), paused };
  let ids = 0;
  return { record, policy, times, now: T, open: 0, wasDown: false, newId: () => `id-${++ids}`, ...rest };
}

/** Minutes after T, kind or reason, of each firing; and where the cursor is then. */
function outline(plan: Plan | 'wait' | null): unknown {
  if (plan === null || plan === 'wait') return plan;
  const minutes = (at: number | null) => (at === null ? null : (at - T) / MINUTE);
  return {
    firings: plan.firings.map(({ scheduledAt, state, kind, reason }) => `${minutes(scheduledAt)} ${state === 'open' ? kind : reason}`),
    next: minutes(plan.schedule.nextAt),
  };
}

const plan = (situation: Situation) => outline(planFirings(planning(situation)));

describe('an instant that is due', () => {
  test('is fired, and the cursor moves on', () => {
    expect(plan({ now: T + 3 })).toEqual({ firings: ['0 scheduled'], next: 1 });
    const { schedule, firings } = planFirings(planning({ now: T + 3 })) as Plan;
    expect(schedule).toMatchObject({ lastAt: T, nextAt: T + MINUTE, dueAt: T + MINUTE });
    expect(firings).toEqual([
      { id: 'id-1', functionName: 'f', scheduledAt: T, round: 0, kind: 'scheduled', firedAt: T + 3, endedAt: null, state: 'open', reason: null },
    ]);
  });

  test('is not fired before its time, nor while the schedule is paused', () => {
    expect(plan({ now: T - 1 })).toBeNull();
    expect(plan({ paused: true })).toBeNull();
  });

  test('has several companions when they are seconds apart and the process was busy', () => {
    const situation: Situation = { expression: '* * * * * *', now: T + 2500, policy: { overlap: 'allow' } };
    expect(planFirings(planning(situation))).toMatchObject({
      firings: [0, 1000, 2000].map((ms) => ({ scheduledAt: T + ms, state: 'open', kind: 'scheduled' })),
      schedule: { nextAt: T + 3000 },
    });
  });

  test('is fired late by its jitter, and before the next one', () => {
    const { record } = planning({ policy: { jitterS: 3600 } });
    expect(record.dueAt).toBeGreaterThanOrEqual(T);
    expect(record.dueAt).toBeLessThan(T + MINUTE);
    expect(plan({ policy: { jitterS: 3600 }, now: (record.dueAt as number) - 1 })).toBeNull();
    expect(plan({ policy: { jitterS: 3600 }, now: record.dueAt as number })).toMatchObject({ firings: ['0 scheduled'], next: 1 });
  });
});

describe('when the one before is not over', () => {
  test('forbid leaves the instant out and says so', () => {
    expect(plan({ open: 1 })).toEqual({ firings: ['0 overlap'], next: 1 });
    expect(plan({ expression: '* * * * * *', now: T + 1000 })).toMatchObject({ firings: ['0 scheduled', `${1 / 60} overlap`] });
  });

  test('allow fires all the same, up to a bound', () => {
    expect(plan({ open: 999, policy: { overlap: 'allow' } })).toMatchObject({ firings: ['0 scheduled'] });
    expect(plan({ open: 1000, policy: { overlap: 'allow' } })).toMatchObject({ firings: ['0 too_many_open'] });
  });

  test('replace cancels it', () => {
    expect(planFirings(planning({ open: 1, policy: { overlap: 'replace' } }))).toMatchObject({ replaces: true, firings: [{ state: 'open' }] });
    expect(plan({ expression: '* * * * * *', now: T + 1000, policy: { overlap: 'replace' } })).toMatchObject({
      firings: ['0 replaced', `${1 / 60} scheduled`],
    });
  });
});

describe('instants that were missed', () => {
  const down: Situation = { now: T + 3.5 * MINUTE, wasDown: true };

  test('get one firing for all of them by default', () => {
    expect(plan(down)).toEqual({ firings: ['3 catch_up'], next: 4 });
  });

  test('get none with skip, and a note', () => {
    expect(plan({ ...down, policy: { missed: 'skip' } })).toEqual({ firings: ['3 missed'], next: 4 });
  });

  test('get one each with all, at once where they may overlap', () => {
    expect(plan({ ...down, policy: { missed: 'all', overlap: 'allow' } })).toEqual({
      firings: ['0 catch_up', '1 catch_up', '2 catch_up', '3 catch_up'],
      next: 4,
    });
  });

  test('get one each with all, one after another where they may not', () => {
    const policy: Partial<SchedulePolicy> = { missed: 'all' };
    expect(plan({ ...down, policy })).toEqual({ firings: ['0 catch_up'], next: 1 });
    expect(plan({ ...down, policy, at: T + MINUTE, open: 1 })).toBe('wait');
    expect(plan({ ...down, policy, at: T + MINUTE })).toEqual({ firings: ['1 catch_up'], next: 2 });
  });

  test('get one with all when each would cancel the one before', () => {
    expect(plan({ ...down, policy: { missed: 'all', overlap: 'replace' } })).toEqual({ firings: ['3 catch_up'], next: 4 });
  });

  test('are a hundred at most, the latest', () => {
    const { firings } = planFirings(planning({ now: T + 1000 * MINUTE, wasDown: true, policy: { missed: 'all', overlap: 'allow' } })) as Plan;
    expect(firings).toHaveLength(100);
    expect(firings.map(({ scheduledAt }) => (scheduledAt - T) / MINUTE)).toEqual(Array.from({ length: 100 }, (_, index) => 901 + index));
  });

  test('are let go when they are older than missed_within_s', () => {
    const policy: Partial<SchedulePolicy> = { missedWithinS: 90 };
    expect(plan({ ...down, policy: { ...policy, missed: 'all', overlap: 'allow' } })).toEqual({ firings: ['2 catch_up', '3 catch_up'], next: 4 });
    expect(plan({ now: T + 30 * MINUTE, expression: '0 * * * *', wasDown: true, policy })).toEqual({ firings: ['0 missed'], next: 60 });
  });

  test('are none when the platform is back before the jitter is over', () => {
    const { record } = planning({ expression: '0 * * * *', policy: { jitterS: 3600 } });
    expect(plan({ expression: '0 * * * *', policy: { jitterS: 3600, missed: 'skip' }, wasDown: true, now: (record.dueAt as number) - 1 })).toBeNull();
  });
});

describe('a clock that jumps', () => {
  test('forwards by an hour makes one firing of sixty minutes, by years one too', () => {
    expect(plan({ now: T + HOUR })).toEqual({ firings: ['60 catch_up'], next: 61 });
    const years = 20 * 365 * 24 * 60;
    expect(plan({ now: T + years * MINUTE })).toEqual({ firings: [`${years} catch_up`], next: years + 1 });
  });

  const rewound = (expression: string, lastAt: number, now: number) => {
    const { record, times, policy } = planning({ expression });
    const ahead = { ...moveTo(record, times.next(lastAt), times, policy), lastAt };
    return rewind(ahead, times, policy, now);
  };

  test('backwards lets intervals go on by the new time, in a new round', () => {
    expect(rewound('* * * * *', T, T - HOUR)).toMatchObject({ nextAt: T - HOUR + MINUTE, lastAt: null, round: 1 });
  });

  test('backwards a little is waited for', () => {
    expect(rewound('* * * * *', T, T - 45_000)).toBeUndefined();
    expect(rewound('* * * * *', T, T)).toBeUndefined();
    expect(rewound('* * * * *', T, T + 1)).toBeUndefined();
  });

  test('backwards does not fire a time of the day again, unless it is far', () => {
    expect(rewound('0 12 * * *', T, T - HOUR)).toBeUndefined();
    expect(rewound('0 12 * * *', T, T - 4 * HOUR)).toMatchObject({ nextAt: T, round: 1 });
  });

  test('backwards brings a schedule nearer that was made by the wrong time', () => {
    const { record, times, policy } = planning({});
    expect(rewind(record, times, policy, T - HOUR)).toMatchObject({ nextAt: T - HOUR + MINUTE, round: 0 });
  });
});
