import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { onEveryDriver } from './support/arena.ts';

/** In the environment of the platform, in the code, environment, body and output of another function, and in no place that a function may see. */
const SECRET = `hostile-secret-${randomUUID()}`;

/** Reads whatever can be read below these folders, and tells in which files the two halves of the secret stand together. */
const SEARCH = `
import os, stat
FIRST, SECOND = "${SECRET.slice(0, 20)}", "${SECRET.slice(20)}"
def search(*roots):
    needle = (FIRST + SECOND).encode()
    found, read = [], 0
    for root in roots:
        for folder, folders, files in os.walk(root):
            folders[:] = [f for f in folders if os.path.join(folder, f) not in ("/proc/self", "/proc/thread-self", "/usr/lib")]
            for name in files:
                path = os.path.join(folder, name)
                if path.startswith("/proc/") and name in ("kmsg", "clear_refs", "pagemap", "kcore", "trace_pipe"): continue
                try:
                    if not stat.S_ISREG(os.stat(path).st_mode): continue
                    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as file:
                        data = file.read(1 << 20) or b""
                except OSError: continue
                read += 1
                # Its own memory and arguments hold the needle, of course.
                if needle in data and not path.startswith("/proc/%d/" % os.getpid()): found.append(path)
    return found, read
`;

