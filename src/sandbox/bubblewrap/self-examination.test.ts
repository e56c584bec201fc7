import { readlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { judge, selfExamination } from './self-examination.ts';

const REFUSED = ['unshare', 'mount', 'ptrace', 'process_vm_readv', 'keyctl', 'bpf', 'perf_event_open', 'io_uring_setup', 'userfaultfd', 'setns'];
const GOOD = {
  namespaces: Object.fromEntries(['user', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'mnt'].map((kind) => [kind, `${kind}:[1]`])),
  status: {
    Uid: '65534\t65534\t65534\t65534',
    ...{ NoNewPrivs: '1', Seccomp: '2', CapInh: '0000000000000000', CapPrm: '0000000000000000' },
    ...{ CapEff: '0000000000000000', CapBnd: '0000000000000000', CapAmb: '0000000000000000' },
  },
  calls: Object.fromEntries(REFUSED.map((call) => [call, 1])),
  mounts: [
    { target: '/', options: ['ro', 'nosuid', 'nodev'] },
    { target: '/tmp', options: ['rw', 'nosuid', 'nodev'] },
    { target: '/dev/null', options: ['rw', 'nosuid'] },
    { target: '/proc', options: ['ro', 'nosuid', 'nodev', 'noexec'] },
    { target: '/proc/keys', options: ['rw', 'nosuid'] },
  ],
  devices: ['null', 'zero', 'full', 'random', 'urandom', 'tty'],
  descriptors: ['pipe:[1]', 'pipe:[2]', 'socket:[3]'],
};

const failures = (report: object) => judge(JSON.stringify({ ...GOOD, ...report })).filter(({ ok }) => !ok);

describe('what a sandbox says of itself', () => {
  it('passes when all of it is as promised', () => {
    expect(judge(JSON.stringify(GOOD)).map(({ name, ok }) => [name, ok])).toEqual([
      ['namespaces', true],
      ['privileges', true],
      ['seccomp', true],
      ['files', true],
    ]);
  });

  it.each([
    ['a namespace of the host', { namespaces: { ...GOOD.namespaces, net: readlinkSync('/proc/self/ns/net') } }, 'namespaces', /net namespace/],
    ['a capability', { status: { ...GOOD.status, CapBnd: '0000000000000400' } }, 'privileges', /CapBnd is 0{13}400/],
    ['new privileges', { status: { ...GOOD.status, NoNewPrivs: '0' } }, 'privileges', /no_new_privs/],
    ['root', { status: { ...GOOD.status, Uid: '0\t0\t0\t0' } }, 'privileges', /user ids are 0/],
    ['no filter', { status: { ...GOOD.status, Seccomp: '0' } }, 'seccomp', /CONFIG_SECCOMP_FILTER/],
    ['a call that is allowed', { calls: { ...GOOD.calls, bpf: 0 } }, 'seccomp', /bpf is answered with success/],
    ['a writable root', { mounts: [{ target: '/', options: ['rw', 'nosuid', 'nodev'] }] }, 'files', /\/ is writable/],
    ['setuid', { mounts: [{ target: '/usr', options: ['ro', 'nodev'] }] }, 'files', /setuid works below \/usr/],
    ['devices', { mounts: [{ target: '/usr', options: ['ro', 'nosuid'] }] }, 'files', /devices work below \/usr/],
    ['a device too many', { devices: [...GOOD.devices, 'kmsg'] }, 'files', /\/dev\/kmsg/],
    ["somebody else's descriptor", { descriptors: [...GOOD.descriptors, '/etc/shadow'] }, 'files', /\/etc\/shadow/],
  ])('fails with %s', (_, report, name, detail) => {
    expect(failures(report)).toEqual([{ name, ok: false, detail: expect.stringMatching(detail) }]);
  });

  it('fails when it is no report at all', () => {
    expect(judge('Segmentation fault')).toEqual([{ name: 'isolation', ok: false, detail: expect.stringContaining('Segmentation fault') }]);
  });

  it('is asked for in a script that names calls by the numbers of the architecture', () => {
    expect(selfExamination('x64')).toContain('"unshare":272');
    expect(selfExamination('arm64')).toContain('"unshare":97');
  });
});
