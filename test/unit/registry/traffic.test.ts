import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HearthError } from '../../../src/errors.ts';
import type { InService } from '../../../src/registry/in-service.ts';
import type { Registry, RegistryOptions } from '../../../src/registry/registry.ts';
import { TrafficMonitor } from '../../../src/registry/traffic-monitor.ts';
import type { FunctionVersion } from '../../../src/schemas/function.ts';
import { openTemporaryStore } from '../store/temporary-store.ts';
import { definition, makeRegistry } from './make-registry.ts';
import { MemoryLayers } from './memory-layers.ts';

const BOUND = { error_rate: 0.5, minimum_calls: 4, window_ms: 1000 };

describe('versions in the registry', () => {
  let opened: Awaited<ReturnType<typeof openTemporaryStore>>;
  let layers: MemoryLayers;
  let registry: Registry;
  let monitor: TrafficMonitor;
  /** What the other parts know, by function name. */
  let services: Map<string, InService>;
  /** What happened, in order. */
  let told: string[];
  let logged: object[];

  function make(options: Partial<RegistryOptions> = {}): Registry {
    monitor = new TrafficMonitor(() => 0);
    return makeRegistry(opened.store, layers, {
      monitor,
      clock: () => 1234,
      random: () => 0,
      log: { info() {}, warn: (fields) => logged.push(fields), error: (fields) => logged.push(fields) },
      onInService: (service) => {
        services.set(service.current.functionName, service);
        told.push(`switch to ${service.current.number}`);
      },
      ...options,
    });
  }

  beforeEach(async () => {
    opened = await openTemporaryStore();
    layers = new MemoryLayers();
    services = new Map();
    told = [];
    logged = [];
    registry = make();
    await registry.start();
  });
  afterEach(() => opened.destroy());

  async function versions(count: number): Promise<FunctionVersion[]> {
    const made: FunctionVersion[] = [];
    for (let number = 1; number <= count; number++) made.push((await registry.register(definition({ function_code: `print(${number})` }))).version);
    return made;
  }

  const service = () => services.get('echo') as InService;
  const inService = () => service().versions.map(({ number }) => number);
  const failing = (versionNumber: number) =>
    monitor.observe({ functionName: 'echo', versionNumber, state: 'failed', status: 502, errorCode: 'function_failed' });

  describe('rolling back', () => {
    it('makes the version before the current one current, with its number and its event key', async () => {
      await registry.register(definition({ event_type: 'http|GET|/old' }));
      await registry.register(definition({ event_type: 'http|GET|/new' }));
      const { version, from, warnings } = await registry.rollback('echo');
      expect([version.number, version.eventKey, from, warnings]).toEqual([1, 'http|GET|/old', 2, []]);
      expect(registry.get('echo')).toBe(version);
      expect(service()).toMatchObject({ current: { number: 1, eventKey: 'http|GET|/old' }, chooser: null });
      expect((await opened.store.currentVersions()).map(({ number }) => number)).toEqual([1]);
      expect((await registry.register(definition({ event_type: 'http|GET|/new' }))).version.number).toBe(3);
    });

    it('goes to any version there is, forward too', async () => {
      await versions(3);
      expect((await registry.rollback('echo', 1)).version.number).toBe(1);
      expect((await registry.rollback('echo', 3)).version.number).toBe(3);
      expect((await registry.rollback('echo')).version.number).toBe(2);
    });

    it('refuses what is not there, and changes nothing', async () => {
      await versions(1);
      await expect(registry.rollback('echo')).rejects.toMatchObject({ code: 'conflict' });
      await expect(registry.rollback('echo', 2)).rejects.toMatchObject({ code: 'unknown_version' });
      await expect(registry.rollback('nobody')).rejects.toMatchObject({ code: 'not_found' });
      expect(told).toEqual(['switch to 1']);
    });

    it('refuses a version whose layer is gone', async () => {
      const { version } = await registry.register(definition({ requirements: 'own' }));
      await versions(1);
      await layers.remove(version.layers[0] as string);
      await expect(registry.rollback('echo')).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('layer') });
      expect(registry.get('echo')?.number).toBe(2);
    });

    it('ends a traffic split, and says so', async () => {
      await versions(3);
      await registry.setTraffic('echo', { weights: { 2: 50, 3: 50 } });
      const { warnings } = await registry.rollback('echo', 2);
      expect(warnings).toEqual(['The traffic split was ended.']);
      expect(registry.traffic('echo')).toBeUndefined();
      expect(inService()).toEqual([2]);
      expect(await opened.store.trafficSplits()).toEqual([]);
    });
  });

  describe('a traffic split', () => {
    it('puts its versions in service beside the current one', async () => {
      const [, two, three] = await versions(3);
      const { status, warnings } = await registry.setTraffic('echo', { weights: { 1: 90, 2: 10 }, sticky_header: 'X-User' });
      expect(warnings).toEqual([]);
      expect(status).toMatchObject({
        split: { weights: { 1: 90, 2: 10 }, stickyHeader: 'x-user', rollbackOn: null, state: 'active', rolledBack: null, createdAt: 1234 },
        versions: [
          { version: { number: 3 }, weight: 0, calls: 0, errors: 0 },
          { version: { number: 2 }, weight: 10 },
          { version: { number: 1 }, weight: 90 },
        ],
      });
      expect(inService()).toEqual([3, 2, 1]);
      expect(service().chooser?.choose(undefined).number).toBe(2);
      // The same object as before, or its warm instances would go.
      expect(service().current).toBe(three);
      expect(service().chooser?.named(2)).not.toBe(two);
      const held = service().chooser?.named(2);
      await registry.setTraffic('echo', { weights: { 1: 50, 2: 50 } });
      expect(service().chooser?.named(2)).toBe(held);
    });

    it('survives a restart, whether it is in force or was rolled back', async () => {
      await versions(2);
      await registry.setTraffic('echo', { weights: { 1: 80, 2: 20 }, rollback_on: BOUND });
      const before = registry.traffic('echo');
      registry = make();
      await registry.start();
      expect(registry.traffic('echo')).toEqual(before);
      expect(service().chooser?.choose(undefined).number).toBe(2);
      for (let call = 0; call < 4; call++) failing(2);
      expect(registry.traffic('echo')).toMatchObject({ split: { state: 'rolled_back' } });
      await expect.poll(async () => (await opened.store.trafficSplits())[0]?.state).toBe('rolled_back');
      registry = make();
      await registry.start();
      expect(registry.traffic('echo')).toMatchObject({ split: { state: 'rolled_back', weights: { 1: 100, 2: 0 } } });
      expect(service().chooser?.choose(undefined).number).toBe(1);
    });

    it('stays in force when a new version is registered, which gets no calls by it', async () => {
      await versions(2);
      await registry.setTraffic('echo', { weights: { 1: 90, 2: 10 } });
      const { warnings } = await registry.register(definition({ function_code: 'print(3)' }));
      expect(warnings).toEqual([expect.stringContaining('version 3 is current, but gets no calls')]);
      expect(inService()).toEqual([3, 2, 1]);
      expect(service().chooser?.choose(undefined).number).toBe(2);
      expect(service().chooser?.named(3)?.number).toBe(3);
    });

    it('keeps a new version from taking the function to another event key', async () => {
      await versions(2);
      await registry.setTraffic('echo', { weights: { 1: 90, 2: 10 } });
      await expect(registry.register(definition({ event_type: 'http|GET|/elsewhere' }))).rejects.toMatchObject({ code: 'conflict' });
      expect((await registry.register(definition({ event_type: 'http|post|/%65cho' }))).created).toBe(true);
      await registry.endTraffic('echo');
      expect((await registry.register(definition({ event_type: 'http|GET|/elsewhere' }))).created).toBe(true);
    });

    it('ends on demand, and that of a deleted function with it', async () => {
      await versions(2);
      await registry.setTraffic('echo', { weights: { 1: 100 } });
      expect(await registry.endTraffic('echo')).toMatchObject({ ended: true, current: { number: 2 } });
      expect(await registry.endTraffic('echo')).toMatchObject({ ended: false });
      expect(inService()).toEqual([2]);
      await registry.setTraffic('echo', { weights: { 1: 100 } });
      await registry.remove('echo');
      await expect(registry.endTraffic('echo')).rejects.toMatchObject({ code: 'not_found' });
      await versions(1);
      expect(registry.traffic('echo')).toBeUndefined();
    });

    it.each([
      [{ weights: { 1: 90, 2: 20 } }, 'weights', '110'],
      [{ weights: { 1: 90, 7: 10 } }, 'weights.7', 'no version 7'],
      [{ weights: { 2: 90, 3: 10 } }, 'weights.3', 'http|GET|/other'],
      [{ weights: { 2: 100 }, rollback_on: BOUND }, 'rollback_on', 'another version'],
      [{ weights: { 1: 100, 2: 0 }, rollback_on: BOUND }, 'rollback_on', 'share'],
    ])('refuses %j and names %s', async (traffic, field, detail) => {
      await versions(2);
      await registry.register(definition({ event_type: 'http|GET|/other' }));
      await registry.rollback('echo', 2);
      await expect(registry.setTraffic('echo', traffic)).rejects.toMatchObject({
        code: 'invalid_request',
        message: expect.stringContaining(detail),
        extra: { errors: [{ field }] },
      });
      expect(registry.traffic('echo')).toBeUndefined();
      await expect(registry.setTraffic('nobody', { weights: { 1: 100 } })).rejects.toMatchObject({ code: 'not_found' });
    });

    it('keeps the layers of its versions in use', async () => {
      const { version } = await registry.register(definition({ requirements: 'own' }));
      await registry.register(definition());
      const own = version.layers[0] as string;
      expect(registry.usersOfLayer(own)).toEqual([]);
      await registry.setTraffic('echo', { weights: { 1: 1, 2: 99 } });
      expect(registry.usersOfLayer(own)).toEqual(['echo']);
    });

    it('gives the share of a newest version that fails too often to the others, at once, and logs it', async () => {
      await versions(3);
      await registry.setTraffic('echo', { weights: { 1: 60, 2: 30, 3: 10 }, rollback_on: BOUND });
      for (let call = 0; call < 3; call++) failing(3);
      expect(service().chooser?.choose(undefined).number).toBe(3);
      failing(3);
      expect(service().chooser?.choose(undefined).number).toBe(2);
      expect(registry.traffic('echo')).toMatchObject({
        split: {
          state: 'rolled_back',
          weights: { 1: 67, 2: 33, 3: 0 },
          rolledBack: { version: 3, at: 1234, reason: '4 of the last 4 calls of version 3 failed, which is more than 0.5 of them.' },
        },
        versions: [{ calls: 4, errors: 4 }, {}, {}],
      });
      expect(inService()).toEqual([3, 2, 1]);
      expect(service().chooser?.named(3)?.number).toBe(3);
      expect(logged).toMatchObject([{ function: 'echo', version: 3, weights: { 1: 67, 2: 33, 3: 0 } }]);
      failing(3);
      expect(logged).toHaveLength(1);
    });

    it('that was replaced is judged no more', async () => {
      await versions(2);
      await registry.setTraffic('echo', { weights: { 1: 50, 2: 50 }, rollback_on: BOUND });
      for (let call = 0; call < 3; call++) failing(2);
      await registry.setTraffic('echo', { weights: { 1: 40, 2: 60 }, rollback_on: BOUND });
      failing(2);
      expect(registry.traffic('echo')).toMatchObject({ split: { state: 'active' } });
      await registry.setTraffic('echo', { weights: { 1: 40, 2: 60 } });
      for (let call = 0; call < 9; call++) failing(2);
      expect(registry.traffic('echo')).toMatchObject({ split: { state: 'active' } });
    });
  });

  describe('warming', () => {
    let live: boolean;
    let warm: (version: FunctionVersion) => Promise<void>;

    beforeEach(() => {
      live = true;
      warm = async ({ number }) => {
        told.push(`warm ${number}`);
      };
      registry = make({ warmer: { isLive: () => live, warm: (version) => warm(version) } });
    });

    it('comes before the switch, when there are instances', async () => {
      live = false;
      await versions(1);
      live = true;
      expect((await registry.register(definition({ function_code: 'print(2)' }))).warnings).toEqual([]);
      await registry.register(definition({ function_code: 'print(2)' }));
      await registry.rollback('echo');
      expect(told).toEqual(['switch to 1', 'warm 2', 'switch to 2', 'warm 1', 'switch to 1']);
    });

    it('that fails keeps no version from being switched to, and is told', async () => {
      await versions(1);
      warm = async () => {
        throw new HearthError('function_load_failed', 'no luck.');
      };
      const { version, warnings } = await registry.register(definition({ function_code: 'print(2)' }));
      expect(warnings).toEqual(['Version 2 got its calls without being warm: no luck.']);
      expect(service().current).toBe(version);
    });

    it('is done for the versions of a split that get calls', async () => {
      await versions(3);
      told = [];
      await registry.setTraffic('echo', { weights: { 1: 0, 2: 50, 3: 50 } });
      expect(told.sort()).toEqual(['switch to 3', 'warm 2', 'warm 3']);
    });
  });
});
