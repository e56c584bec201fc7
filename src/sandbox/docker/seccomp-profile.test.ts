import { describe, expect, it } from 'vitest';
import { runFilter } from '../../../test/support/run-filter.ts';
import { seccompProgram } from '../bubblewrap/seccomp.ts';
import { ARCHITECTURES } from '../bubblewrap/syscalls.ts';
import { seccompProfile } from './seccomp-profile.ts';

const ALLOW = 0x7fff0000;
const errno = (code: number) => 0x00050000 + code;
const ENOSYS = 38;
const EPERM = 1;

/** What libseccomp makes of a profile: the rules of a call must not contradict each other; what none speaks of gets the default. */
function verdictOf(profile: NonNullable<ReturnType<typeof seccompProfile>>, call: string, args: readonly number[]): number {
  const matching = profile.syscalls.filter(
    ({ names, args: conditions = [] }) =>
      names.includes(call) && conditions.every(({ index, value, valueTwo }) => (BigInt(args[index] ?? 0) & BigInt(value)) === BigInt(valueTwo)),
  );
  const actions = new Set(matching.map(({ action, errnoRet = EPERM }) => (action === 'SCMP_ACT_ALLOW' ? ALLOW : errno(errnoRet))));
  expect(actions.size, `${call}(${args})`).toBeLessThanOrEqual(1);
  return [...actions][0] ?? errno(EPERM);
}

describe.each(['x64', 'arm64'])("the engine's filter of %s", (name) => {
  const program = seccompProgram(name) as Buffer;
  const profile = seccompProfile(name) as NonNullable<ReturnType<typeof seccompProfile>>;
  const { audit: arch, syscalls } = ARCHITECTURES[name] as NonNullable<(typeof ARCHITECTURES)[string]>;
  const agree = (call: string, ...args: number[]) =>
    expect(verdictOf(profile, call, args), `${call}(${args})`).toBe(runFilter(program, { nr: syscalls[call] as number, arch, args }));

  it("says the same as bubblewrap's of every call", () => {
    const byArgument = ['clone', 'ioctl', 'personality', 'mknod', 'mknodat', 'socket', 'socketpair'];
    for (const call of Object.keys(syscalls).filter((other) => !byArgument.includes(other))) agree(call);
    expect(Object.keys(syscalls).length).toBeGreaterThan(250);
  });

  it('says the same of the calls that depend on an argument, whatever stands in the upper half that the kernel drops', () => {
    const upper = 2 ** 32;
    const bits = Array.from({ length: 32 }, (_, bit) => 2 ** bit);
    for (const flag of [0, 17, ...bits]) agree('clone', flag);
    const near = [0x5412, 0x541c].flatMap((request) => [request, ...bits.map((bit) => Number(BigInt(request) ^ BigInt(bit)))]);
    for (const request of [...near, 0, 0x5401, 0xffffffff]) for (const high of [0, upper, 5 * upper]) agree('ioctl', 0, request + high);
    for (const persona of [0, 8, 0x20000, 0x20008, 0xffffffff, 0x40000, 0x100000, ...bits]) agree('personality', persona);
    for (const mode of [0, 0o010600, 0o020600, 0o060600, 0o100600, 0o140600]) {
      if ('mknod' in syscalls) agree('mknod', 0, mode);
      agree('mknodat', 0, 0, mode);
    }
    for (let family = 0; family < 50; family++) agree('socketpair', family);
  });

  it('opens the same sockets, and calls the other families unknown', () => {
    for (let family = 0; family < 50; family++) {
      for (const type of [0, 1, 2, 3, 4, 5, 6, 10, 0x80001, 0x80802]) {
        for (const protocol of [0, 1, 2, 6, 9, 15, 17, 33, 58, 132, 255, 262]) {
          const ours = runFilter(program, { nr: syscalls.socket as number, arch, args: [family, type, protocol] });
          const theirs = verdictOf(profile, 'socket', [family, type, protocol]);
          expect(theirs === ALLOW, `socket(${family}, ${type}, ${protocol})`).toBe(ours === ALLOW);
          if (![1, 2, 10, 16].includes(family)) expect(theirs).toBe(ours);
        }
      }
    }
  });

  it('names the architecture alone, upon which libseccomp kills callers by others', () => {
    expect(profile.architectures).toHaveLength(1);
    expect(profile.defaultAction).toBe('SCMP_ACT_ERRNO');
    expect(verdictOf(profile, 'clone3', [])).toBe(errno(ENOSYS));
  });
});

it('there is none for an architecture without tables', () => {
  expect(seccompProfile('mips')).toBeUndefined();
});
