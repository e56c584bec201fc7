import { expect, it } from 'vitest';
import { onEveryDriver } from './support/arena.ts';
import { KEPT_NOTHING_BYTES } from './support/footprint.ts';

/** What a function that used up something of its own may end in: an answer, a failure that is its own, or its deadline. */
const ENDS = [200, 204, 502, 504];

onEveryDriver(
  'what there is',
  (arena) => {
    it.each([
      ['a handler', 'import os\ndef handler(m, c):\n    while True:\n        try: os.fork()\n        except OSError: pass'],
      ['a script', 'import os\nwhile True:\n    try: os.fork()\n    except OSError: pass'],
    ])('is processes: a fork bomb by %s is ended with all its processes', async (_, code) => {
      const name = await arena.define(code, { timeout_ms: 1000 });
      const answer = await arena.withNeighbour(() => arena.call(name));
      expect([502, 504]).toContain(answer.status);
    });

    it('is processes: no more than the limit are there at a time, threads included', async () => {
      const code = `
import os, threading, time
def handler(message, context):
    children, threads = 0, 0
    try:
        while children < 2000:
            if os.fork() == 0:
                time.sleep(1000)
            children += 1
    except OSError:
        pass
    try:
        while threads < 2000:
            threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
            threads += 1
    except (RuntimeError, OSError):
        pass
    return [children, threads]
`;
      const answer = await arena.attack(code);
      const [children, threads] = answer.json() as [number, number];
      expect(children).toBeGreaterThan(8);
      expect(children + threads).toBeLessThanOrEqual(64);
    });

    it('is memory: who takes it without end is ended, and nobody else', async () => {
      for (const code of [
        'def handler(m, c):\n    hoard = []\n    while True: hoard.append(bytearray(1 << 24))',
        'hoard = []\nwhile True: hoard.append(bytearray(1 << 24))',
      ]) {
        const answer = await arena.attack(code, { settings: { memory_mb: 128, timeout_ms: 10_000 } });
        expect(answer.status).toBe(502);
        // Without a cgroup the interpreter says so: a script's, in what it printed.
        const { detail } = answer.json() as { detail: string };
        expect(detail + (await arena.hearth.record(answer.response)).logs).toMatch(/memory that it may use|MemoryError/);
      }
    });

    it('is memory: shared, mapped and handed to the kernel counts as well', async () => {
      const ways = {
        'shared memory':
          'import mmap\n    hoard = []\n    while True:\n        hoard.append(mmap.mmap(-1, 1 << 24))\n        hoard[-1].write(bytes(1 << 24))',
        'anonymous files': 'import os\n    while True:\n        f = os.memfd_create("x")\n        for _ in range(32): os.write(f, bytes(1 << 20))',
        children:
          'import os, time\n    for _ in range(40):\n        if os.fork() == 0:\n            hoard = bytearray(1 << 25)\n            time.sleep(1000)\n    time.sleep(1000)',
        'pipes and sockets':
          'import os, socket\n    hoard = []\n    while True:\n        a, b = socket.socketpair()\n        a.setblocking(False)\n        hoard += (a, b)\n        try:\n            while True: a.send(bytes(65536))\n        except BlockingIOError: pass',
      };
      for (const [way, lines] of Object.entries(ways)) {
        const answer = await arena.attack(`def handler(m, c):\n    ${lines}`, { settings: { memory_mb: 128, timeout_ms: 1500 } });
        expect([502, 504], way).toContain(answer.status);
      }
    });

    it('is room for files: /tmp and /dev/shm take so much and no more, whether bytes or names', async () => {
      const code = `
import errno, os
def fill(folder):
    size = 0
    try:
        for n in range(1000):
            with open(f"{folder}/big-{n}", "wb", buffering=0) as file:
                for _ in range(2): size += file.write(bytes(1 << 20))
    except OSError as error:
        found = error.errno
    for name in os.listdir(folder): os.unlink(f"{folder}/{name}")
    return [errno.errorcode[found], size >> 20]
def handler(message, context):
    return {folder: fill(folder) for folder in ("/tmp", "/dev/shm")}
`;
      const answer = await arena.attack(code);
      expect(answer.json()).toEqual({ '/tmp': ['ENOSPC', 8], '/dev/shm': ['ENOSPC', 16] });
      const names = `
import os
def handler(message, context):
    made = 0
    try:
        for folder in ("/tmp", "/dev/shm"):
            for n in range(300000):
                os.close(os.open(f"{folder}/{n}", os.O_CREAT | os.O_WRONLY))
                made += 1
    except OSError as error:
        return [made, error.errno]
    return [made, 0]
`;
      const many = await arena.attack(names, { settings: { timeout_ms: 1500 } });
      expect(ENDS).toContain(many.status);
    });

    it('is room in one file: what is beyond the limit fails, and does not kill the platform', async () => {
      const code = `
import os, signal
def handler(message, context):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with open("/dev/shm/one", "wb", buffering=0) as file:
        size = 0
        try:
            while size < 1 << 26: size += file.write(bytes(1 << 20))
        except OSError as error:
            return [error.errno, size >> 20]
`;
      expect((await arena.attack(code)).json()).toEqual([27, 4]);
      const sparse = 'import os\nopen("/tmp/sparse", "wb").truncate(1 << 40)';
      expect((await arena.attack(sparse)).status).toBe(502);
    });

    it.each([
      [
        'a handler',
        `import os\ndef handler(m, c):\n    kept = []\n    try:\n        while True: kept.append(os.open("/dev/null", os.O_RDONLY))\n    except OSError as error:\n        return [error.errno, len(kept)]`,
      ],
      [
        'a script',
        'import os, sys\nkept = []\ntry:\n    while True: kept.append(os.open("/dev/null", os.O_RDONLY))\nexcept OSError as error:\n    sys.exit(7 if error.errno == 24 and len(kept) < 64 else 8)',
      ],
    ])('is descriptors: %s has its limit, and works with none left', async (_, code) => {
      const answer = await arena.attack(code);
      if (answer.status === 200) {
        const [errno, count] = answer.json() as [number, number];
        expect([errno, count < 64]).toEqual([24, true]);
      } else expect([answer.status, (answer.json() as { detail: string }).detail]).toEqual([502, expect.stringContaining('code 7')]);
    });

    it('is output: who prints without end fills neither memory nor disk', async () => {
      const flood = (write: string) => `def handler(m, c):\n    import os, sys\n    while True: ${write}`;
      for (const code of [
        flood('print("x" * 10000)'),
        flood('sys.stderr.write("\\n")'),
        flood('os.write(1, b"x" * 65536)'),
        flood('os.write(2, b"x")'),
        `import os\nwhile True: print("x" * 10000)`,
        `import os\nwhile True: os.write(2, b"\\n")`,
      ]) {
        arena.footprint.resetPeak();
        const before = arena.footprint.peakBytes();
        const answer = await arena.attack(code, { settings: { timeout_ms: 1500 } });
        expect([502, 504], code).toContain(answer.status);
        expect(arena.footprint.peakBytes() - before, code).toBeLessThan(KEPT_NOTHING_BYTES);
        expect((await arena.hearth.record(answer.response)).logs?.length ?? 0, code).toBeLessThan(40_000);
      }
    });

    it('is the size of a reply: beyond it the reply is refused, and an endless one ends with its deadline', async () => {
      arena.footprint.resetPeak();
      const before = arena.footprint.peakBytes();
      const large = await arena.attack('def handler(m, c): return b"x" * 50_000_000');
      expect([large.status, (large.json() as { code: string }).code]).toEqual([502, 'reply_too_large']);
      const endless = await arena.define('def handler(m, c):\n    while True: yield b"x" * 65536', { timeout_ms: 1000 });
      await arena.withNeighbour(async () => {
        const response = await arena.hearth.call(`/${endless}`);
        let bytes = 0;
        const reading = (async () => {
          for await (const piece of response.body as ReadableStream<Uint8Array>) bytes += piece.length;
        })();
        await expect(reading).rejects.toThrow();
        expect(bytes).toBeGreaterThan(0);
      });
      expect(arena.footprint.peakBytes() - before).toBeLessThan(KEPT_NOTHING_BYTES);
    });
  },
  {
    settings: {
      HEARTH_LIMITS_PROCESSES: '64',
      HEARTH_LIMITS_OPEN_FILES: '64',
      HEARTH_LIMITS_FILE_BYTES: String(4 * 1024 * 1024),
      HEARTH_SANDBOX_TMP_BYTES: String(8 * 1024 * 1024),
      HEARTH_GATEWAY_MAX_REPLY_BYTES: String(1024 * 1024),
    },
  },
);
