import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Sandbox } from '../../../src/sandbox/driver.ts';
import { hardeningSuite } from './hardening-suite.ts';
import { type DriverUnderTest, isolationSuite } from './isolation-suite.ts';
import { AGENT_FOLDER, callHandler, layerWith } from './nursery-support.ts';
import { Inside, nurseryWith, sandboxSpec } from './support.ts';

function warmed(): DriverUnderTest {
  const driver = nurseryWith();
  return {
    driver,
    prepare: async (layers) => {
      expect(await driver.warm(layers)).toBe(true);
    },
  };
}

isolationSuite('nursery', warmed);
hardeningSuite('nursery', warmed);

describe('two sandboxes of one nursery', () => {
  const driver = nurseryWith();
  let sandboxes: Sandbox[];
  let one: Inside;
  let other: Inside;

  beforeAll(async () => {
    expect(await driver.warm([])).toBe(true);
    sandboxes = await Promise.all([driver.create(sandboxSpec()), driver.create(sandboxSpec())]);
    expect(sandboxes.map((sandbox) => sandbox.driver)).toEqual(['nursery', 'nursery']);
    [one, other] = sandboxes.map((sandbox) => new Inside(sandbox)) as [Inside, Inside];
  });
  afterAll(() => driver.close());

  it('share no namespace with each other', async () => {
    for (const kind of ['user', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'mnt']) {
      const code = `import os; result = os.readlink("/proc/self/ns/${kind}")`;
      expect(await one.run(code), kind).not.toBe(await other.run(code));
    }
  });

  it('find nothing of the zygote: not its folder, its door, its channel or its environment', async () => {
    expect(await one.run('import os; result = os.listdir("/tmp")')).toEqual([]);
    const code = `
import glob, os
result = []
for path in ["/tmp/.zygote/door", "/proc/1/root/tmp/.zygote/door", "/proc/1/cwd/.zygote/door", "/proc/self/root/tmp/.zygote/code"]:
    try:
        os.stat(path)
        result.append(path)
    except OSError:
        pass
result += [os.readlink(p) for p in glob.glob("/proc/1/fd/*")]
`;
    expect(await one.run(code)).toEqual([]);
    // Its three connections, both ends, and the head line.
    expect(await one.run('result = open("/proc/net/unix").read().count("\\n")')).toBe(7);
  });

  it("can't take the covers off", async () => {
    const code = `
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
result = []
for path in (b"/tmp", b"/proc", b"/dev/shm"):
    libc.umount2(path, 2)
    result.append(ctypes.get_errno())
`;
    expect(await one.run(code)).toEqual([1, 1, 1]);
  });

  it('see neither files nor shared memory of each other', async () => {
    await one.run('open("/tmp/mine", "w").close(); open("/dev/shm/mine", "w").close()');
    expect(await other.run('import os; result = os.listdir("/tmp") + os.listdir("/dev/shm")')).toEqual([]);
    expect(await one.run('import os; result = os.listdir("/tmp") + os.listdir("/dev/shm")')).toEqual(['mine', 'mine']);
  });

  it('share no System V objects and no message queues', async () => {
    const make = `
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
result = [libc.shmget(4711, 4096, 0o1666), libc.msgget(4711, 0o1666), libc.semget(4711, 1, 0o1666)]
`;
    for (const id of (await one.run(make)) as number[]) expect(id).toBeGreaterThanOrEqual(0);
    const find = `
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
result = [libc.shmget(4711, 4096, 0o666), libc.msgget(4711, 0o666), libc.semget(4711, 1, 0o666)]
`;
    expect(await other.run(find)).toEqual([-1, -1, -1]);
    expect(await one.run(find)).not.toContain(-1);
  });

  it('share no abstract sockets and no loopback', async () => {
    const listen = `
import builtins, socket
builtins.abstract = socket.socket(socket.AF_UNIX)
abstract.bind("\\0mine")
abstract.listen()
builtins.loopback = socket.create_server(("127.0.0.1", 4711))
`;
    await one.run(listen);
    const code = `
import socket
def reach(family, address):
    try:
        socket.socket(family).connect(address)
        return "connected"
    except OSError as e:
        return e.errno
result = [reach(socket.AF_UNIX, "\\0mine"), reach(socket.AF_INET, ("127.0.0.1", 4711))]
`;
    expect(await other.run(code)).toEqual([111, 111]);
    expect(await one.run(code)).toEqual(['connected', 'connected']);
  });

  it("can't look into the memory of each other", async () => {
    await one.run('import builtins; builtins.secret = "".join(["s3cr3t-", "of-", "one"])');
    // A pattern that does not match its own text, which lies in the memory of whoever looks.
    const code = `
import glob, re
result = False
for maps in glob.glob("/proc/[0-9]*/maps"):
    with open(maps) as lines, open(maps[:-4] + "mem", "rb", buffering=0) as memory:
        for line in lines:
            start, end, rights = re.match("([0-9a-f]+)-([0-9a-f]+) (....)", line).groups()
            if rights.startswith("rw"):
                memory.seek(int(start, 16))
                if re.search(b"s3cr3t-[o]f-one", memory.read(int(end, 16) - int(start, 16))):
                    result = True
`;
    expect(await one.run(code)).toBe(true);
    expect(await other.run(code)).toBe(false);
  });

  it("can't change the memory that both came from", async () => {
    const code = `
import ctypes, glob, os
libc = ctypes.CDLL(None, use_errno=True)
libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
result = []
for line in open("/proc/self/maps"):
    if "memfd:hearth-zygote" in line:
        start, end = (int(n, 16) for n in line.split()[0].split("-"))
        removed = libc.madvise(start, 4096, 9)
        try:
            os.close(os.open("/proc/self/map_files/%x-%x" % (start, end), os.O_RDWR))
            opened = "opened"
        except OSError as e:
            opened = e.errno
        result.append([removed, line.split()[1], opened])
`;
    // MADV_REMOVE works on shared mappings only; these are private.
    const found = (await one.run(code)) as unknown[][];
    for (const [removed, rights, opened] of found) {
      expect(removed).toBe(-1);
      expect(rights).toMatch(/^r.-p$/);
      expect(opened).toBe(1);
    }
    if (process.arch === 'x64') expect(found.length).toBeGreaterThan(0);
    expect(await other.run('result = 1')).toBe(1);
  });

  it('draw different random numbers, from Python and from OpenSSL, although the zygote has drawn some already', async () => {
    const layer = layerWith({ 'seeded.py': 'import random, ssl\nrandom.random(), ssl.RAND_bytes(8)\n' });
    const real = nurseryWith({ agentFolder: AGENT_FOLDER, agentEntry: '__main__.py' });
    try {
      expect(await real.warm([layer])).toBe(true);
      const pair = await Promise.all([1, 2].map(() => real.create(sandboxSpec('none', { layers: [layer] }))));
      expect(pair.map((sandbox) => sandbox.driver)).toEqual(['nursery', 'nursery']);
      const code = `
import sys
loaded = "seeded" in sys.modules
import random, ssl, uuid
def handler(message, context): return [loaded, random.random(), ssl.RAND_bytes(8).hex(), str(uuid.uuid4())]
`;
      const [first, second] = (await Promise.all(pair.map((sandbox) => callHandler(sandbox, code)))) as [unknown[], unknown[]];
      expect([first[0], second[0]]).toEqual([true, true]);
      for (const index of [1, 2, 3]) expect(first[index]).not.toBe(second[index]);
    } finally {
      await real.close();
      rmSync(layer, { recursive: true });
    }
  });

  it('count their processes apart, although the host knows them by one user id', async () => {
    const limit = 'import resource; resource.setrlimit(resource.RLIMIT_NPROC, (6, 6))\n';
    const fill = `${limit}
import builtins, os, time
builtins.kept = []
result = 0
try:
    for _ in range(20):
        pid = os.fork()
        if pid == 0:
            time.sleep(1000)
        kept.append(pid)
        result += 1
except BlockingIOError:
    pass
`;
    const filled = (await one.run(fill)) as number;
    expect(filled).toBeGreaterThanOrEqual(3);
    expect(filled).toBeLessThan(6);
    expect(await other.run(`${limit}import os\npid = os.fork()\nif pid == 0: os._exit(7)\nresult = os.waitpid(pid, 0)[1] >> 8`)).toBe(7);
    await one.run('import os\nfor pid in kept: os.kill(pid, 9); os.waitpid(pid, 0)');
  });

  it('survive one that kills everything it can see', async () => {
    const driven = await driver.create(sandboxSpec());
    const inside = new Inside(driven);
    expect(await inside.run('import os, signal\nfor s in (1, 2, 3, 15, 9):\n  os.kill(1, s)\nresult = os.getpid()')).toBe(2);
    driven.channel.write(`${JSON.stringify('import os\ntry: os.kill(-1, 9)\nexcept ProcessLookupError: os.kill(os.getpid(), 9)')}\n`);
    expect(await driven.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(await one.run('result = 1')).toBe(1);
    const next = await driver.create(sandboxSpec());
    expect(next.driver).toBe('nursery');
    next.kill();
    await next.exited;
  });
});
