import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { HearthError } from '../../../src/errors.ts';
import { harness, importFrom } from './layers-harness.ts';

const thrown = (error: unknown) => error as HearthError;

test('a real package is installed, compiled, recorded and importable', async () => {
  const { layers: open, folder, store, logged } = harness();
  const layers = open();
  await layers.start();
  const layer = await layers.ensure('pika>=1.3,<2  # AMQP\n', 'messaging');
  expect(layer).toEqual({ id: layer.id, path: join(folder, 'layers', layer.id), name: 'messaging', runtimes: ['python'] });
  expect(importFrom(layer.path, ['pika'])).toEqual([join(layer.path, 'pika/__init__.py')]);
  expect(readdirSync(join(layer.path, 'pika/__pycache__')).length).toBe(
    readdirSync(join(layer.path, 'pika')).filter((name) => name.endsWith('.py')).length,
  );
  const record = store.records.get(layer.id);
  expect(record).toMatchObject({ state: 'ready', name: 'messaging', requirements: 'pika>=1.3,<2  # AMQP\n', runtime: 'python' });
  expect(record?.output).toContain('Successfully installed pika-');
  expect(record?.sizeBytes).toBeGreaterThan(100_000);
  expect(record?.readyAt).toBeGreaterThan(record?.createdAt ?? Number.NaN);
  expect(readdirSync(join(folder, 'layers')).filter((name) => name.includes('.'))).toEqual([]);
  expect(logged.filter(({ level }) => level === 'error')).toEqual([]);
});

test('a package that does not exist fails by name, with the output kept, and nothing left behind', async () => {
  const { layers: open, folder, store } = harness();
  const layers = open();
  await layers.start();
  await layers.default();
  const error = await layers.ensure('hearth-has-no-such-package>=7', null).catch(thrown);
  expect(error).toMatchObject({ code: 'layer_build_failed', extra: { output: expect.stringContaining('No matching distribution') } });
  expect((error as HearthError).message).toMatch(/No matching distribution found for hearth-has-no-such-package>=7/);
  const failed = layers.list().find(({ state }) => state === 'failed');
  expect((error as HearthError).message).toContain(`layer ${failed?.id}`);
  expect(failed?.output).toContain('Could not find a version that satisfies the requirement hearth-has-no-such-package>=7');
  expect(store.records.get(failed?.id ?? '')).toEqual(failed);
  expect(layers.byId(failed?.id ?? '')).toBeUndefined();
  expect(readdirSync(join(folder, 'layers'))).toEqual([(await layers.default()).id]);
});

test('a failed layer is tried again when it is asked for again', async () => {
  const { layers: open, builder, store } = harness();
  const offline = open({}, { environment: { PIP_NO_INDEX: '1', PIP_FIND_LINKS: '' } });
  await offline.start();
  await expect(offline.ensure('pika', 'messaging')).rejects.toMatchObject({ code: 'layer_build_failed' });
  await expect(offline.named('messaging')).rejects.toMatchObject({ code: 'layer_build_failed' });
  expect(builder.built.length).toBe(2);
  await offline.close();
  const online = open();
  await online.start();
  const layer = await online.named('messaging');
  expect(layer.name).toBe('messaging');
  expect(store.records.get(layer.id)?.state).toBe('ready');
});

test('a build that takes too long is killed and says so', async () => {
  const { layers: open, folder } = harness();
  const layers = open({ timeoutMs: 50 });
  await layers.start();
  await layers.default();
  await expect(layers.ensure('pika', null)).rejects.toThrow(/not done after 0.05 s/);
  expect(readdirSync(join(folder, 'layers'))).toEqual([(await layers.default()).id]);
});

test('libraries that are too large are refused after the build', async () => {
  const { layers: open } = harness();
  // Only bytes are watched while it is built.
  const layers = open({ limits: { maxBytes: 1024 ** 3, maxEntries: 5 } });
  await layers.start();
  await expect(layers.ensure('pika', null)).rejects.toMatchObject({ code: 'layer_build_failed', message: expect.stringContaining('too large') });
  expect(layers.list().find(({ state }) => state === 'failed')?.output).toMatch(/Successfully installed pika-.*too large/s);
});

test('requirements that apply to another platform only give an empty layer', async () => {
  const { layers: open } = harness();
  const layers = open();
  await layers.start();
  const layer = await layers.ensure('colorama; sys_platform == "win32"', null);
  expect(readdirSync(layer.path)).toEqual([]);
});
