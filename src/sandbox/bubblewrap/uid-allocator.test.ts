import { expect, it } from 'vitest';
import { UidAllocator } from './uid-allocator.ts';

it('never hands out a user id twice at the same time', () => {
  const uids = new UidAllocator(1000);
  const taken = Array.from({ length: 100 }, () => uids.take());
  expect(new Set(taken).size).toBe(100);
  expect(Math.min(...taken)).toBe(1000);
});

it('hands out anew what was given back', () => {
  const uids = new UidAllocator(1000);
  const [first] = [uids.take(), uids.take()];
  uids.giveBack(first);
  expect(uids.take()).toBe(first);
});
