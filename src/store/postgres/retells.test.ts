import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HearthError } from '../../errors.ts';
import { createRetells } from './retells.ts';

const change = { kind: 'function', name: 'echo' } as const;
const warn = vi.fn();

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
  warn.mockClear();
});
afterEach(() => {
  vi.useRealTimers();
});

/** So long that whatever waits is due. */
async function later(retells: ReturnType<typeof createRetells>): Promise<void> {
  vi.advanceTimersByTime(60_000);
  await retells.again(() => false);
}

it('gives a change up that is refused ten times, and says so', async () => {
  const listener = vi.fn().mockRejectedValue(new Error('no'));
  const retells = createRetells(listener, { warn });
  await retells.tell(change);
  await retells.again(() => false);
  expect(listener).toHaveBeenCalledTimes(1);
  for (let round = 0; round < 20; round += 1) await later(retells);
  expect(listener).toHaveBeenCalledTimes(10);
  expect(warn.mock.calls.map(([, message]) => message)).toEqual([
    "another node's change could not be taken over; it is tried again",
    "another node's change could not be taken over; restart this node, or make the change again",
  ]);
});

it('waits for a store that is away, however long', async () => {
  const listener = vi.fn().mockRejectedValue(new HearthError('store_unavailable', 'away'));
  const retells = createRetells(listener, { warn });
  await retells.tell(change);
  for (let round = 0; round < 20; round += 1) await later(retells);
  expect(listener).toHaveBeenCalledTimes(21);
  listener.mockResolvedValue(undefined);
  await later(retells);
  await later(retells);
  expect(listener).toHaveBeenCalledTimes(22);
  expect(warn).not.toHaveBeenCalled();
});
