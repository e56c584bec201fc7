import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBubblewrapDriver } from '../../../src/sandbox/bubblewrap/bubblewrap-driver.ts';
import { type Cgroups, openCgroups } from '../../../src/sandbox/cgroup/cgroups.ts';
import type { SandboxDriver } from '../../../src/sandbox/driver.ts';
import { createProcessDriver } from '../../../src/sandbox/process/process-driver.ts';
import { driverOptions, Inside, nurseryWith, sandboxSpec } from './support.ts';

const MIB = 1024 * 1024;
const LIMITS = { memoryBytes: 64 * MIB, cpu: null, processes: 24 };
const ALL = { sandbox: LIMITS, build: LIMITS, zygote: { memoryBytes: null, cpu: null, processes: 1000 } };
const QUIET = { warn: () => undefined, debug: () => undefined };

const folder = mkdtempSync(join(tmpdir(), 'hearth-test-limits-'));
const prefix = `hearth-test${process.pid}`;

function open(): Promise<Cgroups> {
  return openCgroups({
    settings: { prefix, limits: ALL, spares: 2 },
    parent: '',
    stateFile: join(folder, 'cgroups.json'),
    log: QUIET,
  });
}

const cgroups = await open();
afterAll(async () => {
  await cgroups.close();
  rmSync(folder, { recursive: true, force: true });
});

const { places } = cgroups.found;
const hasAll = places.memory !== undefined && places.cpu !== undefined && places.pids !== undefined;

/** Groups of ours with a process in them, in the hierarchy of that controller. */
function inhabited(controller: string): string[] {
  const parent = places[controller]?.folder ?? '';
  return readdirSync(parent)
    .filter((name) => name.startsWith(`${prefix}-`))
    .map((name) => join(parent, name))
    .filter((group) => readFileSync(join(group, 'cgroup.procs'), 'utf8') !== '');
}

const KINDS: [string, () => SandboxDriver][] = [
  ['bubblewrap', () => createBubblewrapDriver(driverOptions({ cgroups, uidBase: 1_941_000_000 }))],
  ['nursery', () => nurseryWith({ cgroups, uidBase: 1_942_000_000, zygoteUidBase: 1_943_000_000 })],
  ['process', () => createProcessDriver(driverOptions({ cgroups }))],
];

