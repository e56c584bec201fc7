import { describe, expect, it } from 'vitest';
import { runFilter as verdict } from '../../../test/support/run-filter.ts';
import { ABSENT, ALLOWED, NEEDLESS } from './allowed-calls.ts';
import { seccompProgram } from './seccomp.ts';
import { ARCHITECTURES } from './syscalls.ts';

const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const errno = (code: number) => 0x00050000 + code;

describe.each(['x64', 'arm64'])('the system call filter of %s', (name) => {
  const program = seccompProgram(name) as Buffer;
  const { audit: arch, syscalls } = ARCHITECTURES[name] as NonNullable<(typeof ARCHITECTURES)[string]>;
  const on = (call: string, ...args: number[]) => verdict(program, { nr: syscalls[call] as number, arch, args });

  it('answers calls that are younger than its tables as a kernel without them does', () => {
    const known = new Set(Object.values(syscalls));
    for (let nr = 0; nr < 1000; nr++) if (!known.has(nr)) expect(verdict(program, { nr, arch }), `call ${nr}`).toBe(errno(38));
    expect(verdict(program, { nr: 0xffffffff, arch })).toBe(errno(38));
  });

  it('gives every call of the tables the answer of the list that it stands on, and EPERM where it stands on none', () => {
    const byArgument = ['clone', 'ioctl', 'personality', 'mknod', 'mknodat', 'socket', 'socketpair'];
    for (const call of Object.keys(syscalls).filter((name) => !byArgument.includes(name))) {
      const expected = ALLOWED.includes(call) ? ALLOW : ABSENT.includes(call) ? errno(38) : NEEDLESS.includes(call) ? errno(0) : errno(1);
      expect(on(call), call).toBe(expected);
    }
  });

  it('lists nothing twice and nothing that no table knows', () => {
    const listed = [...ALLOWED, ...ABSENT, ...NEEDLESS];
    expect(new Set(listed).size).toBe(listed.length);
    const known = new Set(Object.values(ARCHITECTURES).flatMap((architecture) => Object.keys(architecture.syscalls)));
    expect(listed.filter((call) => !known.has(call))).toEqual([]);
  });

  it('refuses namespaces, mounts, other processes, the keyring and young kernel interfaces', () => {
    const refused = ['unshare', 'setns', 'mount', 'umount2', 'pivot_root', 'chroot', 'ptrace', 'process_vm_readv', 'process_vm_writev', 'kcmp'];
    refused.push('pidfd_getfd', 'keyctl', 'add_key', 'request_key', 'bpf', 'perf_event_open', 'userfaultfd', 'io_uring_setup', 'io_uring_enter');
    refused.push('io_uring_register', 'open_by_handle_at', 'name_to_handle_at', 'kexec_load', 'init_module', 'finit_module', 'swapon', 'reboot');
    refused.push('quotactl', 'syslog', 'lookup_dcookie', 'acct', 'settimeofday', 'clock_settime', 'sethostname', 'migrate_pages', 'fanotify_init');
    if (name === 'x64') refused.push('iopl', 'ioperm', 'modify_ldt', 'uselib', 'create_module');
    for (const call of refused) expect(on(call), call).toBe(errno(1));
  });

  it('pretends that clone3 and the new mount interface do not exist', () => {
    for (const call of ['clone3', 'fsopen', 'fsconfig', 'fsmount', 'fspick', 'move_mount', 'open_tree', 'mount_setattr']) {
      expect(on(call), call).toBe(errno(38));
    }
  });

  it('lets clone make threads and processes but no namespace', () => {
    expect(on('clone', 0x3d0f00)).toBe(ALLOW); // glibc's flags for a thread
    expect(on('clone', 0x1200011)).toBe(ALLOW); // fork
    for (const flag of [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]) {
      expect(on('clone', flag | 17), flag.toString(16)).toBe(errno(1));
    }
  });

  it('refuses to type into terminals, whatever stands in the high half of the argument', () => {
    expect(on('ioctl', 0, 0x5401)).toBe(ALLOW);
    expect(on('ioctl', 0, 0x5412)).toBe(errno(1));
    expect(on('ioctl', 0, 0x541c)).toBe(errno(1));
    expect(on('ioctl', 0, 0x1_0000_5412)).toBe(errno(1));
  });

  it('allows sockets of the families unix, inet, inet6 and netlink only', () => {
    const allowed = Array.from({ length: 50 }, (_, family) => family).filter((family) => on('socket', family, 1, 0) === ALLOW);
    expect(allowed).toEqual([1, 2, 10, 16]);
    expect(on('socket', 40, 1, 0)).toBe(errno(97));
    expect(on('socketpair', 1)).toBe(ALLOW);
    expect(on('socketpair', 40)).toBe(errno(97));
  });

  it('allows streams and datagrams of the well-known protocols, and of netlink the routes', () => {
    for (const family of [2, 10]) {
      for (const type of [1, 2, 3, 0x80001, 0x80802]) expect(on('socket', family, type, 0), `${type}`).toBe(ALLOW);
      for (const type of [4, 5, 6, 10, 0x80005]) expect(on('socket', family, type, 0), `${type}`).toBe(errno(94));
      const protocols = Array.from({ length: 300 }, (_, protocol) => protocol).filter((protocol) => on('socket', family, 1, protocol) === ALLOW);
      expect(protocols).toEqual([0, 1, 6, 17, 58]);
      expect(on('socket', family, 1, 132)).toBe(errno(93));
    }
    const protocols = Array.from({ length: 32 }, (_, protocol) => protocol).filter((protocol) => on('socket', 16, 3, protocol) === ALLOW);
    expect(protocols).toEqual([0]);
  });

  it('makes files, pipes and sockets in folders and no devices', () => {
    for (const kind of [0o010000, 0o100000, 0o140000]) expect(on('mknodat', 0, 0, kind | 0o666)).toBe(ALLOW);
    for (const kind of [0o020000, 0o060000]) expect(on('mknodat', 0, 0, kind | 0o666)).toBe(errno(1));
    if (name === 'x64') expect([on('mknod', 0, 0o010666), on('mknod', 0, 0o020666)]).toEqual([ALLOW, errno(1)]);
  });

  it('answers the question for the personality and changes it to harmless ones only', () => {
    for (const value of [0xffffffff, 0, 8, 0x20000, 0x20008]) expect(on('personality', value), `${value}`).toBe(ALLOW);
    for (const value of [0x0040000, 0x0100000, 0x400000, 4, 0x20001]) expect(on('personality', value), `${value}`).toBe(errno(1));
  });

  it('kills callers of another architecture', () => {
    expect(verdict(program, { nr: 0, arch: 0x40000003 })).toBe(KILL);
  });

  it('fits into what the kernel takes', () => {
    expect(program.length % 8).toBe(0);
    expect(program.length / 8).toBeLessThan(4096);
  });
});