onEveryDriver(
  'what a function can see',
  (arena) => {
    const victim = async () => {
      const code = `# ${SECRET}\nkept = "${SECRET}"\ndef handler(m, c):\n    print(kept)\n    open("/tmp/kept", "w").write(kept)\n    return len(m["body"])`;
      const name = await arena.define(code, { environment: { KEPT: SECRET } });
      expect((await arena.call(name, { init: { method: 'POST', body: SECRET } })).text).toBe(String(SECRET.length));
    };

    it('holds nothing of the platform or of another function: no file, environment, argument or log anywhere', async () => {
      await victim();
      const answer = await arena.attack(`${SEARCH}\ndef handler(m, c): return search("/")`, { settings: { timeout_ms: 15_000 } });
      const [found, read] = answer.json() as [string[], number];
      expect(found).toEqual([]);
      expect(read).toBeGreaterThan(200);
    });

    it('is its own processes: no other is there by any number, nor its memory', async () => {
      await victim();
      const code = `
import os
def handler(message, context):
    listed = [p for p in os.listdir("/proc") if p.isdigit()]
    guessed = []
    for pid in range(1, 70000):
        try:
            os.kill(pid, 0)
            guessed.append(pid)
        except ProcessLookupError: pass
        except PermissionError: guessed.append(-pid)
    peeked = []
    for pid in listed:
        for name in ("mem", "environ", "maps", "root/etc/shadow", "cwd/hearth.db", "fd", "ns/pid"):
            path = f"/proc/{pid}/{name}"
            try: os.readlink(path) if name.startswith("ns") else os.listdir(path) if name == "fd" else open(path, "rb").close()
            except OSError: pass
            else: peeked.append(pid)
    return {"listed": len(listed), "guessed": len(guessed), "refused": [p for p in guessed if p < 0], "peeked": len(set(peeked))}
`;
      const found = (await arena.attack(code)).json() as Record<string, number | number[]>;
      expect(found.listed).toBeLessThanOrEqual(3);
      // Whoever can be signalled is listed: there are no hidden ones.
      expect(found.guessed).toBe(found.listed);
      expect(found.refused).toEqual([]);
    });

    it('is no file of the host: not its passwords, homes, sockets, data folder, devices or kernel', async () => {
      const paths = [
        ...['/etc/shadow', '/etc/ssh', '/root', '/home', '/srv', '/mnt', '/media', '/opt', '/boot', '/sys', '/sys/fs/cgroup'],
        ...['/sys/class/net', '/sys/kernel/security', '/run/docker.sock', '/var/run/docker.sock', '/proc/1/root/root', '/proc/self/cwd/../../root'],
        ...[
          '/dev/mem',
          '/dev/kmsg',
          '/dev/sda',
          '/dev/vda',
          '/dev/nvme0n1',
          '/dev/net/tun',
          '/dev/fuse',
          '/dev/kvm',
          '/dev/mqueue',
          '/dev/pts/0',
          '/dev/console',
        ],
        ...[
          '/proc/kcore',
          '/proc/kallsyms',
          '/proc/sys/kernel/core_pattern',
          '/proc/keys',
          '/proc/timer_list',
          '/proc/sched_debug',
          '/proc/config.gz',
        ],
        // An image has folders of these names of its own, with nothing of the host's in them.
        ...(arena.driver === 'docker' ? [] : ['/var', '/run', '/etc/passwd-']),
        ...[arena.hearth.dataFolder, `${arena.hearth.dataFolder}/hearth.db`, process.cwd(), process.execPath],
      ];
      const code = `
import os
def look(path):
    try:
        if os.path.isdir(path): return bool(os.listdir(path))
        with open(path, "rb") as file: return any(file.read(4096).strip(b"\\0 0\\n"))
    except OSError: return False
def handler(message, context):
    with_devices = [d for d in os.listdir("/dev") if os.path.exists("/dev/" + d)]
    mine = {p for p in message["body"] if look(p)}
    # Readable for all in every namespace, and written by none: see what is not promised.
    shown = {p for p in mine if p.startswith("/proc/")}
    return [sorted(mine - shown), sorted(with_devices)]
`;
      const name = await arena.define(code);
      const answer = await arena.withNeighbour(() => arena.call(name, { init: { method: 'POST', body: JSON.stringify(paths) } }));
      const [seen, devices] = answer.json() as [string[], string[]];
      expect(seen).toEqual([]);
      expect(devices).toEqual(
        [
          'fd',
          'full',
          ...(arena.driver === 'docker' ? ['mqueue'] : []),
          'null',
          'ptmx',
          'pts',
          'random',
          'shm',
          'stderr',
          'stdin',
          'stdout',
          'tty',
          'urandom',
          'zero',
        ].filter((d) => devices.includes(d)),
      );
      for (const device of ['full', 'null', 'random', 'urandom', 'zero']) expect(devices).toContain(device);
    });

    it('can be changed nowhere but in /tmp, /dev/shm and its own code: neither layers, agent, interpreter, kernel settings nor devices', async () => {
      const code = `
import os, sys
def handler(message, context):
    changed = []
    for folder, folders, files in os.walk("/"):
        folders[:] = [f for f in folders if os.path.join(folder, f) not in ("/proc", "/tmp", "/dev/shm", "/function")]
        for act in (lambda: os.mkdir(folder + "/evil"), lambda: os.symlink("/etc", folder + "/evil"), lambda: os.chmod(folder, 0o777), lambda: os.utime(folder)):
            try: act()
            except OSError: pass
            else: changed.append(folder)
        for name in files[:50]:
            path = os.path.join(folder, name)
            if path.startswith("/dev/"): continue
            for act in (lambda: open(path, "ab").close(), lambda: os.unlink(path), lambda: os.rename(path, path + "~"), lambda: os.link(path, "/tmp/link"), lambda: os.truncate(path, 0)):
                try: act()
                except OSError: pass
                else: changed.append(path)
    for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/self/oom_score_adj", "/proc/1/oom_score_adj", "/proc/sys/net/ipv4/ip_forward"):
        value = "-1000" if "oom" in path else "1"
        try: open(path, "w").write(value)
        except OSError: pass
        else: changed.append(path)
    runtime = [m.__file__ for m in list(sys.modules.values()) if getattr(m, "__file__", None) and not m.__file__.startswith("/function/")]
    for path in runtime:
        try: open(path, "ab").close()
        except OSError: pass
        else: changed.append(path)
    return changed
`;
      expect((await arena.attack(code, { settings: { timeout_ms: 15_000 } })).json()).toEqual([]);
    });

    it('is not widened by links: what they point at is looked up in the sandbox', async () => {
      const code = `
import os
def handler(message, context):
    results = []
    os.symlink("/etc/shadow", "/tmp/shadow"); os.symlink("${arena.hearth.dataFolder}", "/tmp/data"); os.symlink("/proc/1/root", "/tmp/root"); os.symlink("../" * 40 + "root", "/tmp/up")
    for path in ("/tmp/shadow", "/tmp/data/hearth.db", "/tmp/root/etc/shadow", "/tmp/up/.bashrc"):
        try: results.append(open(path).read())
        except OSError: pass
    for path in ("/etc/hosts", "/runtime/agent/__main__.py", "/usr/bin/python3"):
        try: os.link(path, "/tmp/hard"); results.append(path)
        except OSError: pass
    loop = "/tmp/loop"
    os.symlink(loop, loop)
    deep = "/tmp"
    for n in range(200):
        deep += "/d"
        os.mkdir(deep)
    os.mkfifo("/tmp/fifo"); os.mkfifo("/dev/shm/fifo")
    for folder in ("/tmp", "/dev/shm"):
        try: os.chmod(folder, 0o000)
        except PermissionError: pass
    return results
`;
      expect((await arena.attack(code)).json()).toEqual([]);
    });

    it('has no way to more rights: no set-user-id program, capability, namespace or device of its own', async () => {
      const code = `
import ctypes, os, stat
libc = ctypes.CDLL(None, use_errno=True)
def handler(message, context):
    found = []
    for folder, folders, files in os.walk("/"):
        if folder.startswith("/proc"): folders.clear(); continue
        for name in files:
            try: mode = os.lstat(os.path.join(folder, name)).st_mode
            except OSError: continue
            if not stat.S_ISREG(mode) or not mode & (stat.S_ISUID | stat.S_ISGID): continue
            # The bit alone does nothing where the mount says so.
            if not os.statvfs(os.path.join(folder, name)).f_flag & os.ST_NOSUID: found.append(os.path.join(folder, name))
    for what, act in {"setuid": lambda: os.setuid(0), "setgid": lambda: os.setgid(0), "setgroups": lambda: os.setgroups([0]), "chown": lambda: os.chown("/tmp", 0, 0),
                      "mknod": lambda: os.mknod("/tmp/sda", 0o666 | stat.S_IFBLK, os.makedev(8, 0)), "chroot": lambda: os.chroot("/tmp"), "nice": lambda: os.nice(-20),
                      "sethostname": lambda: __import__("socket").sethostname("evil")}.items():
        try: act()
        except OSError: pass
        else: found.append(what)
    for what, call in {"unshare": (0x10000000,), "setns": (3, 0)}.items():
        if getattr(libc, what)(*call) == 0: found.append(what)
    return found
`;
      expect((await arena.attack(code)).json()).toEqual([]);
    });
  },
  { settings: { HEARTH_TEST_SECRET: SECRET } },
);
