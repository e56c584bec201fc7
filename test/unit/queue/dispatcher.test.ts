import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HearthError } from '../../../src/errors.ts';
import { createDurableInvocations, type Durable } from '../../../src/queue/create-durable-invocations.ts';
import type { Runner } from '../../../src/queue/dispatcher.ts';
import type { AcceptRequest } from '../../../src/queue/durable-invocations.ts';
import type { DurableQueue } from '../../../src/queue/durable-queue.ts';
import type { Invocation, InvocationInput, ReplySink } from '../../../src/scheduler/invocation.ts';
import type { FunctionVersion } from '../../../src/schemas/function.ts';
import type { InvocationRecord } from '../../../src/schemas/records.ts';
import { until } from '../../support/hearth.ts';
import { newInvocation, QueueFolder, type TestQueue } from './test-queue.ts';

/** Stands for the scheduler: runs when the test says so, and has the room that the test gives. */
class TestRunner implements Runner {
  slots = 1;
  readonly running: { input: InvocationInput; version: FunctionVersion; sink: ReplySink }[] = [];
  readonly ran: string[] = [];
  most = 0;

  submit(input: InvocationInput, version: FunctionVersion, sink: ReplySink): void {
    this.running.push({ input, version, sink });
    this.ran.push(input.id);
    this.most = Math.max(this.most, this.running.length);
  }

  room(): number {
    return Math.max(0, this.slots - this.running.length);
  }

  cancelById(id: string): boolean {
    const one = this.running.find(({ input }) => input.id === id);
    if (one) this.#end(one, { state: 'cancelled', errorCode: 'cancelled', status: 409 });
    return one !== undefined;
  }

  /** The oldest answers. */
  answer(status = 200, text = 'answer'): void {
    const one = this.running[0] as (typeof this.running)[0];
    one.sink.reply({} as Invocation, status, ['X-A', 'b'], Buffer.from(text));
    this.#end(one, { state: 'succeeded', status });
  }

  fail(code: 'function_failed' | 'draining'): void {
    const one = this.running[0] as (typeof this.running)[0];
    one.sink.fail({} as Invocation, new HearthError(code, 'boom'));
    this.#end(one, { state: 'failed', status: 502, errorCode: code, errorMessage: 'boom' });
  }

  #end(one: (typeof this.running)[0], members: Partial<InvocationRecord>): void {
    this.running.splice(this.running.indexOf(one), 1);
    const record = {
      acceptedAt: 1,
      endedAt: 2,
      errorCode: null,
      errorMessage: null,
      instanceId: 'i',
      start: 'warm',
      queueMs: 1,
      startMs: 1,
      runMs: 1,
      logs: null,
    };
    one.sink.over?.({ ...record, ...members } as InvocationRecord);
  }
}

const version = (number = 1, members: Partial<FunctionVersion> = {}): FunctionVersion =>
  ({
    functionName: 'echo',
    number,
    timeoutMs: 1000,
    retry: { attempts: 3, minBackoffMs: 1, maxBackoffMs: 2, maxAgeMs: 60_000 },
    asyncMode: 'allowed',
    ...members,
  }) as FunctionVersion;

