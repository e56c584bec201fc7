import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { SandboxDriver } from '../../../src/sandbox/driver.ts';
import { createProcessDriver } from '../../../src/sandbox/process/process-driver.ts';
import { driverOptions, Inside, sandboxSpec, statusOf, until } from './support.ts';

let temporaryFolder: string;
let driver: SandboxDriver;
beforeEach(() => {
  temporaryFolder = mkdtempSync(join(tmpdir(), 'hearth-test-process-'));
  driver = createProcessDriver(driverOptions({ temporaryFolder }));
});
afterEach(async () => {
  await driver.close();
  rmSync(temporaryFolder, { recursive: true });
});

const isRunning = (pid: number) => /^State:\t[^ZX]/m.test(statusOf(pid));

it('says loudly that it isolates nothing', () => {
  expect(driver.warnings.join(' ')).toMatch(/NO ISOLATION.*NO NETWORK ISOLATION.*NO RESOURCE LIMITS/);
});

it('runs the agent with a private folder and no environment of the platform', async () => {
  const sandbox = await driver.create(sandboxSpec('none', { layers: [temporaryFolder] }));
  const environment = (await new Inside(sandbox).run('import os; result = dict(os.environ)')) as Record<string, string>;
  expect(Object.keys(environment).sort()).toEqual(['HOME', 'LANG', 'PATH', 'TMPDIR']);
  expect(environment.TMPDIR).toContain(temporaryFolder);
  expect(sandbox.layerPaths).toEqual([temporaryFolder]);
  expect(sandbox.streamListen.host).toMatch(/^127\./);
  expect(sandbox.streamListen.host).not.toBe('127.0.0.1');
  sandbox.kill();
  expect(await sandbox.exited).toEqual({ code: null, signal: 'SIGKILL' });
  expect(readdirSync(temporaryFolder)).toEqual([]);
});

it('ends detached grandchildren with the agent', async () => {
  const sandbox = await driver.create(sandboxSpec());
  const code = `
import os, time
read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    child = os.fork()
    if child == 0:
        os.closerange(0, 64)
        time.sleep(1000)
    os.write(write, str(child).encode())
    os._exit(0)
os.wait()
result = int(os.read(read, 16))
`;
  const grandchild = (await new Inside(sandbox).run(code)) as number;
  expect(isRunning(grandchild)).toBe(true);
  sandbox.kill();
  await sandbox.exited;
  expect(isRunning(grandchild)).toBe(false);
});

it('counts memory and processes', async () => {
  const sandbox = await driver.create(sandboxSpec());
  const stats = await sandbox.stats();
  expect(stats.processes).toBe(1);
  expect(stats.pssBytes).toBeGreaterThan(1024 * 1024);
  sandbox.kill();
  await sandbox.exited;
  await expect(sandbox.stats()).rejects.toMatchObject({ code: 'not_found' });
});

it('passes on output', async () => {
  const sandbox = await driver.create(sandboxSpec());
  let heard = '';
  sandbox.onOutput((stream, chunk) => {
    heard += `${stream}: ${chunk}`;
  });
  await new Inside(sandbox).run('print("hello", flush=True)');
  await until(() => heard === 'stdout: hello\n');
});

it('says what the agent wrote before it ended', async () => {
  const crashing = createProcessDriver(driverOptions({ agentEntry: 'crash.py', temporaryFolder }));
  await expect(crashing.create(sandboxSpec())).rejects.toMatchObject({ message: expect.stringContaining('this agent never says hello') });
  await crashing.close();
  expect(readdirSync(temporaryFolder)).toEqual([]);
});

it('sweeps what a killed platform left', async () => {
  // The highest pid that Linux can hand out on 64 bits is 4194304.
  mkdirSync(join(temporaryFolder, 'hearth-process-4194305-abc', 'deep'), { recursive: true });
  mkdirSync(join(temporaryFolder, `hearth-process-${process.pid}-abc`));
  const sandbox = await driver.create(sandboxSpec());
  sandbox.kill();
  await sandbox.exited;
  expect(readdirSync(temporaryFolder)).toEqual([`hearth-process-${process.pid}-abc`]);
});
