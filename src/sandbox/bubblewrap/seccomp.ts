import { ABSENT, ALLOWED, NEEDLESS } from './allowed-calls.ts';
import {
  CLONE_NAMESPACES,
  DEVICE,
  FORBIDDEN_IOCTLS,
  INTERNET_FAMILIES,
  INTERNET_PROTOCOLS,
  LOCAL_FAMILY,
  NETLINK_FAMILY,
  NETLINK_ROUTE,
  PERSONALITIES,
  SOCKET_TYPE,
  SOCKET_TYPES,
} from './argument-limits.ts';
import { decide, encode, type Instruction, load, loadArgument, mask, OFFSET_ARCH, OFFSET_NR, oneOf, type Range, verdict, when } from './bpf.ts';
import { ARCHITECTURES, type Architecture } from './syscalls.ts';

/**
 * The system call filter of sandboxes (seccomp(2)): a list of what is allowed. What the tables know and the list doesn't gets EPERM; what
 * not even the tables know, because it is younger than they are, gets ENOSYS, upon which every C library falls back. Callers of another
 * architecture's or ABI's calls are killed. It stands in for bwrap's --disable-userns, too, which would put the network namespace out of
 * slirp4netns' reach.
 */

const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const errno = (code: number) => 0x00050000 | code;
const DONE_NOTHING = errno(0);
const EPERM = errno(1);
const ENOSYS = errno(38);
const EPROTONOSUPPORT = errno(93);
const ESOCKTNOSUPPORT = errno(94);
const EAFNOSUPPORT = errno(97);

const NO_CALL = 0xffffffff;

const internet = [
  loadArgument(1),
  mask(SOCKET_TYPE),
  ...oneOf(SOCKET_TYPES, ESOCKTNOSUPPORT),
  loadArgument(2),
  ...oneOf(INTERNET_PROTOCOLS, EPROTONOSUPPORT),
  verdict(ALLOW),
];

/** None of the bits may be set. */
const without = (argument: number, bits: number): Instruction[] => [loadArgument(argument), mask(bits), ...oneOf([0], EPERM), verdict(ALLOW)];

/** Allowed with some arguments only. */
const BY_ARGUMENT: Readonly<Record<string, readonly Instruction[]>> = {
  clone: without(0, CLONE_NAMESPACES),
  ioctl: [loadArgument(1), ...FORBIDDEN_IOCTLS.flatMap((request) => when(request, [verdict(EPERM)])), verdict(ALLOW)],
  personality: [loadArgument(0), ...oneOf(PERSONALITIES, EPERM), verdict(ALLOW)],
  mknod: without(1, DEVICE),
  mknodat: without(2, DEVICE),
  socketpair: [loadArgument(0), ...oneOf([LOCAL_FAMILY], EAFNOSUPPORT), verdict(ALLOW)],
  socket: [
    loadArgument(0),
    ...when(LOCAL_FAMILY, [verdict(ALLOW)]),
    ...when(NETLINK_FAMILY, [loadArgument(2), ...oneOf([NETLINK_ROUTE], EPROTONOSUPPORT), verdict(ALLOW)]),
    ...oneOf(INTERNET_FAMILIES, EAFNOSUPPORT),
    ...internet,
  ],
};

/** What the process that makes sandboxes needs over and above. */
const OF_ZYGOTES = ['clone', 'mount', 'sethostname'];

/**
 * The filter for an architecture as Node.js names it (`process.arch`): struct sock_filter[], as bwrap's --seccomp reads it.
 * Undefined when the filter isn't known for it. For whom: a `sandbox`; a `zygote`, which makes sandboxes itself, and so may clone into
 * namespaces, mount and name its newborn, and is otherwise held as they are; a `newborn`, which has inherited the zygote's filter and
 * adds what takes these three away (together as strict as a sandbox's, and loaded in 23 µs instead of 59).
 */
export function seccompProgram(arch: string, whom: 'sandbox' | 'zygote' | 'newborn' = 'sandbox'): Buffer | undefined {
  const architecture = ARCHITECTURES[arch];
  if (architecture === undefined) return undefined;
  return encode(whom === 'newborn' ? remainder(architecture) : assemble(architecture, whom === 'zygote' ? OF_ZYGOTES : []));
}

function remainder({ syscalls }: Architecture): Instruction[] {
  const leaves = new Map<number, Range['leaf']>();
  for (const name of OF_ZYGOTES) leaves.set(syscalls[name] ?? NO_CALL, BY_ARGUMENT[name] ?? EPERM);
  return [load(OFFSET_NR), ...decide(ranges(leaves, ALLOW))];
}

function assemble({ audit, foreignBit, syscalls }: Architecture, exempt: readonly string[]): Instruction[] {
  const leaves = new Map<number, Range['leaf']>(Object.values(syscalls).map((nr) => [nr, EPERM]));
  const set = (names: readonly string[], leaf: Range['leaf']) => {
    for (const name of names) {
      const nr = syscalls[name];
      if (nr !== undefined) leaves.set(nr, leaf);
    }
  };
  set(ALLOWED, ALLOW);
  set(ABSENT, ENOSYS);
  set(NEEDLESS, DONE_NOTHING);
  for (const [name, instructions] of Object.entries(BY_ARGUMENT)) set([name], instructions);
  set(exempt, ALLOW);
  const found = ranges(leaves, ENOSYS);
  // Linux itself answers -1, which has the foreign bit set too, with ENOSYS.
  if (foreignBit !== undefined) found.push({ from: foreignBit, leaf: KILL_PROCESS }, { from: NO_CALL, leaf: ENOSYS });
  return [load(OFFSET_ARCH), ...oneOf([audit], KILL_PROCESS), load(OFFSET_NR), ...decide(found)];
}

/** Neighbours with the same answer become one range; `between` is the answer for numbers that aren't named. */
function ranges(leaves: ReadonlyMap<number, Range['leaf']>, between: number): Range[] {
  const found: Range[] = [];
  const add = (from: number, leaf: Range['leaf']) => {
    if (found.at(-1)?.leaf !== leaf) found.push({ from, leaf });
  };
  let next = 0;
  for (const [nr, leaf] of [...leaves].sort(([one], [other]) => one - other)) {
    if (nr > next) add(next, between);
    add(nr, leaf);
    next = nr + 1;
  }
  add(next, between);
  return found;
}