describe('the dispatcher', () => {
  let folder: QueueFolder;
  let opened: TestQueue;
  let queue: DurableQueue;
  let runner: TestRunner;
  let durable: Durable;
  const old = new Map<number, FunctionVersion>();

  beforeEach(async () => {
    folder = await QueueFolder.make();
    await open();
    await durable.start();
  });
  afterEach(async () => {
    old.clear();
    await durable.close();
    await folder[Symbol.asyncDispose]();
  });

  async function open(shared = false): Promise<void> {
    opened = await folder.open();
    queue = shared ? { ...opened.queue, shared: true } : opened.queue;
    runner = new TestRunner();
    durable = createDurableInvocations({
      queue,
      runner,
      loadVersion: async (_, number) => old.get(number),
      describe: (detail) => ({ id: detail.id, state: detail.state }),
      choose: () => undefined,
      revealSecret: () => undefined,
      settings: { maxRunning: 8, leaseMarginMs: 1000, maxResultBytes: 100, keepKeysMs: 60_000, callbackHosts: [] },
      random: () => 0.5,
      log: { warn() {}, error() {} },
    });
    durable.versions.put('echo', [version()]);
  }

  const accept = (members: Partial<AcceptRequest> = {}) =>
    durable.invocations.accept({
      version: version(),
      payload: newInvocation().payload,
      mode: 'async',
      delayMs: 0,
      priority: 5,
      callbackUrl: null,
      idempotencyKey: null,
      ...members,
    });
  const ended = (id: string) => durable.invocations.waitFor(id, 10_000);

  it('runs what is accepted, with its attempt told to the function, and keeps the answer', async () => {
    const { id } = await accept();
    await until(() => runner.running.length === 1);
    const { input } = runner.running[0] as (typeof runner.running)[0];
    expect(input).toMatchObject({ id, correlationId: id, trigger: 'gateway', verb: 'POST', rawPath: '/echo?a=1', patient: true });
    expect(input.headers).toEqual(['Content-Type', 'text/plain', 'X-Correlation-Id', id, 'X-Hearth-Attempt', '1']);
    expect(input.body?.toString()).toBe('input');
    runner.answer(201, 'made');
    expect(await ended(id)).toMatchObject({ state: 'succeeded', status: 201, result: { status: 201, bytes: 4 } });
  });

  it('keeps no more of an answer than its bound, and is no failure for that', async () => {
    const { id } = await accept();
    await until(() => runner.running.length === 1);
    runner.answer(200, 'x'.repeat(101));
    expect(await ended(id)).toMatchObject({ state: 'succeeded', result: { body: null, bytes: 101 } });
  });

  it('takes no more than there is room for, and a few ahead', async () => {
    runner.slots = 2;
    for (let index = 0; index < 30; index++) await accept();
    await until(() => runner.running.length === 2);
    expect(runner.most).toBe(2);
    expect((await queue.list({ state: 'running', limit: 100 })).length).toBeLessThanOrEqual(8);
    for (let index = 0; index < 30; index++) {
      await until(() => runner.running.length > 0);
      runner.answer();
    }
    await until(async () => (await queue.list({ state: 'succeeded', limit: 100 })).length === 30);
    expect(runner.most).toBe(2);
    expect(new Set(runner.ran).size).toBe(30);
  });

  it('waits while others have the room, and goes on when it is there', async () => {
    runner.slots = 0;
    const { id } = await accept();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(runner.ran).toEqual([]);
    runner.slots = 1;
    await until(() => runner.running.length === 1);
    runner.answer();
    expect((await ended(id))?.state).toBe('succeeded');
  });

  it('one lane without room does not keep another', async () => {
    durable.versions.put('other', [version(1, { functionName: 'other' })]);
    runner.room = (of?: FunctionVersion) => (of?.functionName === 'other' ? 1 : 0);
    await accept();
    const { id } = await accept({ version: version(1, { functionName: 'other' }) });
    await until(() => runner.running.length === 1);
    expect(runner.ran).toEqual([id]);
  });

  it('tries again what failed until its attempts are used up; then it is a dead letter that can be redriven', async () => {
    const { id } = await accept();
    for (let attempt = 1; attempt <= 3; attempt++) {
      await until(() => runner.running.length === 1);
      runner.fail('function_failed');
    }
    expect(await ended(id)).toMatchObject({ state: 'failed', deadReason: 'attempts_exhausted', attempt: 3, errorCode: 'function_failed' });
    expect([durable.attempts.get('retried'), durable.attempts.get('dead_lettered'), durable.attempts.get('failed')]).toEqual([2, 1, 0]);
    expect(await durable.invocations.redriveAll(undefined)).toBe(1);
    await until(() => runner.running.length === 1);
    runner.answer();
    expect(await ended(id)).toMatchObject({ state: 'succeeded', attempt: 4, deadReason: null });
  });

  it('stays with the version for which it was accepted, and has a reason when that is gone', async () => {
    old.set(1, version(1));
    runner.slots = 0;
    const { id } = await accept();
    durable.versions.put('echo', [version(2)]);
    runner.slots = 1;
    await until(() => runner.running.length === 1);
    expect(runner.running[0]?.version.number).toBe(1);
    runner.answer();
    await ended(id);
    durable.versions.remove('echo');
    const late = await accept({ version: version(9) });
    expect(await ended(late.id)).toMatchObject({ state: 'failed', deadReason: 'version_gone', errorCode: 'unknown_version', attempts: [] });
  });

  it('does not run what has grown too old', async () => {
    runner.slots = 0;
    const { id } = await accept();
    await new Promise((resolve) => setTimeout(resolve, 50));
    opened.pass(61_000);
    // The queue's clock on this side doesn't see the pass: what is too old is judged when it is taken again.
    await durable.close();
    await open();
    durable.versions.put('echo', [version(1, { retry: { attempts: 3, minBackoffMs: 1, maxBackoffMs: 2, maxAgeMs: 1 } })]);
    await durable.start();
    expect(await ended(id)).toMatchObject({ state: 'failed', deadReason: 'too_old' });
    expect(runner.ran).toEqual([]);
  });

  it('cancels what is queued and what runs', async () => {
    const running = await accept();
    await until(() => runner.running.length === 1);
    const queued = await accept();
    expect(await durable.invocations.cancel(queued.id)).toMatchObject({ state: 'cancelled', attempt: expect.any(Number) });
    expect(await durable.invocations.cancel(running.id)).toMatchObject({ state: 'cancelled' });
    expect(runner.running).toEqual([]);
    await expect(durable.invocations.cancel(running.id)).rejects.toMatchObject({ code: 'conflict' });
    expect(await durable.invocations.cancel('none')).toBeUndefined();
  });

  it('settles once the disk has room again, without running anything twice', async () => {
    const { id } = await accept();
    await until(() => runner.running.length === 1);
    opened.failCommits(13);
    runner.answer();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await queue.get(id))?.state).toBe('running');
    opened.failCommits(0);
    expect((await ended(id))?.state).toBe('succeeded');
    expect(runner.ran).toEqual([id]);
  });

  it('ends what runs under a lease that ran out, and runs it again', async () => {
    const { id } = await accept();
    await until(() => runner.running.length === 1);
    opened.pass(60_000);
    await until(() => runner.ran.length === 2);
    expect(runner.running).toHaveLength(1);
    runner.answer(200, 'second');
    expect((await ended(id))?.attempts.map(({ outcome }) => outcome)).toEqual(['lost', 'succeeded']);
  });

  it('does not keep a result that comes after its lease ran out', async () => {
    runner.slots = 2;
    // What can't be ended: it answers late.
    runner.cancelById = () => false;
    const { id } = await accept();
    await until(() => runner.running.length === 1);
    opened.pass(60_000);
    await until(() => runner.running.length === 2);
    runner.answer(200, 'late');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await queue.get(id))?.state).toBe('running');
    runner.answer(200, 'fresh');
    const detail = await ended(id);
    expect(Buffer.from(detail?.result?.body ?? []).toString()).toBe('fresh');
    expect(detail?.attempts.map(({ outcome }) => outcome)).toEqual(['lost', 'succeeded']);
  });

  it('does not run what was taken ahead and then cancelled', async () => {
    const running = await accept();
    await until(() => runner.running.length === 1);
    const ahead = await accept();
    await until(async () => (await queue.get(ahead.id))?.state === 'running');
    await durable.invocations.cancel(ahead.id);
    runner.answer();
    await ended(running.id);
    const next = await accept();
    await until(() => runner.ran.includes(next.id));
    expect(runner.ran).toEqual([running.id, next.id]);
  });

  describe('of a queue that other nodes take from too', () => {
    beforeEach(async () => {
      await durable.close();
      await open(true);
      await durable.start();
    });

    it('takes nothing that there is no room for', async () => {
      runner.slots = 0;
      const ids = [await accept(), await accept(), await accept(), await accept()].map(({ id }) => id);
      const states = () => Promise.all(ids.map(async (id) => (await queue.get(id))?.state));
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(await states()).toEqual(['queued', 'queued', 'queued', 'queued']);
      runner.slots = 2;
      await until(() => runner.running.length === 2);
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(await states()).toEqual(['running', 'running', 'queued', 'queued']);
    });

    it('leaves what another node has deployed until it is in service here', async () => {
      old.set(2, version(2));
      durable.versions.remove('echo');
      const { id } = await accept({ version: version(2) });
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect((await queue.get(id))?.state).toBe('queued');
      durable.versions.put('echo', [version(2)]);
      await until(() => runner.ran.includes(id));
    });
  });

  it('gives back what has not begun when it stops, and what draining cut off', async () => {
    runner.slots = 1;
    const ids: string[] = [];
    for (let index = 0; index < 4; index++) ids.push((await accept()).id);
    await until(() => runner.running.length === 1);
    durable.stop();
    runner.fail('draining');
    await durable.settled(5000);
    const states = await Promise.all(ids.map(async (id) => (await queue.get(id))?.state));
    expect(states).toEqual(['queued', 'queued', 'queued', 'queued']);
    expect((await queue.get(ids[0] as string))?.attempts).toMatchObject([{ outcome: 'released' }]);
  });
});
