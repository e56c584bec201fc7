import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ABSENT, ALLOWED, NEEDLESS } from '../../../src/sandbox/bubblewrap/allowed-calls.ts';
import { ARCHITECTURES } from '../../../src/sandbox/bubblewrap/syscalls.ts';
import type { Sandbox } from '../../../src/sandbox/driver.ts';
import type { DriverUnderTest } from './isolation-suite.ts';
import { Inside, sandboxSpec } from './support.ts';

const [EPERM, ENOSYS, EROFS] = [1, 38, 30];
const CALLS = ARCHITECTURES[process.arch]?.syscalls ?? {};
/** Allowed with some arguments and not with others. */
const BY_ARGUMENT = ['clone', 'ioctl', 'personality', 'mknod', 'mknodat', 'socket', 'socketpair'];

/** Written out here and not taken from the filter's own lists: what no function may do, whatever those say. */
const FORBIDDEN = [
  ...['unshare', 'setns', 'mount', 'umount2', 'pivot_root', 'chroot', 'ptrace', 'process_vm_readv', 'process_vm_writev', 'pidfd_getfd', 'kcmp'],
  ...['keyctl', 'add_key', 'request_key', 'bpf', 'perf_event_open', 'userfaultfd', 'io_uring_setup', 'io_uring_enter', 'io_uring_register'],
  ...['open_by_handle_at', 'name_to_handle_at', 'kexec_load', 'kexec_file_load', 'init_module', 'finit_module', 'delete_module'],
  ...['swapon', 'swapoff', 'reboot', 'quotactl', 'quotactl_fd', 'syslog', 'acct', 'lookup_dcookie', 'vhangup', 'sethostname', 'setdomainname'],
  ...['settimeofday', 'clock_settime', 'adjtimex', 'clock_adjtime', 'migrate_pages', 'move_pages', 'mbind', 'fanotify_init', 'nfsservctl'],
  ...(process.arch === 'x64' ? ['iopl', 'ioperm', 'modify_ldt', 'uselib', 'create_module', '_sysctl'] : []),
];

const CALL = `
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    value = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(a) for a in (*arguments, 0, 0, 0, 0, 0, 0)[:6]))
    return ctypes.get_errno() if value < 0 else "allowed"
def outcome(action):
    try:
        return str(action())
    except OSError as e:
        return e.errno
`;

