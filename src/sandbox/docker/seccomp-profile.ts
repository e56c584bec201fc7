import { ABSENT, ALLOWED, NEEDLESS } from '../bubblewrap/allowed-calls.ts';
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
} from '../bubblewrap/argument-limits.ts';

/** Of Docker's seccomp profiles (moby/profiles/seccomp): a condition on one argument. All of a rule must hold. */
interface Condition {
  index: number;
  op: 'SCMP_CMP_MASKED_EQ';
  /** The mask. */
  value: number;
  /** What the masked argument must be. */
  valueTwo: number;
}

interface Rule {
  names: string[];
  action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
  errnoRet?: number;
  args?: Condition[];
}

interface SeccompProfile {
  defaultAction: 'SCMP_ACT_ERRNO';
  architectures: string[];
  syscalls: Rule[];
}

const ENOSYS = 38;
const EAFNOSUPPORT = 97;
/** Arguments are compared as the kernel takes them: it drops the upper halves, in which anything may stand. */
const LOW_HALF = 0xffffffff;
/** libseccomp kills callers by any ABI that isn't named, x32 included. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'SCMP_ARCH_X86_64', arm64: 'SCMP_ARCH_AARCH64' };

/**
 * The filter of sandboxes (see ../bubblewrap/seccomp.ts) as Docker's JSON, from the same lists. Two things differ, because libseccomp loads it: calls that libseccomp
 * doesn't know by name count as younger than the tables (ENOSYS), and sockets of a wrong protocol get EPERM.
 * @returns undefined for an architecture without a filter
 */
export function seccompProfile(arch: string): SeccompProfile | undefined {
  const architecture = ARCHITECTURES[arch];
  if (architecture === undefined) return undefined;
  const allow = (names: string[], args?: Condition[]): Rule => ({ names, action: 'SCMP_ACT_ALLOW', ...(args ? { args } : {}) });
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    architectures: [architecture],
    syscalls: [
      allow(ALLOWED),
      { names: ABSENT, action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
      { names: NEEDLESS, action: 'SCMP_ACT_ERRNO', errnoRet: 0 },
      allow(['clone'], [masked(0, CLONE_NAMESPACES, 0)]),
      allow(['mknod'], [masked(1, DEVICE, 0)]),
      allow(['mknodat'], [masked(2, DEVICE, 0)]),
      ...noneOf(1, FORBIDDEN_IOCTLS).map((condition) => allow(['ioctl'], [condition])),
      ...PERSONALITIES.map((value) => allow(['personality'], [is(0, value)])),
      allow(['socketpair'], [is(0, LOCAL_FAMILY)]),
      allow(['socket'], [is(0, LOCAL_FAMILY)]),
      allow(['socket'], [is(0, NETLINK_FAMILY), is(2, NETLINK_ROUTE)]),
      ...INTERNET_FAMILIES.flatMap((family) =>
        SOCKET_TYPES.flatMap((type) =>
          INTERNET_PROTOCOLS.map((protocol) => allow(['socket'], [is(0, family), masked(1, SOCKET_TYPE, type), is(2, protocol)])),
        ),
      ),
      ...unknownFamilies('socket', [LOCAL_FAMILY, NETLINK_FAMILY, ...INTERNET_FAMILIES]),
      ...unknownFamilies('socketpair', [LOCAL_FAMILY]),
    ],
  };
}

function unknownFamilies(call: string, known: readonly number[]): Rule[] {
  return noneOf(0, known).map((condition) => ({ names: [call], action: 'SCMP_ACT_ERRNO', errnoRet: EAFNOSUPPORT, args: [condition] }));
}

function masked(index: number, mask: number, wanted: number): Condition {
  return { index, op: 'SCMP_CMP_MASKED_EQ', value: mask, valueTwo: wanted };
}

function is(index: number, value: number): Condition {
  return masked(index, LOW_HALF, value);
}

/**
 * Conditions of which one holds exactly when the argument's low half is none of these. A rule can't say that of two values, nor "not equal" of one half: so it is said by
 * prefixes, as a network without some addresses is written as smaller networks.
 */
function noneOf(index: number, values: readonly number[]): Condition[] {
  const found: Condition[] = [];
  const split = (inside: readonly number[], bit: number, prefix: number, mask: number): void => {
    if (inside.length === 0) found.push(masked(index, mask, prefix));
    else if (bit >= 0) {
      for (const half of [0, 2 ** bit]) {
        const below = inside.filter((value) => Math.floor(value / 2 ** bit) % 2 === (half === 0 ? 0 : 1));
        split(below, bit - 1, prefix + half, mask + 2 ** bit);
      }
    }
  };
  split(values, 31, 0, 0);
  return found;
}
