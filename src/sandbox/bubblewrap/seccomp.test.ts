import { describe, expect, it } from 'vitest';
import { seccompProgram } from './seccomp.ts';
import { ARCHITECTURES } from './syscalls.ts';

const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const errno = (code: number) => 0x00050000 + code;

/** Runs a classic BPF program over a struct seccomp_data; knows the instructions that filters are made of and fails on any other. */
function verdict(program: Buffer, data: { nr: number; arch: number; args?: readonly number[] }): number {
  const memory = Buffer.alloc(64);
  memory.writeUInt32LE(data.nr, 0);
  memory.writeUInt32LE(data.arch, 4);
  data.args?.forEach((argument, index) => {
    memory.writeBigUInt64LE(BigInt(argument), 16 + 8 * index);
  });
  let accumulator = 0;
  for (let at = 0; ; at++) {
    if (at * 8 >= program.length) throw new Error('ran past the end');
    const code = program.readUInt16LE(at * 8);
    const jumpTrue = program.readUInt8(at * 8 + 2);
    const jumpFalse = program.readUInt8(at * 8 + 3);
    const k = program.readUInt32LE(at * 8 + 4);
    if (code === 0x20) accumulator = memory.readUInt32LE(k);
    else if (code === 0x15) at += accumulator === k ? jumpTrue : jumpFalse;
    else if (code === 0x45) at += (accumulator & k) !== 0 ? jumpTrue : jumpFalse;
    else if (code === 0x06) return k;
    else throw new Error(`unknown instruction 0x${code.toString(16)}`);
  }
}

describe.each(['x64', 'arm64'])('the system call filter of %s', (name) => {
  const program = seccompProgram(name) as Buffer;
  const { audit: arch, syscalls } = ARCHITECTURES[name] as NonNullable<(typeof ARCHITECTURES)[string]>;
  const on = (call: string, ...args: number[]) => verdict(program, { nr: syscalls[call] as number, arch, args });

  it('lets every call through that it does not name', () => {
    const named = new Set(Object.values(syscalls));
    for (let nr = 0; nr < 600; nr++) if (!named.has(nr)) expect(verdict(program, { nr, arch }), `call ${nr}`).toBe(ALLOW);
  });

  it('refuses namespaces, mounts, other processes, the keyring and young kernel interfaces', () => {
    const refused = ['unshare', 'setns', 'mount', 'umount2', 'pivot_root', 'chroot', 'ptrace', 'process_vm_readv', 'process_vm_writev'];
    refused.push('pidfd_getfd', 'keyctl', 'add_key', 'request_key', 'bpf', 'perf_event_open', 'userfaultfd', 'io_uring_setup', 'io_uring_enter');
    refused.push('io_uring_register', 'open_by_handle_at', 'name_to_handle_at', 'kexec_load', 'init_module', 'finit_module', 'swapon', 'reboot');
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
    const allowed = Array.from({ length: 50 }, (_, family) => family).filter((family) => on('socket', family) === ALLOW);
    expect(allowed).toEqual([1, 2, 10, 16]);
    expect(on('socketpair', 1)).toBe(ALLOW);
    expect(on('socketpair', 40)).toBe(errno(97));
  });

  it('answers the question for the personality but does not change it', () => {
    expect(on('personality', 0xffffffff)).toBe(ALLOW);
    expect(on('personality', 0x0040000)).toBe(errno(1));
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

it.each(['x64', 'arm64'])(
  'the filter of zygotes on %s lets namespaces be cloned and mounts be made, and nothing else that sandboxes may not',
  (name) => {
    const [sandbox, zygote] = [seccompProgram(name), seccompProgram(name, 'zygote')] as [Buffer, Buffer];
    const { audit: arch, syscalls } = ARCHITECTURES[name] as NonNullable<(typeof ARCHITECTURES)[string]>;
    for (const [call, nr] of Object.entries(syscalls)) {
      const args = call === 'clone' ? [0x10000011] : [];
      const [inside, outside] = [verdict(sandbox, { nr, arch, args }), verdict(zygote, { nr, arch, args })];
      if (call === 'clone' || call === 'mount') expect([inside, outside], call).toEqual([errno(1), ALLOW]);
      else expect(outside, call).toBe(inside);
    }
  },
);
