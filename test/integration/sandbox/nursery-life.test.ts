import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import type { Sandbox } from '../../../src/sandbox/driver.ts';
import type { Nursery, NurseryOptions } from '../../../src/sandbox/nursery/nursery-driver.ts';
import { AGENT_FOLDER, callHandler, layerWith } from './nursery-support.ts';
import { Inside, IS_ROOT, mountPoints, nurseryWith, processesOfUsers, sandboxSpec, statusOf, until } from './support.ts';

const drivers: Nursery[] = [];
const folders: string[] = [];
const platforms: ChildProcess[] = [];
afterEach(async () => {
  for (const platform of platforms.splice(0)) platform.kill('SIGKILL');
  await Promise.all(drivers.splice(0).map((driver) => driver.close()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

let nextUidBase = 1_930_000_000;
/** A nursery with a range of user ids that no other test uses, and its zygote up. */
async function warmNursery(options: Partial<NurseryOptions> = {}, layers: readonly string[] = []): Promise<{ driver: Nursery; base: number }> {
  nextUidBase += 1000;
  const driver = nurseryWith({ uidBase: nextUidBase + 500, zygoteUidBase: nextUidBase, ...options });
  drivers.push(driver);
  expect(await driver.warm(layers)).toBe(true);
  return { driver, base: nextUidBase };
}

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'hearth-test-'));
  folders.push(made);
  return made;
}

async function fork(driver: Nursery, spec = sandboxSpec()): Promise<Sandbox> {
  const sandbox = await driver.create(spec);
  expect(sandbox.driver).toBe('nursery');
  return sandbox;
}

const openDescriptors = () => readdirSync('/proc/self/fd').length;
/** bwrap, its init, the zygote. */
const ZYGOTE_PROCESSES = 3;

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

describe.runIf(IS_ROOT)('the processes of a forked sandbox', () => {
  it('die with kill(), a detached grandchild included', async () => {
    const { driver, base } = await warmNursery();
    const sandbox = await fork(driver);
    await new Inside(sandbox).run(DETACHED_GRANDCHILD);
    expect(processesOfUsers(base, base + 1)).toHaveLength(ZYGOTE_PROCESSES + 3);
    sandbox.kill();
    expect(await sandbox.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(processesOfUsers(base, base + 1)).toHaveLength(ZYGOTE_PROCESSES);
  });

  it('die with the agent, whose exit code or signal is told', async () => {
    const { driver, base } = await warmNursery();
    const [one, other] = [await fork(driver), await fork(driver)];
    await new Inside(one).run(DETACHED_GRANDCHILD);
    one.channel.write(`${JSON.stringify('import os; os._exit(3)')}\n`);
    other.channel.write(`${JSON.stringify('import os; os.kill(os.getpid(), 15)')}\n`);
    expect(await one.exited).toEqual({ code: 3, signal: null });
    expect(await other.exited).toEqual({ code: null, signal: 'SIGTERM' });
    expect(processesOfUsers(base, base + 1)).toHaveLength(ZYGOTE_PROCESSES);
  });

  it('die with a platform that is killed, and leave neither files nor mounts', async () => {
    nextUidBase += 1000;
    const base = nextUidBase;
    const temporaryFolder = folder();
    const before = mountPoints();
    const fixture = fileURLToPath(new URL('fixtures/hold-nursery.ts', import.meta.url));
    const platform = spawn(process.execPath, [fixture, String(base), temporaryFolder], { stdio: ['ignore', 'pipe', 'inherit'] });
    platforms.push(platform);
    await Promise.race([once(platform.stdout, 'data'), once(platform, 'exit').then(() => Promise.reject(new Error('the platform ended')))]);
    expect(processesOfUsers(base, base + 1).length).toBeGreaterThanOrEqual(ZYGOTE_PROCESSES + 6);
    platform.kill('SIGKILL');
    await once(platform, 'exit');
    await until(() => processesOfUsers(base, base + 1).length === 0);
    expect(readdirSync(temporaryFolder)).toEqual([]);
    expect(mountPoints()).toBe(before);
  });

  it('die with close()', async () => {
    const { driver, base } = await warmNursery();
    const sandboxes = [await fork(driver), await fork(driver, sandboxSpec('egress'))];
    await driver.close();
    for (const sandbox of sandboxes) expect(await sandbox.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(processesOfUsers(base, base + 1)).toEqual([]);
    await expect(driver.create(sandboxSpec())).rejects.toMatchObject({ code: 'draining' });
  });

  it('die with their zygote; bubblewrap stands in until there is another', async () => {
    const { driver, base } = await warmNursery();
    const sandbox = await fork(driver);
    const zygote = processesOfUsers(base, base + 1).find((pid) => /^NSpid:\t\d+\t2$/m.test(statusOf(pid)));
    process.kill(zygote ?? Number.NaN, 'SIGKILL');
    expect(await sandbox.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(processesOfUsers(base, base + 1)).toEqual([]);
    const names: string[] = [];
    while (names.at(-1) !== 'nursery') {
      const next = await driver.create(sandboxSpec());
      expect(await new Inside(next).run('result = 1')).toBe(1);
      names.push(next.driver);
      next.kill();
      await next.exited;
    }
    expect(names[0]).toBe('bubblewrap');
  });

  it('leave nothing behind after 200 lives', async () => {
    const { driver, base } = await warmNursery({ temporaryFolder: folder() });
    const one = async () => {
      const sandbox = await fork(driver);
      sandbox.kill();
      await sandbox.exited;
    };
    await one();
    const zygote = processesOfUsers(base, base + 1).find((pid) => /^NSpid:\t\d+\t2$/m.test(statusOf(pid)));
    const state = () => ({
      processes: processesOfUsers(base, base + 1).length,
      zygoteDescriptors: readdirSync(`/proc/${zygote}/fd`).length,
      zygoteMounts: execFileSync('cat', [`/proc/${zygote}/mountinfo`], { encoding: 'utf8' }),
      mounts: mountPoints(),
      files: readdirSync(folders.at(-1) as string),
    });
    const before = state();
    expect(before.files).toEqual([]);
    const descriptors = openDescriptors();
    for (let round = 0; round < 25; round++) await Promise.all(Array.from({ length: 8 }, one));
    expect(state()).toEqual(before);
    await until(() => openDescriptors() <= descriptors);
  });
});

describe('a forked sandbox', () => {
  it('can be asked and killed after its end', async () => {
    const { driver } = await warmNursery();
    const sandbox = await fork(driver);
    sandbox.kill();
    await sandbox.exited;
    sandbox.kill();
    await expect(sandbox.stats()).rejects.toMatchObject({ code: 'not_found' });
  });

  it('ends when its channel is closed', async () => {
    const { driver } = await warmNursery();
    const sandbox = await fork(driver);
    sandbox.channel.destroy();
    expect(await sandbox.exited).toEqual({ code: 0, signal: null });
  });

  it('tells what it holds in memory', async () => {
    const { driver } = await warmNursery();
    const sandbox = await fork(driver);
    const before = await sandbox.stats();
    expect(before.processes).toBe(1);
    expect(before.pssBytes).toBeGreaterThan(256 * 1024);
    const code = 'import builtins, os, time\nif os.fork() == 0:\n builtins.ballast = b"x" * (64 << 20)\n time.sleep(1000)\ntime.sleep(0.2)';
    await new Inside(sandbox).run(code);
    for (;;) {
      const stats = await sandbox.stats();
      if (stats.pssBytes < before.pssBytes + 60 * 1024 * 1024) continue;
      expect(stats.processes).toBe(2);
      break;
    }
  });

  it('passes on what it writes to its standard descriptors', async () => {
    const { driver } = await warmNursery();
    const sandbox = await fork(driver);
    const heard: string[] = [];
    sandbox.onOutput((stream, chunk) => heard.push(`${stream}: ${chunk}`));
    const inside = new Inside(sandbox);
    await inside.run('import os; os.write(1, b"out")');
    await until(() => heard.length === 1);
    await inside.run('print("err", end="", file=__import__("sys").stderr, flush=True)');
    await until(() => heard.length === 2);
    expect(heard).toEqual(['stdout: out', 'stderr: err']);
  });

  it('may receive the signals that a fresh interpreter may', async () => {
    const { driver } = await warmNursery();
    const code = `
import os, signal
result = [sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))]
signal.signal(signal.SIGUSR1, lambda *a: result.append("usr1"))
os.kill(os.getpid(), signal.SIGUSR1)
result.append(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
`;
    expect(await new Inside(await fork(driver)).run(code)).toEqual([[], 'usr1', true]);
  });

  it('has the network mode host from bubblewrap', async () => {
    const { driver } = await warmNursery();
    expect((await driver.create(sandboxSpec('host'))).driver).toBe('bubblewrap');
  });
});

describe('a zygote', () => {
  it('is on its way while bubblewrap makes the first sandbox of a layer set', async () => {
    const { driver } = await warmNursery();
    const layer = layerWith({ 'one.py': '' });
    folders.push(layer);
    expect((await driver.create(sandboxSpec('none', { layers: [layer] }))).driver).toBe('bubblewrap');
    await driver.warm([layer]);
    expect((await driver.create(sandboxSpec('none', { layers: [layer] }))).driver).toBe('nursery');
  });

  it('imports what was asked for, and leaves out what fails, hangs on to a thread, prints, or ends the process', async () => {
    const layer = layerWith({
      'good.py': 'value = 1\n',
      'asked/__init__.py': 'import sys\n',
      'fails.py': 'raise RuntimeError\n',
      'thread.py': 'import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n',
      'prints.py': 'print("hello")\n',
      'ends.py': 'import os\nos._exit(0)\n',
      'kills.py': 'import os\nos.kill(0, 9)\n',
    });
    folders.push(layer);
    writeFileSync(join(layer, 'not_asked.py'), '');
    const { driver } = await warmNursery({ agentFolder: AGENT_FOLDER, agentEntry: '__main__.py' }, [layer]);
    const sandbox = await fork(driver, sandboxSpec('none', { layers: [layer] }));
    const names = '["good", "asked", "fails", "thread", "prints", "ends", "kills", "not_asked", "hearth_zygote"]';
    const code = `import sys\nfound = [n for n in ${names} if n in sys.modules]\ndef handler(m, c): return [found, [p for p in sys.path if p == "/layers/0"]]`;
    expect(await callHandler(sandbox, code)).toEqual([['good', 'asked'], ['/layers/0']]);
  });

  it('makes room for that of another layer set when it has no sandboxes', async () => {
    const { driver, base } = await warmNursery({ maxZygotes: 1 });
    const layer = layerWith({ 'one.py': '' });
    folders.push(layer);
    expect(await driver.warm([layer])).toBe(true);
    const sandbox = await fork(driver, sandboxSpec('none', { layers: [layer] }));
    expect(await driver.warm([])).toBe(false);
    if (IS_ROOT) await until(() => processesOfUsers(base, base + 10).length === ZYGOTE_PROCESSES + 2);
    expect((await driver.create(sandboxSpec())).driver).toBe('bubblewrap');
    sandbox.kill();
    await sandbox.exited;
    expect(await driver.warm([])).toBe(true);
  });

  it('that can not be had is said by the probe, and bubblewrap goes on alone', async () => {
    const empty = folder();
    chmodSync(empty, 0o755);
    writeFileSync(join(empty, '__main__.py'), 'raise SystemExit("this zygote never wakes")\n');
    const driver = nurseryWith({}, empty);
    drivers.push(driver);
    const probe = (await driver.probe()).at(-1);
    expect(probe).toMatchObject({ name: 'nursery', ok: true, detail: expect.stringContaining('this zygote never wakes') });
    expect((await driver.create(sandboxSpec())).driver).toBe('bubblewrap');
  });

  it('that works is said by the probe', async () => {
    const { driver } = await warmNursery();
    expect((await driver.probe()).at(-1)).toEqual({ name: 'nursery', ok: true, detail: 'sandboxes are forked from a zygote' });
  });
});

describe('a start that fails', () => {
  it('falls back, and says what the agent wrote', async () => {
    const warnings: object[] = [];
    const log = { warn: (fields: object) => void warnings.push(fields), debug: () => undefined };
    const { driver } = await warmNursery({ agentEntry: 'crash.py', log });
    await expect(driver.create(sandboxSpec())).rejects.toMatchObject({ code: 'sandbox_unavailable' });
    expect(warnings).toEqual([expect.objectContaining({ error: expect.stringContaining('this agent never says hello') })]);
  });
});
