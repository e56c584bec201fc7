import { expect, test } from 'vitest';
import { type OutlookReadings, outlookOf } from './outlook.ts';

const CALM: OutlookReadings = { free: false, ready: 0, starting: 0, waiting: 0, concurrency: 1, startMs: 80, runMs: 20, quietMs: 0, mayGrow: true };
const waits = (readings: Partial<OutlookReadings>) => outlookOf({ ...CALM, ...readings }).waitMs;

test('a call waits for nothing where a ready instance is free, and for the start where there is none', () => {
  expect(outlookOf({ ...CALM, free: true, ready: 1 })).toMatchObject({ cold: false, waitMs: 0 });
  expect(outlookOf(CALM)).toMatchObject({ cold: true, waitMs: 80 });
  expect(waits({ mayGrow: false })).toBe(Number.POSITIVE_INFINITY);
});

test('an instance that is starting has places for so many', () => {
  expect(outlookOf({ ...CALM, starting: 1, concurrency: 2, waiting: 1 })).toMatchObject({ cold: false, waitMs: 80 });
  expect(waits({ starting: 1, waiting: 1, mayGrow: false })).toBe(80 + 2 * 20);
});

test('behind a line it waits for its turn, or for an instance more', () => {
  expect(waits({ ready: 2, waiting: 3 })).toBe((4 * 20) / 2);
  expect(waits({ ready: 1, waiting: 99 })).toBe(160);
  expect(waits({ ready: 1, waiting: 99, mayGrow: false })).toBe(2000);
});

test('behind runs that are longer than those before it waits for about as long as they have run', () => {
  expect(waits({ ready: 1, quietMs: 5000, mayGrow: false })).toBe(5000);
  expect(waits({ ready: 1, quietMs: 5000 })).toBe(160);
});

test('nobody knows how long runs are before one has ended', () => {
  expect(waits({ ready: 1, runMs: Number.NaN })).toBe(160);
  expect(waits({ ready: 1, runMs: Number.NaN, mayGrow: false })).toBe(Number.POSITIVE_INFINITY);
});
