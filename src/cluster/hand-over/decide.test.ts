import { describe, expect, test } from 'vitest';
import type { Outlook } from '../../scheduler/outlook.ts';
import { type Candidate, decide, isWelcome } from './decide.ts';

const COLD: Outlook = { cold: true, waitMs: 80, mayGrow: true };
const BUSY: Outlook = { cold: false, waitMs: 500, mayGrow: false };
const peer = (id: string, readings: Partial<Candidate> = {}): Candidate => ({ id, freeSlots: 0, room: 0, roundTripMs: 3, ...readings });
const where = (outlook: Outlook, order: readonly (Candidate | null)[], startMs = 80) => decide({ outlook, startMs, order });

describe('a call that is cold here', () => {
  test('goes where an instance is free, to the one nearest to home', () => {
    const order = [null, peer('b'), peer('c', { freeSlots: 2 }), peer('d', { freeSlots: 9, roundTripMs: 1 })];
    expect(where(COLD, order)).toEqual({ to: 'c', reason: 'warm' });
  });

  test('stays when its start is cheaper than the way', () => {
    expect(where({ ...COLD, waitMs: 2 }, [peer('b', { freeSlots: 1 })], 2)).toBeNull();
    expect(where({ ...COLD, waitMs: 2 }, [peer('b', { room: 1 }), null], 2)).toBeNull();
  });

  test('goes home when it is cold everywhere, unless home is here or full', () => {
    expect(where(COLD, [peer('b', { room: 5 }), null])).toEqual({ to: 'b', reason: 'home' });
    expect(where(COLD, [null, peer('b', { room: 5 })])).toBeNull();
    expect(where(COLD, [peer('b'), null])).toBeNull();
    // The second in the order is no home: whoever is asked there would hand it on, if that were allowed.
    expect(where(COLD, [peer('b'), peer('c', { room: 5 }), null])).toBeNull();
  });

  test('goes to whoever has room when there is none here', () => {
    const full = { cold: true, waitMs: Number.POSITIVE_INFINITY, mayGrow: false };
    expect(where(full, [null, peer('b'), peer('c', { room: 1 })])).toEqual({ to: 'c', reason: 'saturated' });
    expect(where(full, [null, peer('b')])).toBeNull();
  });
});

describe('a call that would wait here', () => {
  test('goes where an instance is free, when that is sooner', () => {
    expect(where(BUSY, [null, peer('b', { freeSlots: 1 })])).toEqual({ to: 'b', reason: 'saturated' });
    expect(where({ ...BUSY, waitMs: 2 }, [null, peer('b', { freeSlots: 1 })])).toBeNull();
  });

  test('waits for an instance more here rather than for one elsewhere', () => {
    expect(where({ ...BUSY, mayGrow: true }, [peer('b', { room: 5 }), null])).toBeNull();
  });

  test('goes to whoever has room when none can be started here, and a start there is sooner', () => {
    expect(where(BUSY, [null, peer('b', { room: 5 })])).toEqual({ to: 'b', reason: 'saturated' });
    expect(where({ ...BUSY, waitMs: 60 }, [null, peer('b', { room: 5 })])).toBeNull();
  });
});

test('a call is taken over that is answered about as soon as where it came from', () => {
  const busy = (waitMs: number) => ({ ...BUSY, waitMs });
  expect(isWelcome(busy(0), 0, 1)).toBe(true);
  expect(isWelcome(busy(100), 80, 1000)).toBe(true);
  expect(isWelcome(busy(170), 80, 1000)).toBe(false);
  expect(isWelcome(busy(170), Number.POSITIVE_INFINITY, 1000)).toBe(true);
  expect(isWelcome(busy(1170), Number.POSITIVE_INFINITY, 1000)).toBe(false);
  expect(isWelcome(busy(Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY, 1000)).toBe(false);
});
