import { afterEach, describe, expect, it, vi } from 'vitest';
import { instanceRecord, invocationRecord } from '../../test/unit/store/records.ts';
import { openTemporaryStore } from '../../test/unit/store/temporary-store.ts';
import { HearthError } from '../errors.ts';
import type { InstanceRecord, InvocationRecord } from '../schemas/records.ts';
import { createRecordWriter, type RecordWriter, type RecordWriterOptions } from './record-writer.ts';

/** A store that notes what it is given and fails on command: the writer is under test here, not the store. */
function controllableStore() {
  const state = {
    invocations: [] as string[][],
    instances: [] as InstanceRecord[][],
    failure: undefined as Error | undefined,
    refuse: undefined as string | undefined,
    attempts: 0,
  };
  return {
    state,
    async writeInvocations(records: readonly InvocationRecord[]) {
      state.attempts += 1;
      if (state.failure !== undefined) throw state.failure;
      if (records.some(({ id }) => id === state.refuse)) throw new HearthError('internal', 'constraint');
      state.invocations.push(records.map(({ id }) => id));
    },
    async writeInstances(records: readonly InstanceRecord[]) {
      state.attempts += 1;
      if (state.failure !== undefined) throw state.failure;
      state.instances.push([...records]);
    },
  };
}

const outage = new HearthError('store_unavailable', 'the disk is full');

describe('the record writer', () => {
  const open: RecordWriter[] = [];
  const logged: string[] = [];

  afterEach(async () => {
    vi.useRealTimers();
    for (const writer of open.splice(0)) await writer.close();
    logged.length = 0;
  });

  function writerOver(store: Parameters<typeof createRecordWriter>[0], options: Partial<RecordWriterOptions> = {}): RecordWriter {
    const log = { warn: (_: object, message: string) => logged.push(message), info: (_: object, message: string) => logged.push(message) };
    const writer = createRecordWriter(store, { intervalMs: 50, maxBatch: 100, maxPending: 1000, log, ...options });
    open.push(writer);
    return writer;
  }

  it('writes to a real store what it was given', async () => {
    const opened = await openTemporaryStore();
    try {
      const writer = writerOver(opened.store, { maxPending: 5_000 });
      for (let index = 0; index < 2_500; index += 1) writer.invocation(invocationRecord({ id: `i${index}` }));
      writer.instance(instanceRecord({ state: 'busy' }));
      writer.instance(instanceRecord({ state: 'stopped' }));
      await writer.flush();
      expect(await opened.store.invocation('i0')).toMatchObject({ id: 'i0' });
      expect(await opened.store.invocation('i2499')).toMatchObject({ id: 'i2499' });
      expect(await opened.store.instance('instance')).toMatchObject({ state: 'stopped' });
    } finally {
      await opened.destroy();
    }
  });

  it('writes by itself once the interval has passed, and not before', async () => {
    vi.useFakeTimers();
    const store = controllableStore();
    const writer = writerOver(store, { intervalMs: 50 });
    writer.invocation(invocationRecord({ id: 'a' }));
    await vi.advanceTimersByTimeAsync(49);
    writer.invocation(invocationRecord({ id: 'b' }));
    expect(store.state.invocations).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(store.state.invocations).toEqual([['a', 'b']]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(store.state.attempts).toBe(1);
  });

  it('writes at once when a batch is full, in batches of that size', async () => {
    vi.useFakeTimers();
    const store = controllableStore();
    const writer = writerOver(store, { maxBatch: 3, intervalMs: 60_000 });
    for (let index = 0; index < 7; index += 1) writer.invocation(invocationRecord({ id: `${index}` }));
    await vi.advanceTimersByTimeAsync(0);
    expect(store.state.invocations).toEqual([['0', '1', '2'], ['3', '4', '5'], ['6']]);
  });

  it('writes only the newest record of an instance', async () => {
    const store = controllableStore();
    const writer = writerOver(store);
    writer.instance(instanceRecord({ id: 'a', state: 'starting' }));
    writer.instance(instanceRecord({ id: 'b' }));
    writer.instance(instanceRecord({ id: 'a', state: 'idle' }));
    await writer.flush();
    expect(store.state.instances).toEqual([[instanceRecord({ id: 'b' }), instanceRecord({ id: 'a', state: 'idle' })]]);
  });

  it('keeps records through an outage, tries again ever more slowly, and tells of it once', async () => {
    vi.useFakeTimers();
    const store = controllableStore();
    const writer = writerOver(store, { intervalMs: 10 });
    store.state.failure = outage;
    writer.invocation(invocationRecord({ id: 'a' }));
    await vi.advanceTimersByTimeAsync(10 + 100 + 200 + 400);
    expect(store.state.attempts).toBe(4);
    writer.invocation(invocationRecord({ id: 'b' }));
    await vi.advanceTimersByTimeAsync(799);
    expect(store.state.attempts).toBe(4);
    store.state.failure = undefined;
    await vi.advanceTimersByTimeAsync(1);
    expect(store.state.invocations).toEqual([['a', 'b']]);
    expect(logged).toEqual(['records can not be written; they are kept and tried again', 'records are written again']);
    expect(writer.dropped).toBe(0);
  });

  it('keeps the newer record of an instance when an older one could not be written', async () => {
    const store = controllableStore();
    const writer = writerOver(store);
    store.state.failure = outage;
    writer.instance(instanceRecord({ state: 'starting' }));
    const failing = writer.flush();
    writer.instance(instanceRecord({ state: 'idle' }));
    await expect(failing).rejects.toBe(outage);
    store.state.failure = undefined;
    await writer.flush();
    expect(store.state.instances).toEqual([[instanceRecord({ state: 'idle' })]]);
  });

  it('drops and counts the oldest when too many wait', async () => {
    const store = controllableStore();
    const writer = writerOver(store, { maxPending: 3, intervalMs: 60_000 });
    store.state.failure = outage;
    for (let index = 0; index < 5; index += 1) writer.invocation(invocationRecord({ id: `${index}` }));
    await expect(writer.flush()).rejects.toBe(outage);
    expect(writer.dropped).toBe(2);
    store.state.failure = undefined;
    await writer.flush();
    expect(store.state.invocations).toEqual([['2', '3', '4']]);
  });

  it('gets by a record that the store refuses, and writes all others', async () => {
    const store = controllableStore();
    const writer = writerOver(store, { intervalMs: 60_000 });
    store.state.refuse = '6';
    for (let index = 0; index < 10; index += 1) writer.invocation(invocationRecord({ id: `${index}` }));
    await writer.flush();
    expect(store.state.invocations.flat()).toEqual(['0', '1', '2', '3', '4', '5', '7', '8', '9']);
    expect(writer.dropped).toBe(1);
    expect(logged).toEqual(['the store refuses a record; it is dropped']);
  });

  it('writes what waits when it is closed, and drops what comes after', async () => {
    const store = controllableStore();
    const writer = writerOver(store, { intervalMs: 60_000 });
    writer.invocation(invocationRecord({ id: 'a' }));
    await writer.close();
    expect(store.state.invocations).toEqual([['a']]);
    writer.invocation(invocationRecord({ id: 'b' }));
    await writer.close();
    expect(writer.dropped).toBe(1);
  });

  it('ends although the store is out, and counts what is lost', async () => {
    const store = controllableStore();
    const writer = writerOver(store, { intervalMs: 60_000 });
    store.state.failure = outage;
    writer.invocation(invocationRecord({ id: 'a' }));
    writer.instance(instanceRecord());
    await writer.close();
    expect(writer.dropped).toBe(2);
    expect(logged).toContain('records could not be written before the end; they are lost');
  });
});
