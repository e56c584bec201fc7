import { describe, expect, it } from 'vitest';
import { HearthError } from '../errors.ts';
import { StartBackoff } from './start-backoff.ts';

const broken = new HearthError('function_load_failed', 'no luck');

describe('StartBackoff', () => {
  it('allows the first start, and holds back those after a failure, twice as long each time and ten seconds at most', () => {
    const backoff = new StartBackoff();
    expect(backoff.reason(0)).toBeNull();
    for (const waitMs of [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]) {
      backoff.failed(broken, 0);
      expect([backoff.reason(waitMs - 1), backoff.reason(waitMs)]).toEqual([broken, null]);
    }
  });

  it('begins anew once an invocation has come to its end', () => {
    const backoff = new StartBackoff();
    for (let n = 0; n < 5; n++) backoff.failed(broken, 0);
    backoff.succeeded();
    expect(backoff.reason(0)).toBeNull();
    backoff.failed(broken, 0);
    expect(backoff.reason(100)).toBeNull();
  });

  it('does not hold against a function what the machine lacks', () => {
    const backoff = new StartBackoff();
    backoff.failed(new HearthError('sandbox_unavailable', 'no room'), 0);
    expect(backoff.reason(0)).toBeNull();
  });
});
