import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DurableQueue } from '../../../src/queue/durable-queue.ts';
import { readMark } from '../../../src/queue/sqlite/commit-mark.ts';
import { queueConformance } from './queue-conformance.ts';
import { LANE, newInvocation, QueueFolder, retry, type TestQueue, takeOne } from './test-queue.ts';

describe('the durable queue in SQLite', () => {
  queueConformance(() => QueueFolder.make());
});

describe('the durable queue in a file', () => {
  let folder: QueueFolder;
  let opened: TestQueue;
  let queue: DurableQueue;

  beforeEach(async () => {
    folder = await QueueFolder.make();
    opened = await folder.open();
    queue = opened.queue;
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  async function reopen(wallAhead = 0): Promise<void> {
    await queue.close();
    opened = await folder.open(wallAhead);
    queue = opened.queue;
  }

  it('writes those that come together in few commits, and each that comes alone in its own', async () => {
    const commits = () => readMark(`${folder.file}.mark`);
    const before = commits();
    await Promise.all(Array.from({ length: 500 }, () => queue.accept(newInvocation())));
    expect(commits() - before).toBeLessThan(20);
    const between = commits();
    for (let index = 0; index < 5; index++) await queue.accept(newInvocation());
    expect(commits() - between).toBe(5);
  });

  it('copies no more of a body than its own bytes, whatever memory it is a view of', async () => {
    const slab = Buffer.alloc(64 * 1024, 'x');
    const invocation = newInvocation();
    await queue.accept({ ...invocation, payload: { ...invocation.payload, body: slab.subarray(10, 15) } });
    const { payload } = await takeOne(queue);
    expect(Buffer.from(payload.body ?? []).toString()).toBe('xxxxx');
    expect(payload.body?.buffer.byteLength).toBeLessThan(1024);
  });

  describe('a wall clock that jumps', () => {
    it('changes nothing while the process lives', async () => {
      // The queue's clock is the wall clock of its start and goes on by the monotonic one: there is nothing for a jump to reach.
      await queue.accept(newInvocation({ delayMs: 1000 }));
      expect((await queue.take(LANE, 1, 1000)).taken).toEqual([]);
      opened.pass(1001);
      await takeOne(queue);
    });

    it('back by an hour between two starts makes nothing wait for an hour', async () => {
      const retried = newInvocation();
      await queue.accept(retried);
      await queue.settle((await takeOne(queue)).lease, retry(5000));
      await reopen(-3600_000);
      expect(opened.warnings).toEqual(['the clock was set back; what was due by it is due as much earlier']);
      const { nextDueAt } = await queue.take(LANE, 1, 1000);
      expect((nextDueAt ?? 0) - (Date.now() - 3600_000)).toBeLessThanOrEqual(5000);
      opened.pass(5001);
      expect((await takeOne(queue)).lease.id).toBe(retried.id);
    });

    it('on by an hour between two starts makes due what was to be due within it, and no lease is prolonged', async () => {
      await queue.accept(newInvocation());
      await takeOne(queue, 7200_000);
      await queue.accept(newInvocation({ delayMs: 1800_000 }));
      await reopen(3600_000);
      const { taken } = await queue.take(LANE, 10, 1000);
      expect(taken.map(({ lease }) => lease.attempt).sort()).toEqual([1, 2]);
    });
  });
});