describe('seccompProgram', () => {
  it('kills callers through the x32 interface', () => {
    expect(verdict(seccompProgram('x64') as Buffer, { nr: 0x40000000, arch: 0xc000003e })).toBe(KILL);
  });

  it('knows no filter for other architectures', () => {
    expect(seccompProgram('mips')).toBeUndefined();
  });
});

describe.each(['x64', 'arm64'])('for zygotes and newborns on %s', (name) => {
  const { audit: arch, syscalls } = ARCHITECTURES[name] as NonNullable<(typeof ARCHITECTURES)[string]>;
  const [sandbox, zygote, newborn] = (['sandbox', 'zygote', 'newborn'] as const).map((whom) => seccompProgram(name, whom)) as [
    Buffer,
    Buffer,
    Buffer,
  ];
  /** With arguments of which each call's filter, if it looks at them, says no. */
  const calls = Object.entries(syscalls).map(([call, nr]) => ({ call, data: { nr, arch, args: [0x10000011, 0x5412, 0x2000] } }));

  it('lets the zygote clone namespaces, mount and name hosts, and nothing else that sandboxes may not', () => {
    const more = calls.filter(({ data }) => verdict(sandbox, data) !== verdict(zygote, data));
    expect(more.map(({ call }) => call).sort()).toEqual(['clone', 'mount', 'sethostname']);
    for (const { data } of more) expect([verdict(sandbox, data), verdict(zygote, data)]).toEqual([errno(1), ALLOW]);
  });

  it("makes of the zygote's filter and the newborn's what sandboxes have", () => {
    for (const { call, data } of calls) {
      for (const args of [data.args, [0, 0, 0]]) {
        const both = [zygote, newborn].map((filter) => verdict(filter, { ...data, args }));
        expect(both.find((answer) => answer !== ALLOW) ?? ALLOW, call).toBe(verdict(sandbox, { ...data, args }));
      }
    }
    for (const nr of [423, 600, 0x40000000]) expect(verdict(newborn, { nr, arch })).toBe(ALLOW);
  });
});
