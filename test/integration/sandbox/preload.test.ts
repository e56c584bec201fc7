import { chmodSync, cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createBubblewrapDriver } from '../../../src/sandbox/bubblewrap/bubblewrap-driver.ts';
import type { Sandbox, SandboxDriver } from '../../../src/sandbox/driver.ts';
import type { ReadyReport } from '../../../src/sandbox/nursery/zygote.ts';
import { pythonWith } from '../../support/python-clients.ts';
import { AGENT_FOLDER, callHandler, layerWith } from './nursery-support.ts';
import { driverOptions, nurseryWith, sandboxSpec } from './support.ts';

const REAL_AGENT = { agentFolder: AGENT_FOLDER, agentEntry: '__main__.py' };
const LOADED = 'import sys\nfound = [n for n in ("pika", "good", "broken") if n in sys.modules]\ndef handler(m, c): return found';

/** With a real pika in it, as pip installs it. */
let pikaLayer: string;
const folders: string[] = [];
const drivers: SandboxDriver[] = [];

beforeAll(async () => {
  const python = await pythonWith(join(import.meta.dirname, '../reply/requirements.txt'));
  const library = join(dirname(python), '../lib');
  const packages = join(library, readdirSync(library)[0] as string, 'site-packages');
  pikaLayer = mkdtempSync(join(tmpdir(), 'hearth-test-pika-'));
  chmodSync(pikaLayer, 0o755);
  folders.push(pikaLayer);
  for (const name of readdirSync(packages))
    if (/^pika(-.*\.dist-info)?$/.test(name)) cpSync(join(packages, name), join(pikaLayer, name), { recursive: true });
}, 120_000);
afterEach(async () => {
  for (const driver of drivers.splice(0)) await driver.close();
});
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function bubblewrap(): SandboxDriver {
  const driver = createBubblewrapDriver(driverOptions(REAL_AGENT));
  drivers.push(driver);
  return driver;
}

async function answerOf(sandbox: Sandbox): Promise<unknown> {
  try {
    return await callHandler(sandbox, LOADED);
  } finally {
    sandbox.kill();
    await sandbox.exited;
  }
}

describe('a sandbox that is booted for nobody yet', () => {
  it('has imported what its layers were built for', async () => {
    const spec = sandboxSpec('none', { layers: [pikaLayer], preload: true });
    expect(await answerOf(await bubblewrap().create(spec))).toEqual(['pika']);
  });

  it('leaves out what breaks', async () => {
    const layer = layerWith({ 'broken.py': 'raise RuntimeError("no")\n', 'good.py': '' });
    folders.push(layer);
    expect(await answerOf(await bubblewrap().create(sandboxSpec('none', { layers: [layer], preload: true })))).toEqual(['good']);
  });

  it('imports nothing when somebody waits for it', async () => {
    expect(await answerOf(await bubblewrap().create(sandboxSpec('none', { layers: [pikaLayer] })))).toEqual([]);
  });

  it('comes, in a nursery, from a zygote in which pika has held a conversation', async () => {
    const reports: (ReadyReport & object)[] = [];
    const log = { warn: () => undefined, debug: (fields: object) => reports.push(fields as ReadyReport) };
    const driver = nurseryWith({ ...REAL_AGENT, log });
    drivers.push(driver);
    expect(await driver.warm([pikaLayer])).toBe(true);
    expect(reports).toMatchObject([{ imported: ['pika'], rehearsed: ['pika'], excluded: [] }]);
    expect(await answerOf(await driver.create(sandboxSpec('none', { layers: [pikaLayer] })))).toEqual(['pika']);
  });
});
