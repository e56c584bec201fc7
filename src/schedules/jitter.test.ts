import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jitterOf } from './jitter.ts';

test('lies below its bound and below the next instant, and is the same again', () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(), fc.nat({ max: 86_400_000 }), fc.option(fc.integer({ min: 1000, max: 86_400_000 })), (name, at, bound, gap) => {
      const jitter = jitterOf(name, at, bound, gap);
      expect(jitter).toBe(jitterOf(name, at, bound, gap));
      expect(jitter).toBeGreaterThanOrEqual(0);
      if (bound > 0) expect(jitter).toBeLessThan(Math.min(bound, gap ?? bound));
      else expect(jitter).toBe(0);
    }),
  );
});

test('spreads the functions of one instant, and the instants of one function', () => {
  const spread = (values: number[]) => new Set(values.map((value) => Math.floor(value / 6000))).size;
  const range = Array.from({ length: 200 }, (_, index) => index);
  expect(spread(range.map((index) => jitterOf(`f${index}`, 0, 60_000, null)))).toBe(10);
  expect(spread(range.map((index) => jitterOf('f', index * 60_000, 60_000, 60_000)))).toBe(10);
});
