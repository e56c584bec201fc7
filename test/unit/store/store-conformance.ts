import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../../src/store/store.ts';
import { apiKey, instanceRecord, invocationRecord, layerRecord, trafficSplit, versionDraft } from './records.ts';

/** A store under test, empty at first. */
export interface OpenedStore {
  store: Store;
  /** Closes the store, if it is still open, and opens another over the same data. */
  reopen(): Promise<Store>;
  /** Closes what is open and deletes the data. */
  destroy(): Promise<void>;
}

/** Every sentence of src/store/store.ts as a test; each implementation of Store runs it. */
export function storeConformance(open: () => Promise<OpenedStore>): void {
  let opened: OpenedStore;
  let store: Store;

  beforeEach(async () => {
    opened = await open();
    store = opened.store;
  });
  afterEach(() => opened.destroy());

  describe('API keys', () => {
    it('keeps them, by function and name, until they are deleted', async () => {
      expect(await store.apiKeys()).toEqual([]);
      await store.putVersion(versionDraft());
      await store.putVersion(versionDraft({ functionName: 'a' }));
      const [web, app, other] = [
        apiKey({ id: '1'.repeat(16), name: 'web', rateLimit: null, expiresAt: 5000 }),
        apiKey({ id: '2'.repeat(16), name: 'app' }),
        apiKey({ id: '3'.repeat(16), functionName: 'a', name: 'web' }),
      ];
      for (const key of [web, app, other]) expect(await store.putApiKey(key)).toBe(true);
      store = await opened.reopen();
      expect(await store.apiKeys()).toEqual([other, app, web]);
      expect(await store.apiKeys('echo')).toEqual([app, web]);
      expect(await store.apiKeys('none')).toEqual([]);
      expect(await store.deleteApiKey('a', web.id)).toBe(false);
      expect(await store.deleteApiKey('echo', web.id)).toBe(true);
      expect(await store.deleteApiKey('echo', web.id)).toBe(false);
      expect(await store.apiKeys()).toEqual([other, app]);
    });

    it('takes none for a function that is not there, and drops them with the function only', async () => {
      expect(await store.putApiKey(apiKey())).toBe(false);
      await store.putVersion(versionDraft());
      await store.putApiKey(apiKey());
      await store.putVersion(versionDraft({ hash: 'hash 2', policy: null }));
      expect(await store.apiKeys()).toEqual([apiKey()]);
      await store.deleteFunction('echo');
      expect(await store.apiKeys()).toEqual([]);
    });
  });

  describe('functions', () => {
    it('has none at first', async () => {
      expect(await store.currentVersions()).toEqual([]);
      expect(await store.versions('echo')).toEqual([]);
      expect(await store.version('echo', 1)).toBeUndefined();
    });

    it('makes the first version number 1 and makes it current', async () => {
      const before = Date.now();
      const draft = versionDraft();
      const { version, created } = await store.putVersion(draft);
      expect(created).toBe(true);
      expect(version).toEqual({ ...draft, number: 1, createdAt: expect.any(Number) });
      expect(version.createdAt).toBeGreaterThanOrEqual(before);
      expect(version.createdAt).toBeLessThanOrEqual(Date.now());
      expect(await store.currentVersions()).toEqual([version]);
      expect(await store.version('echo', 1)).toEqual(version);
    });

    it('gives the current version back when its hash is put again', async () => {
      const first = await store.putVersion(versionDraft());
      expect(await store.putVersion(versionDraft())).toEqual({ version: first.version, created: false });
      expect(await store.versions('echo')).toEqual([first.version]);
    });

    it('makes the latest put version current and lists versions newest first', async () => {
      const first = (await store.putVersion(versionDraft({ hash: 'a' }))).version;
      const second = (await store.putVersion(versionDraft({ hash: 'b', code: 'print(2)' }))).version;
      expect(second.number).toBe(2);
      expect(await store.currentVersions()).toEqual([second]);
      expect(await store.versions('echo')).toEqual([second, first]);
      expect(await store.version('echo', 1)).toEqual(first);
    });

    it('makes a new number for a hash that an older version has', async () => {
      await store.putVersion(versionDraft({ hash: 'a' }));
      await store.putVersion(versionDraft({ hash: 'b' }));
      const again = await store.putVersion(versionDraft({ hash: 'a' }));
      expect(again.created).toBe(true);
      expect(again.version.number).toBe(3);
      expect(await store.currentVersions()).toEqual([again.version]);
    });

    it('counts each name on its own', async () => {
      await store.putVersion(versionDraft({ functionName: 'a' }));
      await store.putVersion(versionDraft({ functionName: 'a', hash: 'other' }));
      expect((await store.putVersion(versionDraft({ functionName: 'b' }))).version.number).toBe(1);
      expect((await store.currentVersions()).map((version) => [version.functionName, version.number])).toEqual([
        ['a', 2],
        ['b', 1],
      ]);
    });

    it('gives current versions a page at a time, in the order of names', async () => {
      for (const functionName of ['c', 'a', 'B', 'b', 'ä']) await store.putVersion(versionDraft({ functionName }));
      const names: string[] = [];
      for (;;) {
        const page = await store.currentVersions({ after: names.at(-1) ?? '', limit: 2 });
        if (page.length === 0) break;
        names.push(...page.map((version) => version.functionName));
      }
      expect(names).toEqual((await store.currentVersions()).map((version) => version.functionName));
      expect(names).toHaveLength(5);
    });

    it('keeps the versions of a deleted function, and goes on counting after it', async () => {
      const first = (await store.putVersion(versionDraft())).version;
      expect(await store.deleteFunction('echo')).toBe(true);
      expect(await store.currentVersions()).toEqual([]);
      expect(await store.versions('echo')).toEqual([first]);
      const second = await store.putVersion(versionDraft());
      expect(second).toMatchObject({ created: true, version: { number: 2 } });
    });

    it('makes an older version current again under its own number, and goes on counting from the newest', async () => {
      const first = (await store.putVersion(versionDraft({ hash: 'a' }))).version;
      const second = (await store.putVersion(versionDraft({ hash: 'b' }))).version;
      expect(await store.makeCurrent('echo', 1)).toEqual(first);
      expect(await store.currentVersions()).toEqual([first]);
      expect(await store.versions('echo')).toEqual([second, first]);
      expect(await store.putVersion(versionDraft({ hash: 'a' }))).toEqual({ version: first, created: false });
      expect((await store.putVersion(versionDraft({ hash: 'b' }))).version.number).toBe(3);
    });

    it('makes nothing current that is not there', async () => {
      expect(await store.makeCurrent('echo', 1)).toBeUndefined();
      const { version } = await store.putVersion(versionDraft());
      await store.putTrafficSplit(trafficSplit());
      expect(await store.makeCurrent('echo', 2)).toBeUndefined();
      expect(await store.currentVersions()).toEqual([version]);
      expect(await store.trafficSplits()).toEqual([trafficSplit()]);
      await store.deleteFunction('echo');
      expect(await store.makeCurrent('echo', 1)).toBeUndefined();
      expect(await store.currentVersions()).toEqual([]);
    });

    it('says whether there was a function to delete', async () => {
      expect(await store.deleteFunction('echo')).toBe(false);
      await store.putVersion(versionDraft());
      expect(await store.deleteFunction('echo')).toBe(true);
      expect(await store.deleteFunction('echo')).toBe(false);
    });

    it('gives every member back as it was put', async () => {
      const draft = versionDraft({
        code: 'print("žluťoučký 🐈 \\0 \u0000")\r\n',
        layers: ['own', 'named', 'default'],
        requirements: 'pika==1.3.2\n',
        environment: { NAME: 'värde', EMPTY: '', TRICKY: '\'"; DROP TABLE functions; --' },
        style: 'handler',
        network: 'none',
      });
      await store.putVersion(draft);
      expect((await store.currentVersions())[0]).toEqual({ ...draft, number: 1, createdAt: expect.any(Number) });
    });

    it('gives each of many versions put at once a number of its own', async () => {
      const put = await Promise.all(Array.from({ length: 20 }, (_, index) => store.putVersion(versionDraft({ hash: `hash ${index}` }))));
      expect(new Set(put.map(({ version }) => version.number)).size).toBe(20);
      expect(await store.versions('echo')).toHaveLength(20);
    });

    it('has after a reopening what it had before', async () => {
      const { version } = await store.putVersion(versionDraft());
      await store.putVersion(versionDraft({ functionName: 'gone' }));
      await store.deleteFunction('gone');
      const again = await opened.reopen();
      expect(await again.currentVersions()).toEqual([version]);
      expect(await again.versions('gone')).toHaveLength(1);
    });
  });

  describe('invocations', () => {
    it('inserts a record and gives it back', async () => {
      const record = invocationRecord({
        queueMs: 0.25,
        logs: 'a\u0000b\n',
        requestId: 'theirs',
        errorCode: 'function_failed',
        errorMessage: 'x',
        status: 502,
      });
      await store.writeInvocations([record]);
      expect(await store.invocation(record.id)).toEqual(record);
      expect(await store.invocation('unknown')).toBeUndefined();
    });

    it('gives nulls back as nulls', async () => {
      const record = invocationRecord({ instanceId: null, requestId: null, start: null, status: null, logs: null });
      await store.writeInvocations([record]);
      expect(await store.invocation(record.id)).toEqual(record);
    });

    it('replaces a record of the same id, also within one call', async () => {
      await store.writeInvocations([invocationRecord({ id: 'a', state: 'queued' }), invocationRecord({ id: 'a', state: 'running' })]);
      expect(await store.invocation('a')).toMatchObject({ state: 'running' });
      await store.writeInvocations([invocationRecord({ id: 'a', state: 'succeeded' })]);
      expect(await store.invocations({ limit: 10 })).toEqual([invocationRecord({ id: 'a', state: 'succeeded' })]);
    });

    it('takes an empty list', async () => {
      await store.writeInvocations([]);
      expect(await store.invocations({ limit: 10 })).toEqual([]);
    });

    it('writes all of a call or nothing', async () => {
      const broken = { ...invocationRecord({ id: 'b' }), verb: null } as never;
      await expect(store.writeInvocations([invocationRecord({ id: 'a' }), broken])).rejects.toMatchObject({ name: 'HearthError' });
      expect(await store.invocations({ limit: 10 })).toEqual([]);
      await store.writeInvocations([invocationRecord({ id: 'c' })]);
      expect(await store.invocation('c')).toMatchObject({ id: 'c' });
    });

    it('lists newest first, by function, by state, before an instant, up to the limit', async () => {
      await store.writeInvocations([
        invocationRecord({ id: '1', acceptedAt: 100, functionName: 'a', state: 'succeeded' }),
        invocationRecord({ id: '3', acceptedAt: 300, functionName: 'a', state: 'failed' }),
        invocationRecord({ id: '2', acceptedAt: 200, functionName: 'b', state: 'failed' }),
      ]);
      const ids = async (filter: Parameters<Store['invocations']>[0]) => (await store.invocations(filter)).map((record) => record.id);
      expect(await ids({ limit: 10 })).toEqual(['3', '2', '1']);
      expect(await ids({ limit: 2 })).toEqual(['3', '2']);
      expect(await ids({ limit: 10, functionName: 'a' })).toEqual(['3', '1']);
      expect(await ids({ limit: 10, state: 'failed' })).toEqual(['3', '2']);
      expect(await ids({ limit: 10, before: 300 })).toEqual(['2', '1']);
      expect(await ids({ limit: 10, before: 301, state: 'failed', functionName: 'b' })).toEqual(['2']);
    });
  });

  describe('traffic splits', () => {
    it('puts one, replaces it, and has it after reopening', async () => {
      expect(await store.trafficSplits()).toEqual([]);
      await store.putVersion(versionDraft());
      const plain = trafficSplit({ stickyHeader: null, rollbackOn: null });
      await store.putTrafficSplit(plain);
      expect(await store.trafficSplits()).toEqual([plain]);
      const rolledBack = trafficSplit({ state: 'rolled_back', rolledBack: { version: 2, at: 1234.5, reason: 'it failed' } });
      await store.putTrafficSplit(rolledBack);
      expect(await store.trafficSplits()).toEqual([rolledBack]);
      expect(await (await opened.reopen()).trafficSplits()).toEqual([rolledBack]);
    });

    it('is told with the current version of its function', async () => {
      expect(await store.functionState('echo')).toBeUndefined();
      const { version: first } = await store.putVersion(versionDraft());
      expect(await store.functionState('echo')).toEqual({ current: first, split: null });
      const { version: second } = await store.putVersion(versionDraft({ hash: 'hash 2' }));
      await store.putTrafficSplit(trafficSplit());
      expect(await store.functionState('echo')).toEqual({ current: second, split: trafficSplit() });
      await store.deleteFunction('echo');
      expect(await store.functionState('echo')).toBeUndefined();
    });

    it('lists by function name, and deletes one alone', async () => {
      for (const functionName of ['b', 'a']) {
        await store.putVersion(versionDraft({ functionName }));
        await store.putTrafficSplit(trafficSplit({ functionName }));
      }
      expect((await store.trafficSplits()).map(({ functionName }) => functionName)).toEqual(['a', 'b']);
      expect(await store.deleteTrafficSplit('a')).toBe(true);
      expect(await store.deleteTrafficSplit('a')).toBe(false);
      expect((await store.trafficSplits()).map(({ functionName }) => functionName)).toEqual(['b']);
    });

    it('keeps it through a new version, ends it with a return to an older one, and with the function', async () => {
      await store.putVersion(versionDraft());
      await store.putTrafficSplit(trafficSplit());
      await store.putVersion(versionDraft({ hash: 'b' }));
      expect(await store.trafficSplits()).toEqual([trafficSplit()]);
      await store.makeCurrent('echo', 1);
      expect(await store.trafficSplits()).toEqual([]);
      await store.putTrafficSplit(trafficSplit());
      await store.deleteFunction('echo');
      expect(await store.trafficSplits()).toEqual([]);
      await store.putVersion(versionDraft());
      expect(await store.trafficSplits()).toEqual([]);
    });

    it('refuses one of a function that is not there', async () => {
      await expect(store.putTrafficSplit(trafficSplit({ functionName: 'nobody' }))).rejects.toMatchObject({ name: 'HearthError' });
      expect(await store.trafficSplits()).toEqual([]);
    });
  });

  describe('series', () => {
    const step = (functionName: string, stepMs: number, number: number, counts = '0,1') => ({ functionName, stepMs, step: number, counts });

    it('keeps them, a page at a time, until they are old', async () => {
      await store.putVersion(versionDraft());
      const steps = [step('', 60_000, 7), step('echo', 60_000, 7), step('', 60_000, 8), step('', 3600_000, 7)];
      await store.putSeries(steps.toReversed());
      await store.putSeries([step('echo', 60_000, 7, '0,2')]);
      store = await opened.reopen();
      const expected = [steps[0], step('echo', 60_000, 7, '0,2'), steps[2], steps[3]];
      expect(await store.series({ limit: 2000 })).toEqual(expected);
      const first = await store.series({ limit: 3 });
      expect([...first, ...(await store.series({ after: first[2] as (typeof first)[0], limit: 3 }))]).toEqual(expected);
      expect(await store.pruneSeries(60_000, 8)).toBe(2);
      expect(await store.series({ limit: 10 })).toEqual([steps[2], steps[3]]);
    });

    it('has none of functions that are not there', async () => {
      await store.putVersion(versionDraft());
      await store.putSeries([step('echo', 60_000, 7), step('nobody', 60_000, 7)]);
      expect(await store.series({ limit: 10 })).toEqual([step('echo', 60_000, 7)]);
      await store.deleteFunction('echo');
      expect(await store.series({ limit: 10 })).toEqual([]);
    });
  });

  describe('instances', () => {
    it('inserts a record, replaces it, and gives it back', async () => {
      await store.writeInstances([instanceRecord({ id: 'i', state: 'starting', readyAt: null })]);
      expect(await store.instance('i')).toEqual(instanceRecord({ id: 'i', state: 'starting', readyAt: null }));
      const stopped = instanceRecord({ id: 'i', state: 'stopped', stoppedAt: 900, stopReason: 'idle', logs: 'bye' });
      await store.writeInstances([stopped]);
      expect(await store.instance('i')).toEqual(stopped);
      expect(await store.instance('unknown')).toBeUndefined();
    });

    it('lists newest first, by function, the live ones only, up to the limit', async () => {
      await store.writeInstances([
        instanceRecord({ id: '1', startedAt: 100, functionName: 'a', state: 'stopped', stoppedAt: 150 }),
        instanceRecord({ id: '3', startedAt: 300, functionName: 'a', state: 'busy' }),
        instanceRecord({ id: '2', startedAt: 200, functionName: 'b', state: 'idle' }),
      ]);
      const ids = async (filter: Parameters<Store['instances']>[0]) => (await store.instances(filter)).map((record) => record.id);
      expect(await ids({ limit: 10 })).toEqual(['3', '2', '1']);
      expect(await ids({ limit: 1 })).toEqual(['3']);
      expect(await ids({ limit: 10, liveOnly: true })).toEqual(['3', '2']);
      expect(await ids({ limit: 10, liveOnly: false, functionName: 'a' })).toEqual(['3', '1']);
      expect(await ids({ limit: 10, liveOnly: true, functionName: 'a' })).toEqual(['3']);
    });
  });

  it('closes what a crash left open, and nothing else', async () => {
    const done = invocationRecord({ id: 'done', state: 'succeeded' });
    const stopped = instanceRecord({ id: 'stopped', state: 'stopped', stoppedAt: 5, stopReason: 'idle' });
    await store.writeInvocations([invocationRecord({ id: 'queued', state: 'queued' }), invocationRecord({ id: 'running', state: 'running' }), done]);
    await store.writeInstances([instanceRecord({ id: 'busy', state: 'busy' }), stopped]);
    expect(await store.closeOpenRecords('another node is gone', 7000, ['another'])).toBe(0);
    expect(await store.closeOpenRecords('the platform crashed', 7000)).toBe(3);
    expect(await store.invocation('queued')).toMatchObject({
      state: 'failed',
      errorCode: 'internal',
      errorMessage: 'the platform crashed',
      endedAt: 7000,
    });
    expect(await store.invocation('running')).toMatchObject({ state: 'failed', errorCode: 'internal', endedAt: 7000 });
    expect(await store.invocation('done')).toEqual(done);
    expect(await store.instance('busy')).toMatchObject({ state: 'stopped', stopReason: 'the platform crashed', stoppedAt: 7000 });
    expect(await store.instance('stopped')).toEqual(stopped);
    expect(await store.closeOpenRecords('again', 8000)).toBe(0);
  });

  it('prunes what ended before an instant, and nothing that is open or ended at it or later', async () => {
    await store.writeInvocations([
      invocationRecord({ id: 'old', acceptedAt: 10, endedAt: 99 }),
      invocationRecord({ id: 'edge', acceptedAt: 10, endedAt: 100 }),
      invocationRecord({ id: 'open', acceptedAt: 10, endedAt: 0, state: 'running' }),
    ]);
    await store.writeInstances([
      instanceRecord({ id: 'old', startedAt: 10, state: 'stopped', stoppedAt: 99 }),
      instanceRecord({ id: 'edge', startedAt: 10, state: 'stopped', stoppedAt: 100 }),
      instanceRecord({ id: 'live', startedAt: 10, state: 'idle' }),
    ]);
    expect(await store.pruneRecords(100)).toBe(2);
    expect((await store.invocations({ limit: 10 })).map((record) => record.id).sort()).toEqual(['edge', 'open']);
    expect((await store.instances({ limit: 10 })).map((record) => record.id).sort()).toEqual(['edge', 'live']);
    expect(await store.pruneRecords(100)).toBe(0);
  });

  it('prunes more records than fit one step', async () => {
    const records = Array.from({ length: 5_500 }, (_, index) => invocationRecord({ id: `r${index}`, acceptedAt: index, endedAt: index }));
    await store.writeInvocations(records);
    expect(await store.pruneRecords(5_400)).toBe(5_400);
    expect(await store.invocations({ limit: 1000 })).toHaveLength(100);
  });

  it('lists at most 1000 records', async () => {
    await store.writeInvocations(Array.from({ length: 1_001 }, (_, index) => invocationRecord({ id: `r${index}` })));
    expect(await store.invocations({ limit: 5_000 })).toHaveLength(1_000);
  });

  it('keeps secrets as they are given, by name', async () => {
    const secret = { name: 'B', version: 1, keyId: 'k1', nonce: new Uint8Array([1, 2]), sealed: new Uint8Array([3, 4]), updatedAt: 7 };
    await store.putSecret(secret);
    await store.putSecret({ ...secret, name: 'A' });
    await store.putSecret({ ...secret, version: 2, sealed: new Uint8Array([5]) });
    expect(await store.secrets()).toEqual([
      { ...secret, name: 'A' },
      { ...secret, version: 2, sealed: new Uint8Array([5]) },
    ]);
    expect([await store.secret('A'), await store.secret('C')]).toEqual([{ ...secret, name: 'A' }, undefined]);
    await store.replaceSecrets([{ ...secret, name: 'A', keyId: 'k2' }]);
    expect((await store.secret('A'))?.keyId).toBe('k2');
    expect([await store.deleteSecret('A'), await store.deleteSecret('A'), await store.secret('A')]).toEqual([true, false, undefined]);
  });

  it('puts, replaces, lists and deletes layers', async () => {
    const layer = layerRecord({ id: 'l1', state: 'building', readyAt: null, sizeBytes: null });
    await store.putLayer(layer);
    expect(await store.layers()).toEqual([layer]);
    const ready = layerRecord({ id: 'l1' });
    await store.putLayer(ready);
    await store.putLayer(layerRecord({ id: 'l2', name: null }));
    expect((await store.layers()).find(({ id }) => id === 'l1')).toEqual(ready);
    expect(await store.layers()).toHaveLength(2);
    expect(await store.layerRecipe('l1')).toEqual(ready);
    expect(await store.layerRecipe('l3')).toBeUndefined();
    expect(await store.deleteLayer('l1')).toBe(true);
    expect(await store.deleteLayer('l1')).toBe(false);
    expect((await store.layers()).map(({ id }) => id)).toEqual(['l2']);
  });

  it('finishes what was asked before it is closed, and refuses what is asked after', async () => {
    const written = store.writeInvocations([invocationRecord({ id: 'last' })]);
    const closed = store.close();
    await expect(store.layers()).rejects.toMatchObject({ code: 'store_unavailable' });
    await Promise.all([written, closed, store.close()]);
    const again = await opened.reopen();
    expect(await again.invocation('last')).toMatchObject({ id: 'last' });
  });
}
