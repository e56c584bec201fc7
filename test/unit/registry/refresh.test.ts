import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Registry, RegistryOptions } from '../../../src/registry/registry.ts';
import { openTemporaryStore } from '../store/temporary-store.ts';
import { definition, makeRegistry } from './make-registry.ts';
import { MemoryLayers } from './memory-layers.ts';

/** Two nodes over one store; `there` makes the changes, `here` is told of them. */
describe('a registry whose store others write to', () => {
  let opened: Awaited<ReturnType<typeof openTemporaryStore>>;
  let layersHere: MemoryLayers;
  let layersThere: MemoryLayers;
  let here: Registry;
  let there: Registry;
  let told: string[];

  const telling: Partial<RegistryOptions> = {
    onInService: ({ current, versions, chooser }) =>
      told.push(`+${current.functionName}@${current.number}${chooser === null ? '' : ` of ${versions.map(({ number }) => number).join()}`}`),
    onRemoved: (name) => told.push(`-${name}`),
  };

  beforeEach(async () => {
    opened = await openTemporaryStore();
    layersHere = new MemoryLayers();
    layersThere = new MemoryLayers();
    told = [];
    there = makeRegistry(opened.store, layersThere, { shared: true });
    here = makeRegistry(opened.store, layersHere, { shared: true, ...telling });
    await there.start();
    await here.start();
    await layersHere.default();
    await layersThere.default();
  });
  afterEach(async () => {
    here.close();
    there.close();
    await opened.destroy();
  });

  const until = async (condition: () => boolean) => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
  };

  it('puts in service what was registered, and takes out what was deleted; what is the same stays the same object', async () => {
    await there.register(definition());
    await here.refresh('echo');
    const first = here.get('echo');
    expect(first).toEqual(there.get('echo'));
    await here.refresh('echo');
    expect(here.get('echo')).toBe(first);
    await there.register(definition({ function_code: 'print(2)' }));
    await here.refresh('echo');
    await there.remove('echo');
    await here.refresh('echo');
    await here.refresh('echo');
    expect(here.get('echo')).toBeUndefined();
    expect(told).toEqual(['+echo@1', '+echo@2', '-echo']);
  });

  it('takes over traffic splits, their ends and rollbacks, with the versions that it has', async () => {
    await there.register(definition());
    await here.refresh('echo');
    const first = here.get('echo');
    await there.register(definition({ function_code: 'print(2)' }));
    await there.setTraffic('echo', { weights: { 1: 90, 2: 10 } });
    await here.refresh('echo');
    const counted = here.traffic('echo');
    expect(counted?.versions.map(({ version, weight }) => [version.number, weight])).toEqual([
      [2, 10],
      [1, 90],
    ]);
    expect(counted?.versions[1]?.version).toBe(first);
    await here.refresh('echo');
    expect(here.traffic('echo')?.countedSince).toBe(counted?.countedSince);
    await there.endTraffic('echo');
    await here.refresh('echo');
    expect(here.traffic('echo')).toBeUndefined();
    await there.rollback('echo');
    await here.refresh('echo');
    expect(told).toEqual(['+echo@1', '+echo@2 of 2,1', '+echo@2', '+echo@1']);
  });

  it('begins each change of its own with what the store has by then', async () => {
    await there.register(definition());
    await there.register(definition({ function_code: 'print(2)' }));
    expect(await here.rollback('echo')).toMatchObject({ from: 2, version: { number: 1 } });
    await there.register(definition({ function_code: 'print(3)' }));
    expect(await here.register(definition({ function_code: 'print(3)' }))).toMatchObject({ created: false, version: { number: 3 } });
    expect(here.get('echo')?.number).toBe(3);
  });

  it('brings the layers of a new version first: the old one stays until they are there, and other functions do not wait', async () => {
    await there.register(definition());
    await here.refresh('echo');
    layersThere.release();
    const { version } = await there.register(definition({ requirements: 'slow' }));
    layersHere.recipes.set(version.layers[0] as string, 'slow');
    await here.refresh('echo');
    await there.register(definition({ function_name: 'other' }));
    await here.refresh('other');
    expect([here.get('echo')?.number, here.get('other')?.number]).toEqual([1, 1]);
    layersHere.release();
    await until(() => here.get('echo')?.number === 2);
    expect(told).toEqual(['+echo@1', '+other@1', '+echo@2']);
  });

  it('knows a function at once whose layers are still to be brought, and tells again when they are', async () => {
    layersThere.release();
    const { version } = await there.register(definition({ requirements: 'slow' }));
    layersHere.recipes.set(version.layers[0] as string, 'slow');
    await here.refresh('echo');
    await here.refresh('echo');
    expect(told).toEqual(['+echo@1']);
    const known = here.get('echo');
    layersHere.release();
    await until(() => told.length === 2);
    expect(told).toEqual(['+echo@1', '+echo@1']);
    expect(here.get('echo')).toBe(known);
  });

  it('brings what stored versions need when it starts', async () => {
    layersThere.release();
    const { version } = await there.register(definition({ requirements: 'slow' }));
    const layers = new MemoryLayers();
    await layers.default();
    layers.recipes.set(version.layers[0] as string, 'slow');
    layers.release();
    const later = makeRegistry(opened.store, layers, { shared: true, ...telling });
    await later.start();
    await until(() => told.length === 2);
    expect([told, layers.builds]).toEqual([['+echo@1', '+echo@1'], 2]);
    later.close();
  });

  it('looks for a secret that it does not know in the store before it refuses it', async () => {
    const asked: string[] = [];
    const secrets = { has: (name: string) => asked.includes(name), refresh: async (name: string) => void asked.push(name) };
    const registry = makeRegistry(opened.store, layersHere, { shared: true, secrets });
    expect((await registry.register(definition({ secrets: ['A'] }))).created).toBe(true);
    expect(asked).toEqual(['A']);
  });
});
