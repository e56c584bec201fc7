import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { createBubblewrapDriver } from '../../../src/sandbox/bubblewrap/bubblewrap-driver.ts';
import type { SandboxDriver } from '../../../src/sandbox/driver.ts';
import type { DriverOptions } from '../../../src/sandbox/options.ts';
import { driverOptions, Inside, IS_ROOT, mountPoints, processesOfUsers, sandboxSpec, statusOf, until } from './support.ts';

const drivers: SandboxDriver[] = [];
const folders: string[] = [];
const platforms: ChildProcess[] = [];
afterEach(async () => {
  for (const platform of platforms.splice(0)) platform.kill('SIGKILL');
  await Promise.all(drivers.splice(0).map((driver) => driver.close()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function driverWith(options: Partial<DriverOptions> = {}): SandboxDriver {
  const driver = createBubblewrapDriver(driverOptions(options));
  drivers.push(driver);
  return driver;
}

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'hearth-test-'));
  folders.push(made);
  return made;
}

/** Ranges of user ids that no two tests share. */
let nextUidBase = 1_910_000_000;
function uidBase(): number {
  nextUidBase += 1000;
  return nextUidBase;
}

const DETACHED_GRANDCHILD = `
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 64)
        time.sleep(1000)
    os._exit(0)
os.wait()
`;

describe.runIf(IS_ROOT)('the processes of a sandbox', () => {
  it('die with kill(), a detached grandchild included', async () => {
    const base = uidBase();
    const sandbox = await driverWith({ uidBase: base }).create(sandboxSpec());
    await new Inside(sandbox).run(DETACHED_GRANDCHILD);
    // bwrap, the namespace's init, the agent and the grandchild.
    expect(processesOfUsers(base, base + 10)).toHaveLength(4);
    sandbox.kill();
    expect(await sandbox.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(processesOfUsers(base, base + 10)).toEqual([]);
  });

  it('die with the agent', async () => {
    const base = uidBase();
    const sandbox = await driverWith({ uidBase: base }).create(sandboxSpec());
    const inside = new Inside(sandbox);
    await inside.run(DETACHED_GRANDCHILD);
    sandbox.channel.write(`${JSON.stringify('import os; os._exit(3)')}\n`);
    expect(await sandbox.exited).toEqual({ code: 3, signal: null });
    expect(processesOfUsers(base, base + 10)).toEqual([]);
  });

  it('run under a user of their own, which is used anew only after the end', async () => {
    const base = uidBase();
    const driver = driverWith({ uidBase: base });
    const [first, second] = await Promise.all([driver.create(sandboxSpec()), driver.create(sandboxSpec())]);
    expect(processesOfUsers(base, base + 1)).not.toEqual([]);
    expect(processesOfUsers(base + 1, base + 2)).not.toEqual([]);
    first?.kill();
    await first?.exited;
    const third = await driver.create(sandboxSpec());
    expect(processesOfUsers(base + 2, base + 10)).toEqual([]);
    second?.kill();
    third.kill();
  });

  it('die with a platform that is killed, and leave neither files nor mounts', async () => {
    const base = uidBase();
    const temporaryFolder = folder();
    const before = mountPoints();
    const fixture = fileURLToPath(new URL('fixtures/hold-sandboxes.ts', import.meta.url));
    const platform = spawn(process.execPath, [fixture, String(base), temporaryFolder], { stdio: ['ignore', 'pipe', 'inherit'] });
    platforms.push(platform);
    await Promise.race([once(platform.stdout, 'data'), once(platform, 'exit').then(() => Promise.reject(new Error('the platform ended')))]);
    expect(processesOfUsers(base, base + 10).length).toBe(9);
    const children = slirpProcesses(platform.pid as number);
    expect(children).toHaveLength(1);
    platform.kill('SIGKILL');
    await once(platform, 'exit');
    await until(() => processesOfUsers(base, base + 10).length === 0);
    await until(() => children.every((pid) => !/^State:\t[^ZX]/m.test(statusOf(pid))));
    expect(readdirSync(temporaryFolder)).toEqual([]);
    expect(mountPoints()).toBe(before);
  });

  it('die with close()', async () => {
    const base = uidBase();
    const driver = driverWith({ uidBase: base });
    await Promise.all([driver.create(sandboxSpec()), driver.create(sandboxSpec('egress'))]);
    await driver.close();
    expect(processesOfUsers(base, base + 10)).toEqual([]);
    await expect(driver.create(sandboxSpec())).rejects.toMatchObject({ code: 'draining' });
  });

  it('also die when they are killed while they start', async () => {
    const base = uidBase();
    const driver = driverWith({ uidBase: base });
    const creations = Array.from({ length: 4 }, () => driver.create(sandboxSpec()));
    const outcomes = Promise.allSettled(creations);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    await driver.close();
    await outcomes;
    await driver.close();
    expect(processesOfUsers(base, base + 10)).toEqual([]);
  });
});

/** Children of a process that are slirp4netns. */
function slirpProcesses(parent: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => !Number.isNaN(pid) && statusOf(pid).startsWith('Name:\tslirp4netns') && statusOf(pid).includes(`PPid:\t${parent}\n`));
}

describe('a sandbox', () => {
  it('can be asked and killed after its end', async () => {
    const sandbox = await driverWith().create(sandboxSpec());
    sandbox.kill();
    await sandbox.exited;
    sandbox.kill();
    await expect(sandbox.stats()).rejects.toMatchObject({ code: 'not_found' });
  });

  it('ends when its channel is closed', async () => {
    const sandbox = await driverWith().create(sandboxSpec());
    sandbox.channel.destroy();
    await sandbox.exited;
  });

  it('tells what it holds in memory', async () => {
    const sandbox = await driverWith().create(sandboxSpec());
    const before = await sandbox.stats();
    expect(before.processes).toBe(1);
    expect(before.pssBytes).toBeGreaterThan(1024 * 1024);
    await new Inside(sandbox).run(
      'global ballast\nimport os, time\nif os.fork() == 0:\n ballast = b"x" * (64 << 20)\n time.sleep(1000)\ntime.sleep(0.2)',
    );
    const grown = async () => {
      for (;;) {
        const stats = await sandbox.stats();
        if (stats.pssBytes > before.pssBytes + 60 * 1024 * 1024) return stats;
      }
    };
    expect((await grown()).processes).toBe(2);
  });

  it('passes on what it writes to its standard descriptors', async () => {
    const sandbox = await driverWith().create(sandboxSpec());
    const heard: string[] = [];
    sandbox.onOutput((stream, chunk) => heard.push(`${stream}: ${chunk}`));
    const inside = new Inside(sandbox);
    await inside.run('import os; os.write(1, b"out")');
    await until(() => heard.length === 1);
    await inside.run('import os; os.write(2, b"err")');
    await until(() => heard.length === 2);
    expect(heard).toEqual(['stdout: out', 'stderr: err']);
  });

  it('does not block on output that nobody reads', async () => {
    const sandbox = await driverWith().create(sandboxSpec());
    expect(await new Inside(sandbox).run('import os\nresult = 0\nfor _ in range(256): result += os.write(1, bytes(65536))')).toBe(16 * 1024 * 1024);
  });

  it("has the host's network in mode host, and an address of its own for the reply endpoint", async () => {
    const driver = driverWith();
    const [first, second] = await Promise.all([driver.create(sandboxSpec('host')), driver.create(sandboxSpec('host'))]);
    if (first === undefined || second === undefined) throw new Error('no sandboxes');
    expect(first.streamListen.host).toMatch(/^127\./);
    expect(first.streamListen.host).not.toBe('127.0.0.1');
    expect(first.streamListen.host).not.toBe(second.streamListen.host);
    expect(await new Inside(first).run('import socket; result = socket.gethostbyname("message_queue")')).toBe(first.streamListen.host);
    const { readlinkSync } = await import('node:fs');
    expect(await new Inside(second).run('import os; result = os.readlink("/proc/self/ns/net")')).toBe(readlinkSync('/proc/self/ns/net'));
  });
});

describe('what the platform inherited from its launcher', () => {
  it('does not reach a sandbox', async () => {
    const fixture = fileURLToPath(new URL('fixtures/list-descriptors.ts', import.meta.url));
    const secret = openSync(join(folder(), 'secret'), 'wx');
    const stdio: StdioOptions = ['ignore', 'pipe', 'inherit', ...Array.from({ length: 17 }, () => 'ignore' as const), secret];
    const platform = spawn(process.execPath, [fixture], { stdio });
    platforms.push(platform);
    closeSync(secret);
    let output = '';
    platform.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    await once(platform, 'close');
    const links: Record<string, string> = JSON.parse(output);
    expect(links['20']).toBe('/dev/null');
    expect(Object.entries(links).filter(([descriptor, link]) => Number(descriptor) > 3 && link !== '/dev/null')).toEqual([]);
  });
});

describe('a start that fails', () => {
  it('says what the agent wrote before it ended', async () => {
    const driver = driverWith({ agentEntry: 'crash.py' });
    await expect(driver.create(sandboxSpec())).rejects.toMatchObject({
      code: 'sandbox_unavailable',
      message: expect.stringContaining('this agent never says hello'),
    });
  });

  it('says what bwrap wrote when it could not set the sandbox up', async () => {
    const driver = driverWith();
    await expect(driver.create(sandboxSpec('none', { tmpBytes: -1 }))).rejects.toMatchObject({
      code: 'sandbox_unavailable',
      message: expect.stringContaining('bwrap: '),
    });
  });

  it('gives up on an agent that stays silent', async () => {
    const base = uidBase();
    const driver = driverWith({ agentEntry: 'silent.py', bootTimeoutMs: 500, uidBase: base });
    await expect(driver.create(sandboxSpec())).rejects.toMatchObject({ message: expect.stringContaining('did not say Hello within 500 ms') });
    expect(processesOfUsers(base, base + 10)).toEqual([]);
  });

  it('names the missing interpreter', async () => {
    await expect(driverWith({ python: 'python-none' }).create(sandboxSpec())).rejects.toMatchObject({
      code: 'sandbox_unavailable',
      message: expect.stringContaining("'python-none'"),
    });
  });

  it('names the missing bwrap', async () => {
    const { createBubblewrapDriver: create } = await import('../../../src/sandbox/bubblewrap/bubblewrap-driver.ts');
    const empty = folder();
    const broken = join(empty, 'bwrap');
    writeFileSync(broken, '#!/nonexistent/interpreter\n', { mode: 0o755 });
    chmodSync(empty, 0o755);
    const driver = create(driverOptions({ path: `${empty}:/usr/sbin:/usr/bin` }));
    drivers.push(driver);
    await expect(driver.create(sandboxSpec())).rejects.toMatchObject({ code: 'sandbox_unavailable', message: expect.stringContaining('ENOENT') });
  });
});

describe.runIf(IS_ROOT)('sources below a folder that others may not enter', () => {
  it('are staged by root', async () => {
    const closed = folder();
    const agentFolder = join(closed, 'agent');
    const layer = join(closed, 'layer');
    mkdirSync(agentFolder);
    mkdirSync(layer);
    writeFileSync(join(layer, 'data'), 'staged');
    const { copyFileSync } = await import('node:fs');
    copyFileSync(fileURLToPath(new URL('fixtures/agent/eval.py', import.meta.url)), join(agentFolder, 'eval.py'));
    chmodSync(closed, 0o700);
    const before = mountPoints();
    const base = uidBase();
    const driver = driverWith({ agentFolder, uidBase: base });
    const sandbox = await driver.create(sandboxSpec('egress', { layers: [layer] }));
    const inside = new Inside(sandbox);
    expect(await inside.run('result = open("/layers/0/data").read()')).toBe('staged');
    expect(await inside.run('result = open("/proc/self/status").read()')).toMatch(/CapBnd:\t0{16}/);
    expect(await inside.run('try: open("/layers/0/new", "w")\nexcept OSError as e: result = e.errno')).toBe(30);
    expect(processesOfUsers(base, base + 1)).toHaveLength(3);
    sandbox.kill();
    await sandbox.exited;
    expect(processesOfUsers(base, base + 1)).toEqual([]);
    expect(mountPoints()).toBe(before);
  });

  it('are refused when others may not read them themselves', async () => {
    const layer = folder();
    chmodSync(layer, 0o700);
    await expect(driverWith().create(sandboxSpec('none', { layers: [layer] }))).rejects.toMatchObject({
      code: 'sandbox_unavailable',
      message: expect.stringContaining(layer),
    });
  });
});
