import { readFileSync } from 'node:fs';
import { afterAll, expect, it } from 'vitest';
import { createBubblewrapDriver } from '../../../src/sandbox/bubblewrap/bubblewrap-driver.ts';
import { driverOptions, Inside, nurseryWith, sandboxSpec } from './support.ts';

const LIFE = readFileSync(new URL('fixtures/python-life.py', import.meta.url), 'utf8');

const bubblewrap = createBubblewrapDriver(driverOptions());
const nursery = nurseryWith();
afterAll(async () => {
  await Promise.all([bubblewrap.close(), nursery.close()]);
});

it.each(['bubblewrap', 'nursery'])('lets Python do in a %s sandbox what programs do', async (name) => {
  if (name === 'nursery') expect(await nursery.warm([])).toBe(true);
  const sandbox = await (name === 'nursery' ? nursery : bubblewrap).create(sandboxSpec('none', { tmpBytes: 64 * 1024 * 1024 }));
  expect(sandbox.driver).toBe(name);
  expect(await new Inside(sandbox).run(LIFE)).toEqual({ deeds: 24, trouble: {} });
});
