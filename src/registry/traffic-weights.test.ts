import { describe, expect, it } from 'vitest';
import { candidateOf, numbersOf, withoutShare } from './traffic-weights.ts';

describe('weights of a split', () => {
  it('are listed by number, the newest first', () => {
    expect(numbersOf({ 9: 1, 10: 1, 1: 98 })).toEqual([10, 9, 1]);
  });

  it.each([
    [{ 3: 90, 4: 10 }, 4, { 3: 100, 4: 0 }],
    [{ 1: 60, 2: 30, 3: 10 }, 3, { 1: 67, 2: 33, 3: 0 }],
    [{ 1: 30, 2: 30, 3: 30, 4: 10 }, 4, { 1: 33, 2: 33, 3: 34, 4: 0 }],
    [{ 1: 0, 2: 0, 3: 100 }, 3, { 1: 0, 2: 100, 3: 0 }],
    [{ 1: 0, 2: 50, 3: 50 }, 3, { 1: 0, 2: 100, 3: 0 }],
  ] as const)('%j without version %i are %j', (weights, version, expected) => {
    expect(withoutShare(weights, version)).toEqual(expected);
  });

  it('always sum to 100', () => {
    for (let a = 0; a <= 100; a++) {
      for (let b = 0; a + b <= 100; b += 7) {
        const after = withoutShare({ 1: a, 2: b, 3: 100 - a - b, 4: 0 }, 3);
        expect(Object.values(after).reduce((sum, weight) => sum + weight, 0)).toBe(100);
        expect(after[3]).toBe(0);
      }
    }
  });

  it('have the newest version as the one that can be rolled back, if there is another and it has a share', () => {
    expect(candidateOf({ 3: 90, 4: 10 })).toBe(4);
    expect(candidateOf({ 3: 100, 4: 0 })).toBeUndefined();
    expect(candidateOf({ 4: 100 })).toBeUndefined();
  });
});
