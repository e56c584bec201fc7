import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DurableQueue } from '../../../src/queue/durable-queue.ts';
import { until } from '../../support/hearth.ts';
import { attempt, died, LANE, newInvocation, retry, succeeded, type TestQueue, takeOne } from './test-queue.ts';

/** Where a queue is kept: empty at first; opened again it has what it had. */
export interface QueuePlace extends AsyncDisposable {
  open(): Promise<Pick<TestQueue, 'queue' | 'warnings' | 'pass'>>;
}

/** What every DurableQueue does, whatever it is kept in. */
export function queueConformance(makePlace: () => Promise<QueuePlace>): void {
  let place: QueuePlace;
  let opened: Awaited<ReturnType<QueuePlace['open']>>;
  let queue: DurableQueue;

  beforeEach(async () => {
    place = await makePlace();
    opened = await place.open();
    queue = opened.queue;
  });
  afterEach(() => place[Symbol.asyncDispose]());

  async function reopen(): Promise<void> {
    await queue.close();
    opened = await place.open();
    queue = opened.queue;
  }

  it('gives what was accepted, as it was, and keeps what came of it', async () => {
    const invocation = newInvocation();
    expect(await queue.accept(invocation)).toMatchObject({ kind: 'accepted', id: invocation.id, lane: LANE });
    expect(await queue.get(invocation.id)).toMatchObject({ state: 'queued', attempt: 0, attempts: [], result: null, endedAt: null });
    const taken = await takeOne(queue);
    expect(taken).toMatchObject({ ...LANE, lease: { id: invocation.id, attempt: 1 }, failures: 0, mode: 'async' });
    expect({ ...taken.payload, body: Buffer.from(taken.payload.body ?? []) }).toEqual(invocation.payload);
    expect(await queue.get(invocation.id)).toMatchObject({ state: 'running', attempt: 1, runningSince: expect.any(Number) });
    expect(await queue.settle(taken.lease, succeeded('done'))).toBe(true);
    const detail = await queue.get(invocation.id);
    expect(detail).toMatchObject({ state: 'succeeded', status: 200, deadReason: null, runningSince: null, requestId: 'caller-1' });
    expect(detail?.endedAt).toBeGreaterThanOrEqual(detail?.acceptedAt ?? Number.POSITIVE_INFINITY);
    expect(detail?.attempts).toEqual([{ number: 1, ...attempt() }]);
    expect(Buffer.from(detail?.result?.body ?? []).toString()).toBe('done');
  });

  it('keeps everything over an orderly restart', async () => {
    const [a, b] = [newInvocation(), newInvocation()];
    await queue.accept(a);
    await queue.settle((await takeOne(queue)).lease, succeeded());
    await queue.accept(b);
    await reopen();
    expect((await queue.get(a.id))?.state).toBe('succeeded');
    expect((await takeOne(queue)).lease).toEqual({ id: b.id, attempt: 1 });
  });

  describe('order', () => {
    it('is that of priority, then of the time of being due', async () => {
      const ids: string[] = [];
      for (const priority of [5, 9, 0, 5, 9]) {
        const invocation = newInvocation({ priority });
        ids.push(invocation.id);
        await queue.accept(invocation);
      }
      const { taken } = await queue.take(LANE, 10, 60_000);
      expect(taken.map(({ lease }) => ids.indexOf(lease.id))).toEqual([1, 4, 0, 3, 2]);
    });

    it('leaves what is delayed until it is due, and tells when that is', async () => {
      const late = newInvocation({ delayMs: 5000, priority: 9 });
      const soon = newInvocation({ delayMs: 1000 });
      await queue.accept(late);
      await queue.accept(soon);
      const first = await queue.take(LANE, 10, 60_000);
      expect(first.taken).toEqual([]);
      expect(first.nextDueAt).toBe((await queue.get(soon.id))?.dueAt);
      opened.pass(1001);
      expect((await takeOne(queue)).lease.id).toBe(soon.id);
      opened.pass(4000);
      expect((await takeOne(queue)).lease.id).toBe(late.id);
    });

    it('is each version’s own', async () => {
      await queue.accept(newInvocation({ functionName: 'b', versionNumber: 2 }));
      await queue.accept(newInvocation({ functionName: 'b', versionNumber: 1 }));
      await queue.accept(newInvocation({ functionName: 'a' }));
      await queue.accept(newInvocation({ functionName: 'a' }));
      expect(await queue.lanes()).toEqual([
        { functionName: 'a', versionNumber: 1 },
        { functionName: 'b', versionNumber: 1 },
        { functionName: 'b', versionNumber: 2 },
      ]);
      const { taken } = await queue.take({ functionName: 'b', versionNumber: 2 }, 10, 1000);
      expect(taken).toHaveLength(1);
      expect(await queue.lanes()).toHaveLength(2);
    });
  });

  describe('leases', () => {
    it('are given once, and no more than asked for', async () => {
      for (let index = 0; index < 5; index++) await queue.accept(newInvocation());
      const batches = await Promise.all([queue.take(LANE, 2, 60_000), queue.take(LANE, 2, 60_000), queue.take(LANE, 2, 60_000)]);
      expect(batches.map(({ taken }) => taken.length).sort()).toEqual([1, 2, 2]);
      expect(new Set(batches.flatMap(({ taken }) => taken.map(({ lease }) => lease.id))).size).toBe(5);
    });

    it('run out, and whoever held one can not settle any more', async () => {
      const invocation = newInvocation();
      await queue.accept(invocation);
      const stale = await takeOne(queue, 1000);
      const voided = new Promise((resolve) => queue.onVoided((...told) => resolve(told)));
      opened.pass(1001);
      expect(await voided).toEqual([[stale.lease], [LANE]]);
      const fresh = await takeOne(queue);
      expect(fresh.lease).toEqual({ id: invocation.id, attempt: 2 });
      expect(await queue.settle(stale.lease, succeeded('stale'))).toBe(false);
      expect((await queue.get(invocation.id))?.state).toBe('running');
      expect(await queue.settle(fresh.lease, succeeded('fresh'))).toBe(true);
      expect(await queue.settle(fresh.lease, succeeded('again'))).toBe(false);
      const detail = await queue.get(invocation.id);
      expect(Buffer.from(detail?.result?.body ?? []).toString()).toBe('fresh');
      expect(detail?.attempts.map(({ number, outcome, errorMessage }) => [number, outcome, errorMessage])).toEqual([
        [1, 'lost', 'its lease ran out'],
        [2, 'succeeded', null],
      ]);
    });

    it('are prolonged by a heartbeat', async () => {
      await queue.accept(newInvocation());
      const { lease } = await takeOne(queue, 1000);
      const voided: string[] = [];
      queue.onVoided((leases) => voided.push(...leases.map(({ id }) => id)));
      for (let round = 0; round < 3; round++) {
        opened.pass(600);
        await queue.heartbeat([lease]);
      }
      // What runs out later is voided in the same sweep, or a later one.
      const other = newInvocation({ functionName: 'other' });
      await queue.accept(other);
      await queue.take({ functionName: 'other', versionNumber: 1 }, 1, 1);
      opened.pass(10);
      await until(async () => (await queue.get(other.id))?.state === 'queued');
      expect(voided).toEqual([other.id]);
      expect(await queue.settle(lease, succeeded())).toBe(true);
    });

    it('of a process that has ended are void at once', async () => {
      const invocation = newInvocation();
      await queue.accept(invocation);
      const { lease } = await takeOne(queue, 3600_000);
      await reopen();
      expect(opened.warnings).toEqual(['invocations were running when the platform ended; they are run again']);
      expect(await queue.settle(lease, succeeded())).toBe(false);
      expect((await takeOne(queue)).lease.attempt).toBe(2);
    });

    it('that are lost again and again end in a dead letter', async () => {
      const invocation = newInvocation();
      await queue.accept(invocation);
      for (let round = 0; round < 20; round++) {
        await takeOne(queue);
        await reopen();
      }
      expect(await queue.get(invocation.id)).toMatchObject({ state: 'failed', deadReason: 'lost_too_often', attempt: 20 });
      expect((await queue.take(LANE, 1, 1000)).taken).toEqual([]);
    }, 30_000);
  });

  describe('retries', () => {
    it('wait for their time and count failures', async () => {
      const invocation = newInvocation();
      await queue.accept(invocation);
      await queue.settle((await takeOne(queue)).lease, retry(1000));
      expect((await queue.take(LANE, 1, 1000)).taken).toEqual([]);
      expect(await queue.get(invocation.id)).toMatchObject({ state: 'queued', attempt: 1, errorCode: 'function_failed' });
      opened.pass(1001);
      const second = await takeOne(queue);
      expect(second).toMatchObject({ failures: 1, lease: { attempt: 2 } });
      await queue.settle(second.lease, retry(0, false));
      expect((await takeOne(queue)).failures).toBe(1);
    });
  });

  describe('cancelling', () => {
    it('ends what is queued and what runs, and nothing else', async () => {
      const [queued, running, over] = [newInvocation({ priority: 0 }), newInvocation({ priority: 9 }), newInvocation({ priority: 9 })];
      for (const one of [over, running, queued]) await queue.accept(one);
      await queue.settle((await takeOne(queue)).lease, succeeded());
      const { lease } = await takeOne(queue);
      expect(await queue.cancel(queued.id)).toEqual({ cancelled: true, state: 'cancelled', lease: null });
      expect(await queue.cancel(running.id)).toEqual({ cancelled: true, state: 'cancelled', lease });
      expect(await queue.cancel(over.id)).toEqual({ cancelled: false, state: 'succeeded', lease: null });
      expect(await queue.cancel('none')).toBeUndefined();
      expect(await queue.settle(lease, succeeded())).toBe(false);
      expect((await queue.take(LANE, 9, 1000)).taken).toEqual([]);
      expect((await queue.get(running.id))?.attempts).toMatchObject([{ number: 1, outcome: 'cancelled' }]);
    });
  });

  describe('idempotency keys', () => {
    const keyed = (fingerprint: string, functionName = 'echo') =>
      newInvocation({ functionName, idempotency: { key: 'key', fingerprint, keepMs: 60_000 } });

    it('lead to the first invocation, also when both come at once', async () => {
      const [first, second] = [keyed('a'), keyed('a')];
      const [one, two] = await Promise.all([queue.accept(first), queue.accept(second)]);
      expect(one).toMatchObject({ kind: 'accepted' });
      expect(two).toEqual({ kind: 'repeated', id: first.id, state: 'queued' });
      expect(await queue.get(second.id)).toBeUndefined();
      await queue.settle((await takeOne(queue)).lease, succeeded());
      expect(await queue.accept(keyed('a'))).toEqual({ kind: 'repeated', id: first.id, state: 'succeeded' });
    });

    it('refuse another request, but are each function’s own', async () => {
      const first = keyed('a');
      await queue.accept(first);
      expect(await queue.accept(keyed('b'))).toEqual({ kind: 'mismatch', id: first.id });
      expect(await queue.accept(keyed('b', 'other'))).toMatchObject({ kind: 'accepted' });
    });

    it('are forgotten after their time, and when nothing was run', async () => {
      await queue.accept(keyed('a'));
      opened.pass(60_001);
      const second = keyed('b');
      expect(await queue.accept(second)).toMatchObject({ kind: 'accepted' });
      const { taken } = await queue.take(LANE, 10, 60_000);
      for (const { lease } of taken)
        await queue.settle(lease, { ...(died() as Extract<ReturnType<typeof died>, { kind: 'done' }>), forgetKey: true });
      expect(await queue.accept(keyed('c'))).toMatchObject({ kind: 'accepted' });
    });
  });

  describe('dead letters', () => {
    async function kill(functionName = 'echo'): Promise<string> {
      const invocation = newInvocation({ functionName });
      await queue.accept(invocation);
      const { taken } = await queue.take({ functionName, versionNumber: 1 }, 1, 60_000);
      await queue.settle((taken[0] as (typeof taken)[0]).lease, died());
      opened.pass(10);
      return invocation.id;
    }

    it('are listed, the last first, with their input', async () => {
      const ids = [await kill(), await kill('other'), await kill()];
      expect((await queue.deadLetters({ limit: 10 })).map(({ id }) => id)).toEqual(ids.toReversed());
      expect((await queue.deadLetters({ limit: 10, functionName: 'echo' })).map(({ id }) => id)).toEqual([ids[2], ids[0]]);
      const [last] = await queue.deadLetters({ limit: 1 });
      expect((await queue.deadLetters({ limit: 1, before: last?.endedAt ?? 0 })).map(({ id }) => id)).toEqual([ids[1]]);
      expect(Buffer.from((await queue.input(ids[0] as string))?.body ?? []).toString()).toBe('input');
    });

    it('run again with all their attempts when redriven, one or many', async () => {
      const [a, b] = [await kill(), await kill('other')];
      expect(await queue.redrive(a)).toEqual(LANE);
      expect(await queue.redrive(a)).toBeUndefined();
      const taken = await takeOne(queue);
      expect(taken).toMatchObject({ failures: 0, lease: { id: a, attempt: 2 } });
      await queue.settle(taken.lease, succeeded());
      expect(await queue.get(a)).toMatchObject({ state: 'succeeded', deadReason: null, errorCode: null });
      expect(await queue.redriveMany({ limit: 10, functionName: 'echo' })).toEqual({ redriven: 0, lanes: [] });
      expect(await queue.redriveMany({ limit: 10 })).toEqual({ redriven: 1, lanes: [{ functionName: 'other', versionNumber: 1 }] });
      expect((await queue.get(b))?.state).toBe('queued');
    });

    it('are counted beside what waits, runs and is to be told', async () => {
      const nothing = { queued: 0, due: 0, oldestDueAt: null, running: 0, deadLetters: 0, deliveries: 0 };
      expect(await queue.backlog()).toEqual(nothing);
      await kill();
      await queue.accept(newInvocation({ callbackUrl: 'http://a.example/' }));
      const { lease } = await takeOne(queue);
      await queue.accept(newInvocation());
      const oldestDueAt = Math.floor(queue.now());
      await queue.accept(newInvocation({ delayMs: 3600_000 }));
      const backlog = await queue.backlog();
      expect(backlog).toMatchObject({ queued: 2, due: 1, running: 1, deadLetters: 1, deliveries: 0 });
      expect(Math.abs((backlog.oldestDueAt as number) - oldestDueAt)).toBeLessThan(60_000);
      await queue.settle(lease, succeeded());
      expect(await queue.backlog()).toMatchObject({ running: 0, deliveries: 1 });
    });

    it('are deleted with everything of them', async () => {
      const id = await kill();
      expect(await queue.discard(id)).toBe(true);
      expect(await queue.discard(id)).toBe(false);
      expect(await queue.get(id)).toBeUndefined();
      expect(await queue.input(id)).toBeUndefined();
    });
  });

  it('replays with the same input under a new id', async () => {
    const invocation = newInvocation();
    await queue.accept(invocation);
    await queue.settle((await takeOne(queue)).lease, succeeded());
    expect(await queue.replay(invocation.id, 'again')).toMatchObject({ kind: 'accepted', id: 'again' });
    expect(await queue.replay('none', 'again-2')).toBeUndefined();
    const taken = await takeOne(queue);
    expect(taken.lease.id).toBe('again');
    expect({ ...taken.payload, body: Buffer.from(taken.payload.body ?? []) }).toEqual(invocation.payload);
    expect((await queue.get('again'))?.replayOf).toBe(invocation.id);
  });

  it('lists by function, by state, by both and before an instant, newest first', async () => {
    const ids: string[] = [];
    for (const functionName of ['a', 'b', 'a', 'a']) {
      const invocation = newInvocation({ functionName });
      ids.push(invocation.id);
      await queue.accept(invocation);
      opened.pass(10);
    }
    const { taken } = await queue.take({ functionName: 'a', versionNumber: 1 }, 1, 60_000);
    expect(taken[0]?.lease.id).toBe(ids[0]);
    const list = async (filter: object) => (await queue.list({ limit: 10, ...filter })).map(({ id }) => ids.indexOf(id));
    expect(await list({})).toEqual([3, 2, 1, 0]);
    expect(await list({ functionName: 'a' })).toEqual([3, 2, 0]);
    expect(await list({ state: 'running' })).toEqual([0]);
    expect(await list({ functionName: 'a', state: 'queued', limit: 1 })).toEqual([3]);
    expect(await list({ before: (await queue.get(ids[2] as string))?.acceptedAt })).toEqual([1, 0]);
  });

  it('prunes what ended long ago, dead letters by a time of their own, and keys that have run out', async () => {
    const [a, b, c] = [newInvocation({ idempotency: { key: 'k', fingerprint: 'f', keepMs: 10 } }), newInvocation(), newInvocation()];
    for (const one of [a, b, c]) await queue.accept(one);
    await queue.settle((await takeOne(queue)).lease, succeeded());
    await queue.settle((await takeOne(queue)).lease, died());
    opened.pass(1000);
    expect(await queue.prune(queue.now() + 10_000, 0)).toBe(2);
    expect(await queue.get(a.id)).toBeUndefined();
    expect((await queue.get(b.id))?.deadReason).toBe('attempts_exhausted');
    expect(await queue.prune(0, queue.now() + 10_000)).toBe(1);
    expect((await queue.get(c.id))?.state).toBe('queued');
  });
}
