import { expect, test } from 'vitest';
import type { FiringRecord, SchedulePolicy, ScheduleRecord } from '../schemas/schedule.ts';
import { newSchedule } from './cursor.ts';
import { type FiringOutcome, settleFiring } from './settle-firing.ts';

const policy: SchedulePolicy = {
  missed: 'once',
  missedWithinS: 60,
  overlap: 'forbid',
  jitterS: 0,
  onFailure: { after: 3, target: { kind: 'function', name: 'alarm' } },
  onRecovery: { target: { kind: 'function', name: 'relief' } },
};
const firing: FiringRecord = {
  id: 'run',
  functionName: 'f',
  scheduledAt: Date.parse('2026-05-01T12:00:00Z'),
  round: 0,
  kind: 'scheduled',
  firedAt: 1,
  endedAt: null,
  state: 'open',
  reason: null,
};

/** Whom each outcome in turn tells: the target and the number of failures. */
function told(states: readonly FiringOutcome['state'][], with_: SchedulePolicy = policy): string[] {
  let record: ScheduleRecord = newSchedule('f', 'cron|* * * * *');
  return states.map((state) => {
    const change = settleFiring(record, with_, firing, { state, endedAt: 2, reason: state === 'failed' ? 'boom' : null }, () => 'notice');
    record = change.schedule;
    expect(change.firings).toEqual([{ ...firing, state, endedAt: 2, reason: state === 'failed' ? 'boom' : null }]);
    return change.notices.map(({ target, body }) => `${target.name} ${JSON.parse(body).failures}`).join();
  });
}

test('so many failures in a row are told once, and the first success after that', () => {
  expect(told(['failed', 'timed_out', 'failed', 'failed', 'failed', 'succeeded', 'succeeded', 'failed', 'failed', 'failed'])).toEqual([
    '',
    '',
    'alarm 3',
    '',
    '',
    'relief 5',
    '',
    '',
    '',
    'alarm 3',
  ]);
});

test('a success in between begins the count anew; what was cancelled or lost counts for nothing', () => {
  expect(told(['failed', 'failed', 'succeeded', 'failed', 'failed'])).toEqual(['', '', '', '', '']);
  expect(told(['failed', 'cancelled', 'failed', 'lost', 'failed'])).toEqual(['', '', '', '', 'alarm 3']);
});

test('nobody is told who is not named', () => {
  const states: FiringOutcome['state'][] = ['failed', 'failed', 'failed', 'succeeded'];
  expect(told(states, { ...policy, onFailure: null, onRecovery: null })).toEqual(['', '', '', '']);
  expect(told(states, { ...policy, onRecovery: null })).toEqual(['', '', 'alarm 3', '']);
});

test('what is told says of what', () => {
  const record = { ...newSchedule('f', 'cron|* * * * *'), failures: 2 };
  const { notices } = settleFiring(record, policy, firing, { state: 'failed', endedAt: 2, reason: 'boom' }, () => 'notice');
  expect(notices).toMatchObject([{ id: 'notice', functionName: 'f', kind: 'on_failure' }]);
  expect(JSON.parse(notices[0]?.body ?? '')).toEqual({
    event: 'on_failure',
    schedule: 'f',
    scheduled_at: '2026-05-01T12:00:00.000Z',
    invocation_id: 'run',
    state: 'failed',
    reason: 'boom',
    failures: 3,
  });
});