describe.runIf(hasAll)('groups that a killed platform has left behind', () => {
  it('are removed at the next start, with the processes in them, in all places that were written down', async () => {
    const parent = join(places.memory?.folder ?? '', `hearth-elsewhere-${process.pid}`);
    const left = join(parent, `${prefix}left-3`);
    const ofAnother = join(parent, 'hearth-another-3');
    for (const made of [parent, left, ofAnother]) mkdirSync(made);
    const child = spawn('sh', ['-c', 'trap "" TERM; setsid sleep 100 & wait'], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    await once(child, 'spawn');
    writeFileSync(join(left, 'cgroup.procs'), String(child.pid));
    const stateFile = join(folder, 'left.json');
    writeFileSync(stateFile, JSON.stringify([parent, '/no/such/folder']));
    const next = await openCgroups({ settings: { prefix: `${prefix}left`, limits: ALL, spares: 0 }, parent: '', stateFile, log: QUIET });
    try {
      expect((await ended)[1]).toBe('SIGKILL');
      expect(readdirSync(parent).filter((entry) => entry.startsWith('hearth-'))).toEqual(['hearth-another-3']);
      expect(JSON.parse(readFileSync(stateFile, 'utf8'))).not.toContain(parent);
    } finally {
      await next.close();
      rmdirSync(ofAnother);
      rmdirSync(parent);
    }
  });
});

describe.runIf(hasAll)('a build', () => {
  it('that needs too much memory is killed, and its output says why', async () => {
    const driver = createBubblewrapDriver(driverOptions({ cgroups, uidBase: 1_944_000_000 }));
    const outputFolder = mkdtempSync(join(tmpdir(), 'hearth-test-build-'));
    chmodSync(outputFolder, 0o755);
    let output = '';
    try {
      const result = await driver.build({
        ...{ id: 'build', argv: ['python', '-c', 'bytearray(200 << 20)'], environment: {}, outputFolder, inputs: {} },
        ...{ network: 'none', timeoutMs: 60_000, onOutput: (chunk: Buffer) => (output += chunk) },
      });
      expect(result).toMatchObject({ code: null, timedOut: false });
      expect(output).toMatch(/needed more memory than it may use/);
    } finally {
      await driver.close();
      rmSync(outputFolder, { recursive: true, force: true });
    }
  });
});

describe.runIf(hasAll).each(KINDS)('the limits of a sandbox of the driver %s', (name, make) => {
  let driver: SandboxDriver;
  beforeAll(async () => {
    driver = make();
    await driver.probe();
  });
  afterAll(() => driver.close());

  it('let the kernel kill it when its memory is used up, and nothing else', async () => {
    const [bomb, neighbour] = await Promise.all([driver.create(sandboxSpec()), driver.create(sandboxSpec())]);
    expect(bomb.driver).toBe(name);
    const inside = new Inside(neighbour);
    await expect(new Inside(bomb).run('hold = [bytearray(1 << 20) for _ in range(200)]')).rejects.toThrow('the channel ended');
    expect(await bomb.exited).toMatchObject({ oomKills: expect.any(Number) });
    expect(await inside.run('result = 6 * 7')).toBe(42);
    expect(await neighbour.oomKills()).toBe(0);
    neighbour.kill();
    expect(await neighbour.exited).not.toHaveProperty('oomKills');
  });

  it('count what a child of it had done to it, without its end', async () => {
    const sandbox = await driver.create(sandboxSpec());
    const inside = new Inside(sandbox);
    const code = `
import os
pid = os.fork()
if pid == 0:
    bytearray(200 << 20)
    os._exit(0)
result = os.waitpid(pid, 0)[1]
`;
    expect(await inside.run(code)).toBe(9);
    expect(await sandbox.oomKills()).toBe(1);
    expect(await inside.run('result = "alive"')).toBe('alive');
    sandbox.kill();
    await sandbox.exited;
  });

  it('may be set otherwise for one sandbox', async () => {
    const sandbox = await driver.create(sandboxSpec());
    await sandbox.limit({ memoryBytes: 256 * MIB, cpu: 0.25 });
    expect(await new Inside(sandbox).run('result = len(bytearray(150 << 20))')).toBe(150 * MIB);
    sandbox.kill();
    expect(await sandbox.exited).not.toHaveProperty('oomKills');
  });

  it('hold up who uses more than its cores', async () => {
    const before = new Set(inhabited('cpu'));
    const sandbox = await driver.create(sandboxSpec());
    const group = inhabited('cpu').find((found) => !before.has(found)) ?? '';
    const throttled = () => Number(/^nr_throttled (\d+)/m.exec(readFileSync(join(group, 'cpu.stat'), 'utf8'))?.[1]);
    const spin = 'import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\nresult = 1';
    const inside = new Inside(sandbox);
    await inside.run(spin);
    expect(throttled()).toBe(0);
    await sandbox.limit({ cpu: 0.2 });
    await inside.run(spin);
    expect(throttled()).toBeGreaterThan(2);
    sandbox.kill();
    await sandbox.exited;
  });

  it('bound the number of processes, forks of forks and daemons included', async () => {
    const sandbox = await driver.create(sandboxSpec());
    const code = `
import os, time
def bomb():
    while True:
        try:
            pid = os.fork()
        except OSError:
            return
        if pid == 0:
            try:
                os.setsid()
            except OSError:
                pass
pid = os.fork()
if pid == 0:
    bomb()
    time.sleep(100)
    os._exit(0)
time.sleep(0.5)
result = True
`;
    await new Inside(sandbox).run(code);
    const counts = inhabited('pids').map((group) => Number(readFileSync(join(group, 'pids.current'), 'utf8')));
    expect(Math.max(...counts)).toBe(LIMITS.processes);
    sandbox.kill();
    await sandbox.exited;
  });

  it('are gone with it, whatever it left running', async () => {
    const sandbox = await driver.create(sandboxSpec());
    await new Inside(sandbox).run('import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(100)\nresult = 1');
    sandbox.kill();
    await sandbox.exited;
    // What remains is the zygote's, if there is one.
    for (const controller of ['memory', 'cpu', 'pids']) expect(inhabited(controller)).toHaveLength(name === 'nursery' ? 1 : 0);
  });
});
