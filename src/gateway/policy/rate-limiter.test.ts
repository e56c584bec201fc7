import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateLimiter } from './rate-limiter.ts';

const limiterOf = (requests: number, perS: number, burst = requests, maxBuckets = 100) => new RateLimiter({ requests, perS, burst }, maxBuckets);

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
          const limiter = new RateLimiter(limit, 10);
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
