import { describe, expect, test } from 'vitest';
import type { InvocationRecord } from '../schemas/records.ts';
import type { StoredReply, Taken } from './durable-queue.ts';
import { type Attempted, backoffMs, isTooOld, judge, unrun } from './retry-policy.ts';

const policy = { attempts: 3, minBackoffMs: 100, maxBackoffMs: 1000, maxAgeMs: 60_000 };
const reply: StoredReply = { status: 200, headers: [], body: new Uint8Array(), bytes: 0 };

function attempted(
  record: Partial<InvocationRecord>,
  more: Partial<Omit<Attempted, 'taken' | 'record'>> & { taken?: Partial<Taken> } = {},
): Attempted {
  const taken = { mode: 'async', ageFrom: 0, failures: 0, ...more.taken } as Taken;
  const whole = { state: 'succeeded', status: 200, errorCode: null, errorMessage: null, instanceId: 'i', acceptedAt: 0, endedAt: 1, ...record };
  return { reply: null, policy, now: 1000, random: () => 0.5, clock: null, ...more, taken, record: whole as InvocationRecord };
}
const failed = (errorCode: string, status = 502): Partial<InvocationRecord> => ({ state: 'failed', status, errorCode, errorMessage: 'because' });

describe('what becomes of an invocation', () => {
  test.for([200, 204, 302, 404, 422, 499])('an answer of %i is a success', (status) => {
    expect(judge(attempted({ status }, { reply }))).toMatchObject({ kind: 'done', state: 'succeeded', reply, deadReason: null });
  });

  test.for([500, 503])('an answer of %i is a failure that is tried again', (status) => {
    expect(judge(attempted({ status }, { reply }))).toMatchObject({ kind: 'retry', counts: true, delayMs: 50, attempt: { outcome: 'failed' } });
    expect(judge(attempted({ status }, { reply, taken: { failures: 2 } }))).toMatchObject({
      kind: 'done',
      state: 'failed',
      reply,
      deadReason: 'attempts_exhausted',
      error: { code: 'function_failed', message: `The function answered with the status ${status}.` },
    });
  });

  test.for(['function_failed', 'function_crashed', 'function_load_failed', 'invalid_reply', 'sandbox_unavailable', 'internal'])(
    '%s is tried again',
    (code) => {
      expect(judge(attempted(failed(code)))).toMatchObject({ kind: 'retry', counts: true });
      expect(judge(attempted(failed(code), { taken: { failures: 2 } }))).toMatchObject({
        kind: 'done',
        state: 'failed',
        deadReason: 'attempts_exhausted',
      });
    },
  );

  test('a timeout is tried again, and ends as one', () => {
    const timedOut: Partial<InvocationRecord> = { ...failed('deadline_exceeded', 504), state: 'timed_out' };
    expect(judge(attempted(timedOut, { clock: 'run' }))).toMatchObject({ kind: 'retry', counts: true, attempt: { outcome: 'timed_out' } });
    expect(judge(attempted(timedOut, { clock: 'run', taken: { failures: 2 } }))).toMatchObject({ kind: 'done', state: 'timed_out' });
  });

  test.for(['reply_too_large', 'invalid_code', 'unknown_layer'])('%s would end the same way again', (code) => {
    expect(judge(attempted(failed(code)))).toMatchObject({ kind: 'done', state: 'failed', deadReason: 'not_retriable', error: { code } });
  });

  test('waits for the broker by which scripts answer, which is not held against it unless it was run', () => {
    expect(judge(attempted({ ...failed('broker_unavailable', 503), instanceId: null }))).toMatchObject({ kind: 'retry', counts: false });
    expect(judge(attempted(failed('broker_unavailable', 503)))).toMatchObject({ kind: 'retry', counts: true });
  });

  test('what found no room is given back, and that is no failure', () => {
    const verdict = judge(attempted({ ...failed('queue_full', 429), instanceId: null }, { taken: { failures: 2 } }));
    expect(verdict).toMatchObject({ kind: 'retry', counts: false, attempt: { outcome: 'released' } });
    const waited: Partial<InvocationRecord> = { ...failed('deadline_exceeded', 504), state: 'timed_out', instanceId: null };
    expect(judge(attempted(waited, { clock: 'queue' }))).toMatchObject({ kind: 'retry', counts: false });
    expect(judge(attempted(failed('draining', 503), { now: 1_000_000 }))).toMatchObject({ kind: 'retry', counts: false, delayMs: 0 });
  });

  test('what would be too old by its next attempt is dead now', () => {
    expect(judge(attempted(failed('function_failed'), { now: 59_990 }))).toMatchObject({ kind: 'done', deadReason: 'too_old' });
    expect(judge(attempted(failed('queue_full', 429), { now: 59_990 }))).toMatchObject({ kind: 'done', deadReason: 'too_old' });
  });

  test('a cancelled one is over', () => {
    expect(judge(attempted({ ...failed('cancelled', 409), state: 'cancelled' }))).toMatchObject({
      kind: 'done',
      state: 'cancelled',
      deadReason: null,
    });
  });

  test('who waits for it is told at once: no retry, no dead letter; the key is free again when nothing was run', () => {
    const sync = { taken: { mode: 'sync' as const } };
    expect(judge(attempted(failed('function_failed'), sync))).toMatchObject({ kind: 'done', state: 'failed', deadReason: null, forgetKey: false });
    expect(judge(attempted({ ...failed('queue_full', 429), instanceId: null }, sync))).toMatchObject({
      kind: 'done',
      deadReason: null,
      forgetKey: true,
    });
    expect(unrun('too_old', 'deadline_exceeded', 'x', 'sync')).toMatchObject({ deadReason: null });
    expect(unrun('too_old', 'deadline_exceeded', 'x', 'async')).toMatchObject({ deadReason: 'too_old', attempt: null });
  });
});

describe('the wait before the next attempt', () => {
  test('is anywhere below a bound that doubles up to the largest', () => {
    const bounds = [1, 2, 3, 4, 5, 6, 1000].map((failures) => backoffMs(failures, policy, 0.999_999_999));
    expect(bounds.map((bound) => Math.round(bound))).toEqual([100, 200, 400, 800, 1000, 1000, 1000]);
    expect(backoffMs(3, policy, 0)).toBe(0);
  });

  test('counts age from acceptance or redrive', () => {
    expect(isTooOld({ ageFrom: 1000 }, policy, 61_000)).toBe(false);
    expect(isTooOld({ ageFrom: 1000 }, policy, 61_001)).toBe(true);
  });
});
