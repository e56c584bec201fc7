import { expect, it } from 'vitest';
import { LineAllowance } from './line-allowance.ts';

it('lets a function write a burst, then at its rate in few pieces, and the others as ever', () => {
  const allowance = new LineAllowance(1000, 160_000);
  let now = 1_000_000;
  const take = (name = 'flood') => allowance.take(name, 100, now);
  expect(Array.from({ length: 102 }, () => take())).toEqual([...Array(100).fill(0), -1, -1]);
  expect(take('quiet')).toBe(0);
  now += 500;
  expect(take()).toBe(-1);
  now += 600;
  expect(Array.from({ length: 12 }, () => take())).toEqual([3, ...Array(10).fill(0), -1]);
  now += 60_000;
  take('another');
  expect(take()).toBe(0);
});
