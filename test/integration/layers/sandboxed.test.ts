import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { dataFolderWithLibraries } from '../../../bench/lib/platform.ts';
import { createBubblewrapDriver } from '../../../src/sandbox/bubblewrap/bubblewrap-driver.ts';
import type { NetworkMode, SandboxDriver } from '../../../src/sandbox/driver.ts';
import { harness, importFrom, python } from './layers-harness.ts';

const quiet = { warn: () => undefined, debug: () => undefined };
let driver: SandboxDriver;
let network: NetworkMode;

beforeAll(async () => {
  const agentFolder = new URL('../../../runtimes/python', import.meta.url).pathname;
  driver = createBubblewrapDriver({ python, agentFolder, agentEntry: 'agent.py', path: process.env.PATH ?? '', log: quiet });
  await driver.probe();
  network = driver.networks().includes('egress') ? 'egress' : 'host';
});
afterAll(() => driver.close());

test('libraries are installed in a build sandbox', { timeout: 300_000 }, async () => {
  const { layers: open, folder } = harness();
  const layers = open({ builder: driver, defaultRequirements: 'pika\n' }, { network });
  await layers.start();
  const layer = await layers.default();
  expect(layer.name).toBe('default');
  expect(readdirSync(join(layer.path, 'pika/__pycache__')).length).toBeGreaterThan(10);
  // Sandboxes run under other users than builds.
  expect(statSync(layer.path).mode & 0o005).toBe(0o005);
  expect(readdirSync(join(folder, 'layers'))).toEqual([layer.id]);
});

test('the default libraries all import', { timeout: 300_000 }, async () => {
  const layers = join(await dataFolderWithLibraries(), 'layers');
  const [id] = readdirSync(layers);
  const path = join(layers, id as string);
  const modules = ['aiohttp', 'boto3', 'pika', 'psycopg2', 'pymongo', 'pymysql', 'redis', 'requests'];
  expect(importFrom(path, modules)).toEqual(modules.map((name) => join(path, name, '__init__.py')));
  for (const name of modules) expect(existsSync(join(path, name, '__pycache__')), name).toBe(true);
});

test('a package that does not exist fails with the output of pip', async () => {
  const { layers: open, folder } = harness();
  const layers = open({ builder: driver }, { network });
  await layers.start();
  const { id } = await layers.default();
  await expect(layers.ensure('hearth-has-no-such-package>=7', null)).rejects.toMatchObject({
    code: 'layer_build_failed',
    message: expect.stringContaining('No matching distribution found for hearth-has-no-such-package>=7'),
  });
  expect(readdirSync(join(folder, 'layers'))).toEqual([id]);
});

test('without a network pip fails and says that the index could not be reached', async () => {
  const { layers: open } = harness();
  const layers = open({ builder: driver }, { network: 'none', environment: { PIP_RETRIES: '1' } });
  await layers.start();
  await expect(layers.ensure('pika', null)).rejects.toThrow(/index could not be reached/);
});

test('closing ends a running build sandbox', async () => {
  const { layers: open, folder } = harness();
  // pip goes on for hours. The bound is above the test's own, so that only the close can end it in time.
  const layers = open({ builder: driver, timeoutMs: 90_000 }, { network: 'none', environment: { PIP_RETRIES: '100' } });
  await layers.start();
  const { id } = await layers.default();
  const outcome = layers.ensure('pika', null).catch((error: unknown) => error);
  await vi.waitUntil(() => readdirSync(join(folder, 'layers')).some((name) => name.includes('.building-')));
  await layers.close();
  expect(await outcome).toMatchObject({ code: 'draining' });
  expect(readdirSync(join(folder, 'layers'))).toEqual([id]);
});
