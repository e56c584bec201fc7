import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HearthError } from '../../../src/errors.ts';
import type { Registry, RegistryOptions } from '../../../src/registry/registry.ts';
import { openTemporaryStore } from '../store/temporary-store.ts';
import { definition, makeRegistry } from './make-registry.ts';
import { MemoryLayers } from './memory-layers.ts';

describe('the registry', () => {
  let opened: Awaited<ReturnType<typeof openTemporaryStore>>;
  let layers: MemoryLayers;
  let registry: Registry;
  let told: string[];

  const telling: Partial<RegistryOptions> = {
    onInService: ({ current }) => told.push(`+${current.functionName}@${current.number}`),
    onRemoved: (name) => told.push(`-${name}`),
  };

  beforeEach(async () => {
    opened = await openTemporaryStore();
    layers = new MemoryLayers();
    told = [];
    registry = makeRegistry(opened.store, layers, telling);
    await registry.start();
  });
  afterEach(() => opened.destroy());

  it('serves the others when one that was stored can not be put in service, and lets it be registered anew', async () => {
    await registry.register(definition());
    await registry.register(definition({ function_name: 'odd', event_type: 'http|GET|/odd' }));
    const errors: unknown[] = [];
    const later = makeRegistry(opened.store, layers, {
      log: { info() {}, warn() {}, error: (fields) => errors.push(fields) },
      onInService({ current }) {
        if (current.functionName === 'odd' && current.number === 1) throw new HearthError('invalid_request', 'not any more');
        told.push(`later ${current.functionName}@${current.number}`);
      },
    });
    await later.start();
    expect(told).toContain('later echo@1');
    expect(errors).toMatchObject([{ function: 'odd', version: 1, reason: 'not any more' }]);
    await later.register(definition({ function_name: 'odd', event_type: 'http|GET|/even' }));
    expect(told).toContain('later odd@2');
  });

  it('decides everything that a definition leaves open', async () => {
    const { version, created } = await registry.register(definition());
    expect(created).toBe(true);
    expect(version).toEqual({
      functionName: 'echo',
      number: 1,
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      eventKey: 'http|POST|/echo',
      runtime: 'python',
      style: 'script',
      code: 'print(1)',
      bundle: null,
      timeoutMs: 60_000,
      network: 'egress',
      layers: [(await layers.default()).id],
      secrets: [],
      requirements: null,
      environment: {},
      concurrency: 8,
      maxInstances: 1000,
      maxQueue: 256,
      asyncMode: 'allowed',
      retry: { attempts: 3, minBackoffMs: 1000, maxBackoffMs: 60_000, maxAgeMs: 6 * 3600_000 },
      reserved: 0,
      minIdleMs: 0,
      maxIdleMs: null,
      memoryBytes: null,
      cpu: null,
      policy: null,
      schedule: null,
      destinations: null,
      invokes: [],
      module: null,
      program: null,
      streamBody: false,
      websocket: false,
      errorLogs: false,
      slo: null,
      createdAt: expect.any(Number),
    });
    expect(registry.get('echo')).toEqual(version);
    expect(registry.list()).toEqual([version]);
    expect(await opened.store.currentVersions()).toEqual([version]);
  });

  it('takes what a definition says', async () => {
    const { version } = await registry.register(
      definition({
        style: 'handler',
        timeout_ms: 5,
        network: 'none',
        environment: { A: 'b' },
        concurrency: 3,
        max_instances: 2,
        max_queue: 0,
        async: 'always',
        retry: { attempts: 1, min_backoff_ms: 100_000, max_age_s: 5 },
      }),
    );
    expect(version).toMatchObject({
      style: 'handler',
      timeoutMs: 5,
      network: 'none',
      environment: { A: 'b' },
      concurrency: 3,
      maxInstances: 2,
      maxQueue: 0,
      asyncMode: 'always',
      retry: { attempts: 1, minBackoffMs: 100_000, maxBackoffMs: 100_000, maxAgeMs: 5000 },
      reserved: 0,
      minIdleMs: 0,
      maxIdleMs: null,
      memoryBytes: null,
      cpu: null,
    });
  });

  it.for([
    ['print(1)', 'script', 8],
    ['def handler(m, c): pass', 'handler', 1],
    ['async def handler(m, c): pass', 'handler', 16],
  ] as const)('runs %s as a %s, %i at a time', async ([code, style, concurrency]) => {
    expect((await registry.register(definition({ function_code: code }))).version).toMatchObject({ style, concurrency });
  });

  it('streams bodies and sockets to handlers and servers that ask for it, to no script and no runtime of AWS Lambda', async () => {
    const handler = await registry.register(definition({ function_code: 'def handler(m, c): pass', stream_body: true }));
    expect(handler.version).toMatchObject({ streamBody: true, websocket: false });
    const server = await registry.register(definition({ style: 'server', websocket: true }));
    expect(server.version).toMatchObject({ streamBody: false, websocket: true });
    expect(server.version.hash).not.toBe((await registry.register(definition({ style: 'server' }))).version.hash);
    for (const member of ['stream_body', 'websocket']) {
      for (const style of [{ style: 'script' }, { style: 'lambda' }, {}] as const) {
        await expect(registry.register(definition({ ...style, [member]: true }))).rejects.toMatchObject({
          code: 'invalid_request',
          extra: { errors: [{ field: member }] },
        });
      }
    }
  });

  it('searches own requirements first, then the named layers in their order, then the default one', async () => {
    const b = await layers.ensure('b\n', 'layer-b');
    const a = await layers.ensure('a\n', 'layer-a');
    const { version } = await registry.register(definition({ layers: ['layer-b', 'layer-a'], requirements: 'own\n' }));
    const own = await layers.ensure('own\n', null);
    expect(version.layers).toEqual([own.id, b.id, a.id, (await layers.default()).id]);
    expect(version.requirements).toBe('own\n');
  });

  it('names a layer once that is asked for twice, and takes blank requirements for none', async () => {
    const { version } = await registry.register(definition({ layers: [], requirements: 'pika\n' }));
    expect(version.layers).toEqual([(await layers.default()).id]);
    expect((await registry.register(definition({ requirements: ' \n' }))).version.requirements).toBeNull();
  });

  it('changes nothing when the same is registered again, whatever the order of the environment', async () => {
    const first = await registry.register(definition({ environment: { A: '1', B: '2' } }));
    const second = await registry.register(definition({ environment: { B: '2', A: '1' } }));
    expect(second).toEqual({ version: first.version, created: false, warnings: [] });
    expect(told).toEqual(['+echo@1']);
  });

  it.for([
    { function_code: 'print(2)' },
    { event_type: 'http|GET|/echo' },
    { timeout_ms: 1 },
    { network: 'none' },
    { environment: { A: 'b' } },
    { requirements: 'x' },
    { concurrency: 2 },
    { max_instances: 1 },
    { max_queue: 1 },
    { style: 'handler' },
  ] as const)('makes a new version for %o', async (change) => {
    const first = await registry.register(definition());
    const second = await registry.register(definition(change));
    expect(second).toMatchObject({ created: true, version: { number: 2 } });
    expect(second.version.hash).not.toBe(first.version.hash);
    expect(told).toEqual(['+echo@1', '+echo@2']);
  });

  it('changes nothing when a layer can not be built', async () => {
    await registry.register(definition());
    await expect(registry.register(definition({ requirements: 'broken' }))).rejects.toMatchObject({ code: 'layer_build_failed' });
    await expect(registry.register(definition({ layers: ['unknown'] }))).rejects.toMatchObject({ code: 'unknown_layer' });
    expect(await opened.store.versions('echo')).toHaveLength(1);
    expect(told).toEqual(['+echo@1']);
  });

  it('builds no layer for code that can not be parsed', async () => {
    await expect(registry.register(definition({ function_code: 'syntax error', requirements: 'own' }))).rejects.toMatchObject({
      code: 'invalid_code',
      extra: { line: 1 },
    });
    expect(layers.builds).toBe(0);
  });

  it.for([
    [{ function_name: 'trigger' }, 'function_name'],
    [{ function_name: 'instances' }, 'function_name'],
    [{ function_code: 'print("\ud800")' }, 'function_code'],
    [{ environment: { 'A-B': '1' } }, 'environment.A-B'],
    [{ environment: { A: 'x\0y' } }, 'environment.A'],
    [{ slo: { window_days: 7 } }, 'slo'],
  ] as const)('refuses %o and names the member', async ([members, field]) => {
    await expect(registry.register(definition(members))).rejects.toMatchObject({ code: 'invalid_request', extra: { errors: [{ field }] } });
    expect(registry.list()).toEqual([]);
  });

  it('refuses an event key that is none, and a network that can not be had', async () => {
    await expect(registry.register(definition({ event_type: 'smtp|x' }))).rejects.toMatchObject({ code: 'invalid_request' });
    const confined = makeRegistry(opened.store, layers, { networks: ['none', 'egress'] });
    await expect(confined.register(definition({ network: 'host' }))).rejects.toMatchObject({ code: 'network_unavailable' });
    expect((await confined.register(definition({ network: 'none' }))).created).toBe(true);
  });

  it('registers versions of one name in the order in which they came, even when the first takes long', async () => {
    const first = registry.register(definition({ requirements: 'slow' }));
    const second = registry.register(definition({ function_code: 'print(2)' }));
    const removal = registry.remove('echo');
    const other = await registry.register(definition({ function_name: 'other' }));
    expect(other.created).toBe(true);
    layers.release();
    expect((await first).version.number).toBe(1);
    expect((await second).version.number).toBe(2);
    expect(await removal).toBe(true);
    expect(told).toEqual(['+other@1', '+echo@1', '+echo@2', '-echo']);
    expect(registry.get('echo')).toBeUndefined();
  });

  it('goes on with a name after a registration of it has failed', async () => {
    const results = await Promise.allSettled([registry.register(definition({ requirements: 'broken' })), registry.register(definition())]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  });

  it('forgets what is removed, and says whether there was any', async () => {
    await registry.register(definition());
    expect(await registry.remove('echo')).toBe(true);
    expect(await registry.remove('echo')).toBe(false);
    expect(registry.list()).toEqual([]);
    expect(told).toEqual(['+echo@1', '-echo']);
    expect((await registry.register(definition())).version.number).toBe(2);
  });

  it('tells of what the store has at the start', async () => {
    const { version } = await registry.register(definition());
    told = [];
    const again = makeRegistry(await opened.reopen(), layers, telling);
    expect(again.list()).toEqual([]);
    await again.start();
    expect(again.list()).toEqual([version]);
    expect(told).toEqual(['+echo@1']);
  });

  it('keeps what it had when the store can not be written', async () => {
    const { version } = await registry.register(definition());
    await opened.store.close();
    await expect(registry.register(definition({ function_code: 'print(2)' }))).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(registry.remove('echo')).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(registry.list()).toEqual([version]);
    expect(told).toEqual(['+echo@1']);
  });

  it('knows who uses a layer, registrations under way among them', async () => {
    const named = await layers.ensure('a\n', 'layer-a');
    await registry.register(definition({ layers: ['layer-a'] }));
    expect(registry.usersOfLayer(named.id)).toEqual(['echo']);
    await registry.register(definition());
    expect(registry.usersOfLayer(named.id)).toEqual([]);

    const slowDefault = Object.assign(new MemoryLayers(), { default: () => layers.ensure('slow', null) });
    const held = await slowDefault.ensure('own', null);
    const waiting = makeRegistry(opened.store, slowDefault);
    const registration = waiting.register(definition({ function_name: 'late', requirements: 'own' }));
    await expect.poll(() => waiting.usersOfLayer(held.id)).toEqual(['late']);
    layers.release();
    await registration;
    expect(waiting.usersOfLayer(held.id)).toEqual(['late']);
  });
});
