import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Sandbox, SandboxDriver } from '../../../src/sandbox/driver.ts';
import { DEFAULT_UID_BASE } from '../../../src/sandbox/options.ts';
import { Inside, sandboxSpec } from './support.ts';

export interface DriverUnderTest {
  driver: SandboxDriver;
  /** Called before the sandbox is made. */
  prepare(layers: readonly string[]): Promise<void>;
  /** Its root is an image's, and its user is one of the machine's. */
  isContainer?: boolean;
}

/** What every driver that isolates must keep. Declares its tests where it is called. */
export function isolationSuite(name: string, make: () => DriverUnderTest): void {
  describe(`a ${name} sandbox without a network`, () => {
    const { driver, prepare, isContainer = false } = make();
    const layer = mkdtempSync(join(tmpdir(), 'hearth-test-layer-'));
    let sandbox: Sandbox;
    let inside: Inside;

    beforeAll(async () => {
      writeFileSync(join(layer, 'greeting.py'), 'text = "hello from a layer"\n');
      const { chmodSync } = await import('node:fs');
      chmodSync(layer, 0o755);
      await prepare([layer]);
      sandbox = await driver.create(sandboxSpec('none', { layers: [layer] }));
      expect(sandbox.driver).toBe(name);
      inside = new Inside(sandbox);
    });
    afterAll(async () => {
      await driver.close();
      rmSync(layer, { recursive: true });
    });

    it('runs as nobody or a user of its own, without capabilities, new privileges or an open system call table', async () => {
      const status = String(await inside.run('result = open("/proc/self/status").read()'));
      const id = isContainer ? String(DEFAULT_UID_BASE) : '65534';
      expect(status).toMatch(new RegExp(`^Uid:\t${id}\t${id}\t${id}\t${id}$`, 'm'));
      expect(status).toMatch(new RegExp(`^Gid:\t${id}\t${id}\t${id}\t${id}$`, 'm'));
      expect(status).toMatch(isContainer ? new RegExp(`^Groups:\t${id} $`, 'm') : /^Groups:\s*$/m);
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) expect(status).toMatch(new RegExp(`^${set}:\\t0{16}$`, 'm'));
      expect(status).toMatch(/^NoNewPrivs:\t1$/m);
      expect(status).toMatch(/^Seccomp:\t2$/m);
    });

    it('sees its own processes only', async () => {
      const pids = await inside.run('import os; result = sorted(int(p) for p in os.listdir("/proc") if p.isdigit())');
      // Threads of what starts a container take numbers too.
      expect(pids).toEqual([1, isContainer ? expect.any(Number) : 2]);
    });

    it('shares no namespace with the host', async () => {
      const { readlinkSync } = await import('node:fs');
      // Engines don't map user ids unless they are told to.
      for (const kind of [...(isContainer ? [] : ['user']), 'pid', 'net', 'ipc', 'uts', 'cgroup', 'mnt']) {
        expect(await inside.run(`import os; result = os.readlink("/proc/self/ns/${kind}")`), kind).not.toBe(readlinkSync(`/proc/self/ns/${kind}`));
      }
    });

    it('holds the channel and the standard descriptors and no other', async () => {
      const code = 'import os; result = [int(f) for f in os.listdir("/proc/self/fd") if os.path.lexists("/proc/self/fd/" + f)]';
      expect(await inside.run(code)).toEqual([0, 1, 2, 3]);
    });

    it("gives its init nothing of the platform's descriptors, environment or arguments", async () => {
      const names = String(await inside.run('result = open("/proc/1/environ").read()')).match(/[A-Z_]+(?==)/g);
      expect(names).toEqual(isContainer ? ['PATH', 'HOSTNAME', 'HOME'] : null);
      expect(await inside.run('result = open("/proc/1/cmdline").read()')).not.toContain('--ro-bind');
      expect(Object.keys((await inside.run('import os; result = dict(os.environ)')) as object).sort()).toEqual([
        'HOME',
        'LANG',
        'PATH',
        'PWD',
        'TMPDIR',
      ]);
    });

    // A container has the root of its image.
    if (!isContainer) {
      it('has a root that holds what Python needs and no shell', async () => {
        const root = (await inside.run('import os; result = os.listdir("/")')) as string[];
        expect(root.sort().filter((name) => !name.startsWith('lib'))).toEqual(['dev', 'etc', 'function', 'layers', 'proc', 'runtime', 'tmp', 'usr']);
        expect(
          await inside.run(
            'import os; result = [p for p in ("/bin/sh", "/usr/bin/sh", "/usr/lib/python3/dist-packages", "/root", "/home") if os.path.exists(p)]',
          ),
        ).toEqual([]);
      });
    }

    it('can write to /tmp, /function and /dev/shm and nowhere else', async () => {
      const code = `
import os
result = []
for folder, folders, files in os.walk("/"):
    folders[:] = [f for f in folders if os.path.join(folder, f) != "/proc"]
    name = os.path.join(folder, "written")
    try:
        open(name, "w").close()
        os.unlink(name)
        result.append(folder)
    except OSError:
        pass
`;
      expect(((await inside.run(code)) as string[]).sort()).toEqual(['/dev/shm', '/function', '/tmp']);
      const chmod = 'import os\ntry:\n os.chmod("/", 0o777)\nexcept OSError as e: result = e.errno';
      expect(await inside.run(chmod)).toBe(30);
    });

    it('bounds /tmp and /dev/shm', async () => {
      const fill = (path: string) => `
import os
result = 0
try:
    with open("${path}/big", "wb", buffering=0) as f:
        while result < 1 << 30: result += f.write(bytes(1 << 20))
except OSError as e:
    result = [e.errno, result]
os.unlink("${path}/big")
`;
      for (const folder of ['/tmp', '/function']) expect(await inside.run(fill(folder))).toEqual([28, 4 * 1024 * 1024]);
      expect(await inside.run(fill('/dev/shm'))).toEqual([28, 16 * 1024 * 1024]);
    });

    it('may not write to the kernel through /proc', async () => {
      const code = `
import glob, os
result = []
for path in ["/proc/sysrq-trigger"] + glob.glob("/proc/sys/kernel/*") + glob.glob("/proc/sys/vm/*"):
    try:
        descriptor = os.open(path, os.O_WRONLY)
        os.write(descriptor, b"0")
        result.append(path)
    except OSError:
        pass
`;
      expect(await inside.run(code)).toEqual([]);
    });

    it('gets EPERM for namespaces, mounts and tracing, by every way to ask', async () => {
      const code = `
import ctypes, platform
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    ctypes.set_errno(0)
    value = libc.syscall(*(ctypes.c_long(a) for a in arguments))
    return ctypes.get_errno() if value < 0 else "allowed"
arm = platform.machine() == "aarch64"
numbers = dict(unshare=97, clone=220, mount=40, ptrace=117, keyctl=219) if arm else dict(unshare=272, clone=56, mount=165, ptrace=101, keyctl=250)
result = {
    "unshare user": call(numbers["unshare"], 0x10000000),
    "unshare net": call(numbers["unshare"], 0x40000000),
    "clone user": call(numbers["clone"], 0x10000011, 0, 0, 0, 0),
    "clone3": call(435, 0, 0),
    "mount": call(numbers["mount"], 0, 0, 0, 0, 0),
    "fsopen": call(430, 0, 0),
    "ptrace": call(numbers["ptrace"], 0, 0, 0, 0),
    "keyctl": call(numbers["keyctl"], 0, 0, 0, 0, 0),
    "io_uring_setup": call(425, 1, 0),
}
`;
      expect(await inside.run(code)).toEqual({
        'unshare user': 1,
        'unshare net': 1,
        'clone user': 1,
        clone3: 38,
        mount: 1,
        fsopen: 38,
        ptrace: 1,
        keyctl: 1,
        io_uring_setup: 1,
      });
    });

    it('may not type into a terminal, nor open sockets of odd families', async () => {
      const ioctl = (request: string) => `
import fcntl
try:
    fcntl.ioctl(0, ${request}, b"x")
except OSError as e:
    result = e.errno
`;
      expect(await inside.run(ioctl('0x5412'))).toBe(1);
      expect(await inside.run(ioctl('0x541c'))).toBe(1);
      expect(await inside.run(ioctl('0x5401'))).toBe(25);
      const families =
        'import socket\ndef f(n):\n try: socket.socket(n, socket.SOCK_DGRAM).close(); return 0\n except OSError as e: return e.errno\n';
      expect(await inside.run(`${families}result = [f(n) for n in (1, 2, 17, 38, 40)]`)).toEqual([0, 0, 97, 97, 97]);
    });

    it("reaches neither the host's loopback nor its addresses", async () => {
      const server = createServer().listen(0, '0.0.0.0');
      await new Promise((resolve) => server.once('listening', resolve));
      const { port } = server.address() as { port: number };
      const addresses = Object.values(networkInterfaces()).flatMap((list) =>
        (list ?? []).filter(({ family }) => family === 'IPv4').map(({ address }) => address),
      );
      const connect = (address: string) => `
import socket
try:
    socket.create_connection(("${address}", ${port}), timeout=5)
    result = "connected"
except OSError as e:
    result = "refused"
`;
      for (const address of ['127.0.0.1', ...addresses]) expect(await inside.run(connect(address)), address).toBe('refused');
      server.close();
    });

    it('knows its reply endpoint by name and can listen there', async () => {
      expect(sandbox.streamListen).toEqual({ host: '127.0.0.1', port: 5672, name: 'message_queue' });
      const code = `
import socket
listener = socket.create_server(("127.0.0.1", 5672))
client = socket.create_connection(("message_queue", 5672))
listener.accept()[0].sendall(b"AMQP")
result = client.recv(4).decode()
`;
      expect(await inside.run(code)).toBe('AMQP');
    });

    it('shows the layers, read-only', async () => {
      expect(sandbox.layerPaths).toEqual(['/layers/0']);
      expect(await inside.run('import sys; sys.path.insert(0, "/layers/0"); import greeting; result = greeting.text')).toBe('hello from a layer');
    });

    it('runs threads, processes, asyncio, multiprocessing, TLS, SQLite and time zones', async () => {
      const code = `
import asyncio, multiprocessing, os, sqlite3, ssl, subprocess, sys, threading, zoneinfo, hashlib, tempfile, ctypes
found = []
thread = threading.Thread(target=lambda: found.append("thread")); thread.start(); thread.join()
found.append(subprocess.run([sys.executable, "-I", "-S", "-c", "print('subprocess')"], capture_output=True, text=True, check=True).stdout.strip())
async def child():
    process = await asyncio.create_subprocess_exec(sys.executable, "-I", "-S", "-c", "print('asyncio')", stdout=asyncio.subprocess.PIPE)
    return (await process.communicate())[0].decode().strip()
found.append(asyncio.run(child()))
context = multiprocessing.get_context("fork")
queue = context.Queue()
process = context.Process(target=lambda: queue.put("multiprocessing")); process.start()
found.append(queue.get()); process.join()
found.append(sqlite3.connect(":memory:").execute("select 'sqlite'").fetchone()[0])
paths = ssl.get_default_verify_paths()
found.append("certificates" if paths.cafile or os.listdir(paths.capath) else "no certificates")
found.append(str(zoneinfo.ZoneInfo("Europe/Berlin")))
result = found
`;
      expect(await inside.run(code)).toEqual(['thread', 'subprocess', 'asyncio', 'multiprocessing', 'sqlite', 'certificates', 'Europe/Berlin']);
    });
  });
}
