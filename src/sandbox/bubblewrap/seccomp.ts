import { ARCHITECTURES, type Architecture } from './syscalls.ts';

/**
 * The system call filter of sandboxes, as a classic BPF program (linux/filter.h, linux/seccomp.h): a list of what is denied.
 * It stands in for bwrap's --disable-userns, which would put the network namespace out of slirp4netns' reach.
 */

// struct seccomp_data: int nr; u32 arch; u64 instruction_pointer; u64 args[6]. Both architectures are little-endian.
const OFFSET_NR = 0;
const OFFSET_ARCH = 4;
const offsetOfArgument = (index: number) => 16 + 8 * index;

const LOAD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP_EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_ANY_BIT = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K

const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const errno = (code: number) => 0x00050000 | code;
const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. (NEWTIME isn't a flag of clone.) */
const CLONE_NAMESPACES = 0x7e020000;

const REFUSED = [
  // Namespaces and mounts
  ...['unshare', 'setns', 'mount', 'umount2', 'pivot_root', 'chroot'],
  // Other processes' memory and descriptors
  ...['ptrace', 'process_vm_readv', 'process_vm_writev', 'pidfd_getfd'],
  // The keyring knows no namespaces
  ...['add_key', 'request_key', 'keyctl'],
  // Large or young parts of the kernel that functions don't need
  ...['bpf', 'perf_event_open', 'userfaultfd', 'io_uring_setup', 'io_uring_enter', 'io_uring_register'],
  ...['name_to_handle_at', 'open_by_handle_at', 'lookup_dcookie', 'nfsservctl', 'uselib', '_sysctl', 'modify_ldt'],
  // The machine itself
  ...['kexec_load', 'kexec_file_load', 'create_module', 'init_module', 'delete_module', 'finit_module', 'get_kernel_syms', 'query_module'],
  ...['swapon', 'swapoff', 'reboot', 'acct', 'quotactl', 'quotactl_fd', 'syslog', 'iopl', 'ioperm', 'vhangup'],
];

/** The new mount API, and clone3, whose flags lie in memory that a filter can't read: callers fall back to the old calls on ENOSYS. */
const ABSENT = ['open_tree', 'open_tree_attr', 'move_mount', 'fsopen', 'fsconfig', 'fsmount', 'fspick', 'mount_setattr', 'clone3'];

const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;
const PERSONALITY_QUERY = 0xffffffff;
/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK. Others (AF_VSOCK above all) reach past the network namespace or are needless surface. */
const SOCKET_FAMILIES = [1, 2, 10, 16];

type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, k: number];

/**
 * The filter for an architecture as Node.js names it (`process.arch`): struct sock_filter[], as bwrap's --seccomp reads it.
 * Undefined when the filter isn't known for it. `zygote`: for the process that makes sandboxes itself; it may clone into namespaces and
 * mount, and is otherwise held as sandboxes are.
 */
export function seccompProgram(arch: string, whom: 'sandbox' | 'zygote' = 'sandbox'): Buffer | undefined {
  const architecture = ARCHITECTURES[arch];
  return architecture === undefined ? undefined : encode(assemble(architecture, whom === 'zygote' ? ['clone', 'mount'] : []));
}

function assemble({ audit, foreignBit, syscalls }: Architecture, exempt: readonly string[]): Instruction[] {
  const numberOf = (name: string) => (exempt.includes(name) ? undefined : syscalls[name]);
  const program: Instruction[] = [
    [LOAD, 0, 0, OFFSET_ARCH],
    [JUMP_EQUAL, 1, 0, audit],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD, 0, 0, OFFSET_NR],
  ];
  if (foreignBit !== undefined) program.push([JUMP_ANY_BIT, 0, 1, foreignBit], [RETURN, 0, 0, KILL_PROCESS]);

  const whole = (names: readonly string[], verdict: number) => {
    for (const name of names) {
      const nr = numberOf(name);
      if (nr !== undefined) program.push([JUMP_EQUAL, 0, 1, nr], [RETURN, 0, 0, verdict]);
    }
  };
  /** Checks that look at an argument's low 32 bits, as the kernel does, and end with a verdict. */
  const byArgument = (name: string, argument: number, checks: readonly Instruction[]) => {
    const nr = numberOf(name);
    if (nr !== undefined) program.push([JUMP_EQUAL, 0, checks.length + 1, nr], [LOAD, 0, 0, offsetOfArgument(argument)], ...checks);
  };

  byArgument('clone', 0, [
    [JUMP_ANY_BIT, 0, 1, CLONE_NAMESPACES],
    [RETURN, 0, 0, errno(EPERM)],
    [RETURN, 0, 0, ALLOW],
  ]);
  byArgument('ioctl', 1, [
    [JUMP_EQUAL, 1, 0, TIOCSTI],
    [JUMP_EQUAL, 0, 1, TIOCLINUX],
    [RETURN, 0, 0, errno(EPERM)],
    [RETURN, 0, 0, ALLOW],
  ]);
  byArgument('personality', 0, [
    [JUMP_EQUAL, 1, 0, PERSONALITY_QUERY],
    [RETURN, 0, 0, errno(EPERM)],
    [RETURN, 0, 0, ALLOW],
  ]);
  for (const name of ['socket', 'socketpair']) {
    const families = SOCKET_FAMILIES.map((family, index): Instruction => [JUMP_EQUAL, SOCKET_FAMILIES.length - index, 0, family]);
    byArgument(name, 0, [...families, [RETURN, 0, 0, errno(EAFNOSUPPORT)], [RETURN, 0, 0, ALLOW]]);
  }
  whole(ABSENT, errno(ENOSYS));
  whole(REFUSED, errno(EPERM));
  program.push([RETURN, 0, 0, ALLOW]);
  return program;
}

/** struct sock_filter { u16 code; u8 jt; u8 jf; u32 k; } */
function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(([code, jumpTrue, jumpFalse, k], index) => {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(jumpTrue, index * 8 + 2);
    bytes.writeUInt8(jumpFalse, index * 8 + 3);
    bytes.writeUInt32LE(k >>> 0, index * 8 + 4);
  });
  return bytes;
}