/** What hostile code would try first, asked directly of the kernel. Declares its tests where it is called. */
export function hardeningSuite(name: string, make: () => DriverUnderTest): void {
  describe(`hostile code in a ${name} sandbox`, () => {
    const { driver, prepare, isContainer = false } = make();
    let sandbox: Sandbox;
    let inside: Inside;

    beforeAll(async () => {
      await prepare([]);
      sandbox = await driver.create(sandboxSpec('none'));
      expect(sandbox.driver).toBe(name);
      inside = new Inside(sandbox);
    });
    afterAll(() => driver.close());

    const ask = (names: readonly string[]) => {
      const numbers = Object.fromEntries(names.map((call) => [call, CALLS[call]]));
      return inside.run(`${CALL}result = {name: call(number) for name, number in ${JSON.stringify(numbers)}.items()}`);
    };

    it('gets EPERM for what would change the machine, other processes or its own confinement', async () => {
      expect(FORBIDDEN.filter((call) => CALLS[call] === undefined)).toEqual([]);
      expect(await ask(FORBIDDEN)).toEqual(Object.fromEntries(FORBIDDEN.map((call) => [call, EPERM])));
    });

    it('gets ENOSYS for calls behind which the C library knows another way', async () => {
      const absent = ['clone3', 'fsopen', 'fsconfig', 'fsmount', 'fspick', 'open_tree', 'move_mount', 'mount_setattr', 'statmount', 'io_setup'];
      expect(await ask(absent)).toEqual(Object.fromEntries(absent.map((call) => [call, ENOSYS])));
      const strange = Array.from({ length: 60 }, (_, index) => 480 + index);
      expect(await inside.run(`${CALL}result = sorted({call(number) for number in ${JSON.stringify(strange)}})`)).toEqual([ENOSYS]);
    });

    it('gets an error for every other call that is not on the list', async () => {
      const listed = new Set([...ALLOWED, ...BY_ARGUMENT, ...NEEDLESS]);
      const unlisted = Object.keys(CALLS).filter((call) => !listed.has(call));
      expect(unlisted.length).toBeGreaterThan(80);
      expect(await ask(unlisted)).toEqual(Object.fromEntries(unlisted.map((call) => [call, ABSENT.includes(call) ? ENOSYS : EPERM])));
    });

    it('makes no namespace of any kind by clone, and changes its personality to nothing that helps exploits', async () => {
      const namespaces = [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000];
      const code = `${CALL}result = [call(${CALLS.clone}, flag | 17) for flag in ${JSON.stringify(namespaces)}]`;
      expect(await inside.run(code)).toEqual(namespaces.map(() => EPERM));
      const personality = `${CALL}result = [call(${CALLS.personality}, p) for p in (0x40000, 0x100000, 0x400000, 0xffffffff)]`;
      expect(await inside.run(personality)).toEqual([EPERM, EPERM, EPERM, 'allowed']);
    });

    it.runIf(process.arch === 'x64')('is killed for calls by the x32 and the 32-bit interface', async () => {
      const code = `${CALL}
import mmap, os
def child(action):
    pid = os.fork()
    if pid == 0:
        action()
        os._exit(0)
    return os.waitpid(pid, 0)[1] & 0x7f
def old_interface():
    # mov eax, 20 (getpid); int 0x80; ret
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(bytes.fromhex("b814000000cd80c3"))
    ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))()
result = [child(lambda: call(0x40000000 | 39)), child(old_interface), child(lambda: call(39))]
`;
      const [x32, old, usual] = (await inside.run(code)) as number[];
      expect([x32, usual]).toEqual([31, 0]); // SIGSYS
      // SIGSEGV from a kernel that has no 32-bit interface.
      expect([31, 11]).toContain(old);
    });

    it('opens no socket of another protocol than TCP, UDP and ICMP, and none of netlink but for routes', async () => {
      const code = `${CALL}
import socket
def open_socket(*how):
    return outcome(lambda: socket.socket(*how).close())
result = [open_socket(*how) for how in (
    (2, 1, 6), (2, 2, 17), (10, 1, 0), (1, 5, 0), (16, 3, 0),
    (2, 3, 255), (2, 5, 0), (2, 1, 132), (2, 6, 33), (10, 1, 262), (16, 3, 9), (16, 3, 12), (16, 3, 15), (16, 3, 16), (17, 3, 768), (31, 3, 1), (38, 5, 0), (40, 1, 0))]
`;
      const refused = isContainer ? Array(9).fill(EPERM) : [93, 94, 93, 94, 93, 93, 93, 93, 93];
      expect(await inside.run(code)).toEqual([...Array(5).fill('None'), ...refused, 97, 97, 97, 97]);
    });

    it('makes pipes but no devices', async () => {
      const code = `${CALL}
import os
result = [outcome(lambda: os.mknod("/tmp/made", kind | 0o600, os.makedev(1, 3))) for kind in (0o010000, 0o020000, 0o060000)]
os.unlink("/tmp/made")
`;
      expect(await inside.run(code)).toEqual(['None', EPERM, EPERM]);
    });

    it('gets no capability back, and no other user id', async () => {
      const code = `${CALL}
import os, struct
header = ctypes.create_string_buffer(struct.pack("=Ii", 0x20080522, 0))
everything = ctypes.create_string_buffer(struct.pack("=6I", *([0xffffffff] * 6)))
result = [
    ctypes.get_errno() if libc.capset(header, everything) else "allowed",
    [libc.prctl(23, capability, 0, 0, 0) for capability in range(41)].count(1),
    libc.prctl(47, 2, 21, 0, 0),
    outcome(lambda: os.setuid(0)),
    outcome(lambda: os.setgid(0)),
    outcome(lambda: os.setgroups([0])),
    libc.prctl(39, 0, 0, 0, 0),
    libc.prctl(38, 0, 0, 0, 0),
]
`;
      // CAP_BSET_READ says 0 for all; PR_CAP_AMBIENT_RAISE fails; no_new_privs is 1 and can't be taken back. Where only one id is mapped, others don't exist.
      const others = isContainer ? EPERM : 22;
      expect(await inside.run(code)).toEqual([EPERM, 0, -1, others, others, EPERM, 1, -1]);
    });

    // The root of an image and what is mounted into it take no such options from engines; no_new_privs and the cgroup of devices stand in.
    if (!isContainer) {
      it('sees mounts that honour no setuid bit, and devices only where they are meant to be', async () => {
        const mounts = String(await inside.run('result = open("/proc/self/mountinfo").read()'))
          .trim()
          .split('\n')
          .map((line) => line.split(' '))
          .map(([, , , root, target = '', options = '']) => ({ root, target, options: options.split(',') }));
        expect(mounts.length).toBeGreaterThan(10);
        expect(mounts.filter(({ options }) => !options.includes('nosuid'))).toEqual([]);
        const withDevices = mounts.filter(({ options }) => !options.includes('nodev')).filter(({ target }) => !target.startsWith('/proc/'));
        expect([...new Set(withDevices.map(({ target }) => target))].sort()).toEqual(
          ['full', 'null', 'random', 'tty', 'urandom', 'zero'].map((device) => `/dev/${device}`),
        );
        const covers = mounts.filter(({ target, options }) => target.startsWith('/proc/') && !options.includes('nodev'));
        expect(covers.filter(({ root }) => !root?.endsWith('/null'))).toEqual([]);
        expect(mounts.filter(({ options }) => !options.includes('ro')).map(({ target }) => target)).toEqual(
          expect.arrayContaining(['/tmp', '/dev/shm']),
        );
      });
    }

    it('finds no device beside the usual six, no program that setuid would work for, and nothing in /sys', async () => {
      const code = `
import os, stat
devices, privileged = [], []
for folder, folders, files in os.walk("/"):
    folders[:] = [f for f in folders if os.path.join(folder, f) != "/proc"]
    for name in files:
        path = os.path.join(folder, name)
        mode = os.lstat(path).st_mode
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode): devices.append(path)
        if mode & (stat.S_ISUID | stat.S_ISGID) and not os.statvfs(path).f_flag & os.ST_NOSUID: privileged.append(path)
result = [sorted(devices), privileged, os.listdir("/sys") if os.path.exists("/sys") else [], sorted(os.listdir("/dev"))]
`;
      const devices = ['full', 'null', 'random', 'tty', 'urandom', 'zero'];
      expect(await inside.run(code)).toEqual([
        devices.map((device) => `/dev/${device}`),
        [],
        [],
        // Covered, and a link to what is covered.
        [...devices, 'fd', 'shm', 'stderr', 'stdin', 'stdout', ...(isContainer ? ['mqueue', 'ptmx', 'pts'] : [])].sort(),
      ]);
    });

    it('reads nothing of the machine from the covered parts of /proc', async () => {
      const code = `${CALL}
import os
files = ["interrupts", "kallsyms", "key-users", "keys", "latency_stats", "sched_debug", "softirqs", "timer_list", "timer_stats", "kcore", "kmsg", "slabinfo"]
folders = ["acpi", "asound", "scsi"]
def read(name):
    try:
        with open("/proc/" + name, "rb") as file: return len(file.read(100))
    except OSError:
        return 0
result = [{name: read(name) for name in files}, [os.listdir("/proc/" + name) for name in folders if os.path.exists("/proc/" + name)]]
`;
      const [files, folders] = (await inside.run(code)) as [Record<string, number>, string[][]];
      expect(Object.values(files)).toEqual(Array(12).fill(0));
      expect(folders.flat()).toEqual([]);
    });

    it('writes nowhere in /proc, not even about itself', async () => {
      const code = `${CALL}
import os
paths = ["sysrq-trigger", "sys/kernel/core_pattern", "sys/kernel/hostname", "sys/vm/drop_caches", "self/oom_score_adj", "self/mem", "self/uid_map", "self/setgroups", "1/oom_score_adj"]
result = sorted({outcome(lambda: os.open("/proc/" + path, os.O_WRONLY)) for path in paths if os.path.exists("/proc/" + path)} - {13})
`;
      expect(await inside.run(code)).toEqual([EROFS]);
    });

    it('is told that sync is done, which stays without effect', async () => {
      expect(await inside.run('import os; result = os.sync()')).toBe(null);
    });
  });
}
