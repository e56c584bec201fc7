import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LimitShare } from '../../cluster/limit-share.ts';
import { RateLimiter } from './rate-limiter.ts';

const limiterOf = (requests: number, perS: number, burst = requests, maxBuckets = 100) =>
  new RateLimiter({ requests, perS, burst }, maxBuckets, new LimitShare());

describe('RateLimiter', () => {
  it('lets a burst in at once, then one for each share of the time', () => {
    const limiter = limiterOf(6, 60, 3);
    const at = (now: number) => limiter.take('a', now).allowed;
    expect([at(0), at(0), at(0), at(0)]).toEqual([true, true, true, false]);
    expect([at(9_999), at(10_000), at(10_000)]).toEqual([false, true, false]);
    expect([at(30_000), at(30_000), at(30_000)]).toEqual([true, true, false]);
  });

  it('says what is left, when one more is let in, and when all is there again', () => {
    const limiter = limiterOf(6, 60, 3);
    expect(limiter.take('a', 0)).toEqual({ allowed: true, remaining: 2, retryMs: 0, resetMs: 10_000 });
    expect(limiter.take('a', 0)).toEqual({ allowed: true, remaining: 1, retryMs: 0, resetMs: 20_000 });
    expect(limiter.take('a', 0)).toEqual({ allowed: true, remaining: 0, retryMs: 10_000, resetMs: 30_000 });
    expect(limiter.take('a', 4_000)).toEqual({ allowed: false, remaining: 0, retryMs: 6_000, resetMs: 26_000 });
    expect(limiter.take('a', 30_000)).toMatchObject({ remaining: 2 });
  });

  it('counts each bucket apart, and nothing for those it refuses or is only asked about', () => {
    const limiter = limiterOf(1, 10);
    expect(limiter.peek('a', 0)).toEqual(limiter.peek('a', 0));
    expect(limiter.take('a', 0).allowed).toBe(true);
    expect(limiter.take('b', 0).allowed).toBe(true);
    for (let now = 0; now < 10_000; now += 100) expect(limiter.take('a', now).allowed).toBe(false);
    expect(limiter.take('a', 10_000).allowed).toBe(true);
  });

  it('keeps no more buckets than it may, and forgets the one that was used the longest ago', () => {
    const limiter = limiterOf(1, 3600, 1, 3);
    for (const bucket of ['a', 'b', 'c']) limiter.take(bucket, 0);
    expect(limiter.take('d', 1).allowed).toBe(true);
    expect(limiter.size).toBeLessThanOrEqual(3);
    expect(limiter.peek('c', 2).allowed).toBe(false);
    expect(limiter.peek('a', 2).allowed).toBe(true);
    for (let index = 0; index < 1000; index++) limiter.take(`x${index}`, 3);
    expect(limiter.size).toBeLessThanOrEqual(3);
  });

  it('drops buckets without debt as new ones come', () => {
    const limiter = limiterOf(10, 1, 10, 1000);
    for (let index = 0; index < 500; index++) limiter.take(`x${index}`, index * 1000);
    expect(limiter.size).toBeLessThanOrEqual(2);
  });

  it('over any window lets in no more than the burst and the rate times the window, and remaining is what it then lets in', () => {
    fc.assert(
      fc.property(
        fc.record({ requests: fc.integer({ min: 1, max: 50 }), perS: fc.integer({ min: 1, max: 100 }), burst: fc.integer({ min: 1, max: 60 }) }),
        fc.array(fc.double({ min: 0, max: 5_000, noNaN: true }), { minLength: 1, maxLength: 300 }),
        (limit, gaps) => {
          const limiter = new RateLimiter(limit, 10, new LimitShare());
          const admitted: number[] = [];
          let now = 0;
          for (const gap of gaps) {
            // Mostly bursts, with pauses between.
            now += gap < 3_000 ? 0 : gap;
            const { allowed, remaining } = limiter.take('a', now);
            if (allowed) admitted.push(now);
            expect(limiter.peek('a', now).allowed).toBe(remaining > 0);
          }
          for (let first = 0; first < admitted.length; first++) {
            for (let last = first; last < admitted.length; last++) {
              const window = (admitted[last] as number) - (admitted[first] as number);
              expect(last - first + 1).toBeLessThanOrEqual(limit.burst + (window / 1000) * (limit.requests / limit.perS) + 1e-6);
            }
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('of several nodes lets in its part of the rate and of the burst, and one at once at least', () => {
    const share = new LimitShare();
    share.nodes = 3;
    const admitted = (requests: number, perS: number, burst: number, forMs: number) => {
      const limiter = new RateLimiter({ requests, perS, burst }, 10, share);
      let count = 0;
      for (let now = 0; now < forMs; now += 100) for (let n = 0; n < 3; n++) if (limiter.take('a', now).allowed) count++;
      return count;
    };
    // A third of 600, and a third of the burst of 100, rounded up.
    expect(admitted(60, 60, 100, 600_000)).toBe(34 + 199);
    // 1 in a minute: each node has its one at once, and one in three minutes after that.
    expect(admitted(1, 60, 1, 1_000)).toBe(1);
    expect(admitted(1, 60, 1, 600_000)).toBe(1 + 3);
  });

  it('goes on with the debts that there are when nodes come and go', () => {
    const share = new LimitShare();
    const limiter = new RateLimiter({ requests: 60, perS: 60, burst: 60 }, 10, share);
    for (let n = 0; n < 30; n++) limiter.take('a', 0);
    share.nodes = 3;
    // Half of the burst is used, and all of it is there again when it was said to be.
    expect(limiter.peek('a', 0)).toMatchObject({ allowed: true, remaining: 9, resetMs: 33_000 });
    share.nodes = 1;
    expect(limiter.take('a', 0)).toMatchObject({ allowed: true, remaining: 29, resetMs: 31_000 });
  });

  it('lets in everybody who keeps to the rate', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 3600 }), (requests, perS) => {
        const limiter = limiterOf(requests, perS, 1);
        // A thousandth of a millisecond more than the interval, for what sums of fractions lose.
        const step = (perS * 1000) / requests + 0.001;
        for (let index = 0; index < 200; index++) expect(limiter.take('a', index * step).allowed).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});
