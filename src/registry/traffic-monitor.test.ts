import { describe, expect, it } from 'vitest';
import { OutcomeWindow } from './outcome-window.ts';
import { TrafficMonitor } from './traffic-monitor.ts';

const BOUND = { errorRate: 0.2, minimumCalls: 10, windowMs: 1000 };

type Outcome = Parameters<TrafficMonitor['observe']>[0];

function outcome(versionNumber: number, members: Partial<Outcome> = {}): Outcome {
  return { functionName: 'echo', versionNumber, state: 'succeeded', status: 200, errorCode: null, ...members };
}
const failed = (versionNumber: number) => outcome(versionNumber, { state: 'failed', status: 502, errorCode: 'function_failed' });

class Clock {
  now = 5_000;
}

function watched(bound = BOUND) {
  const clock = new Clock();
  const reasons: string[] = [];
  const monitor = new TrafficMonitor(() => clock.now);
  monitor.watch('echo', { version: 2, bound, onExceeded: (reason) => reasons.push(reason) });
  const observe = (count: number, what: Outcome) => {
    for (let index = 0; index < count; index++) monitor.observe(what);
  };
  return { clock, monitor, reasons, observe };
}

describe('TrafficMonitor', () => {
  it('says when the share of failures passes the bound, not when it meets it', () => {
    const { observe, reasons } = watched();
    observe(8, outcome(2));
    observe(2, failed(2));
    expect(reasons).toEqual([]);
    observe(1, failed(2));
    expect(reasons).toEqual(['3 of the last 11 calls of version 2 failed, which is more than 0.2 of them.']);
  });

  it('says nothing before there are as many calls as it takes', () => {
    const { observe, reasons } = watched();
    observe(9, failed(2));
    expect(reasons).toEqual([]);
    observe(1, failed(2));
    expect(reasons).toHaveLength(1);
  });

  it('judges no other version, and no other function', () => {
    const { observe, reasons, monitor } = watched();
    observe(50, failed(1));
    observe(50, { ...failed(2), functionName: 'other' });
    expect(reasons).toEqual([]);
    expect(monitor.counts('echo', 1)).toEqual({ calls: 50, errors: 50 });
    expect(monitor.counts('echo', 2)).toEqual({ calls: 0, errors: 0 });
    expect(monitor.counts('other', 2)).toEqual({ calls: 0, errors: 0 });
  });

  it('forgets what is older than the window', () => {
    const { clock, observe, reasons } = watched();
    observe(9, failed(2));
    clock.now += 1001;
    observe(9, failed(2));
    expect(reasons).toEqual([]);
    clock.now += 900;
    observe(1, failed(2));
    expect(reasons).toHaveLength(1);
  });

  it.each([
    ['an answer of 500 of its own', { status: 500 }, true],
    ['an answer of 404 of its own', { status: 404 }, false],
    ['no answer at all', { status: 204 }, false],
    ['a passed deadline', { state: 'timed_out', status: 504, errorCode: 'deadline_exceeded' }, true],
    ['a crash', { state: 'failed', status: 502, errorCode: 'function_crashed' }, true],
    ['a failure after the head of a stream', { state: 'failed', status: 200, errorCode: 'function_failed' }, true],
  ] as const)('counts %s', (_, members, isError) => {
    const { monitor } = watched();
    monitor.observe(outcome(2, members));
    expect(monitor.counts('echo', 2)).toEqual({ calls: 1, errors: isError ? 1 : 0 });
  });

  it.each([
    ['a caller who left', { state: 'cancelled', status: null, errorCode: 'client_gone' }],
    ['a full queue', { state: 'failed', status: 429, errorCode: 'queue_full' }],
    ['a machine without sandboxes', { state: 'failed', status: 503, errorCode: 'sandbox_unavailable' }],
    ['an error of the platform', { state: 'failed', status: 500, errorCode: 'internal' }],
  ] as const)('does not count %s', (_, members) => {
    const { monitor } = watched();
    monitor.observe(outcome(2, members));
    expect(monitor.counts('echo', 2)).toEqual({ calls: 0, errors: 0 });
  });

  it('goes on counting after an acquittal, judges no more, and begins anew when it is told to watch again', () => {
    const { monitor, observe, reasons } = watched();
    monitor.acquit('echo');
    observe(20, failed(2));
    expect(reasons).toEqual([]);
    expect(monitor.counts('echo', 2)).toEqual({ calls: 20, errors: 20 });
    monitor.watch('echo', null);
    observe(1, outcome(2));
    expect(monitor.counts('echo', 2)).toEqual({ calls: 1, errors: 0 });
    monitor.unwatch('echo');
    observe(1, outcome(2));
    expect(monitor.counts('echo', 2)).toEqual({ calls: 0, errors: 0 });
  });
});

describe('OutcomeWindow', () => {
  it('has the sums of a list that forgets, at every step, to a twentieth of the window', () => {
    const windowMs = 400;
    const window = new OutcomeWindow(windowMs);
    const all: { at: number; failed: boolean }[] = [];
    // From 0 on, as a clock that starts with the process.
    let now = 0;
    // A fixed sequence without pattern (a linear congruential generator): steps of 0 to 127 ms, and now and then a long pause.
    let seed = 7;
    for (let step = 0; step < 5_000; step++) {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      now += (seed >> 8) % 128;
      if (step % 500 === 499) now += 10 * windowMs;
      all.push({ at: now, failed: (seed >> 16) % 3 === 0 });
      window.add(now, all.at(-1)?.failed === true);
      const within = (ms: number) => all.slice(-5_000).filter(({ at }) => at > now - ms);
      expect(window.calls).toBeLessThanOrEqual(within(windowMs + 1).length);
      expect(window.calls).toBeGreaterThanOrEqual(within(windowMs * 0.95).length);
      expect(window.errors).toBeLessThanOrEqual(within(windowMs + 1).filter((entry) => entry.failed).length);
      expect(window.errors).toBeGreaterThanOrEqual(within(windowMs * 0.95).filter((entry) => entry.failed).length);
      if (all.length > 1_000) all.splice(0, 500);
    }
  });
});
