import { describe, expect, it } from 'vitest';
import { CONTROLLERS, locate } from './locate.ts';
import { parseCgroupMounts, parseOwnGroups } from './proc-files.ts';

/** As machines of these kinds have them, shortened. */
const SYSTEMS = {
  v1: {
    groups:
      '12:pids:/user.slice/user-0.slice\n5:cpu,cpuacct:/user.slice\n4:memory:/user.slice/user-0.slice/session-1.scope\n1:name=systemd:/user.slice\n',
    mounts: `25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
33 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
36 31 0:32 / /sys/fs/cgroup/memory rw,nosuid shared:10 - cgroup cgroup rw,memory
39 31 0:35 / /sys/fs/cgroup/pids rw,nosuid shared:11 master:3 - cgroup cgroup rw,pids
40 31 0:36 / /sys/fs/cgroup/systemd rw,nosuid shared:12 - cgroup cgroup rw,xattr,name=systemd`,
  },
  v2: {
    groups: '0::/system.slice/hearth.service\n',
    mounts: '35 24 0:30 / /sys/fs/cgroup rw,nosuid,nodev shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot',
  },
  hybrid: {
    groups: '4:memory:/system.slice/hearth.service\n1:name=systemd:/system.slice/hearth.service\n0::/system.slice/hearth.service\n',
    mounts: `36 31 0:32 / /sys/fs/cgroup/memory rw shared:10 - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw shared:13 - cgroup2 cgroup2 rw,nsdelegate`,
  },
  'container of its own cgroup namespace': {
    groups: '0::/\n',
    mounts: '1580 1570 0:30 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup rw,nsdelegate',
  },
  "container that sees the host's names": {
    groups: '4:memory:/docker/3f0c\n3:pids:/docker/3f0c\n2:cpu,cpuacct:/docker/3f0c\n',
    mounts: `733 732 0:32 /docker/3f0c /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory
734 732 0:33 /docker/3f0c /sys/fs/cgroup/pids ro,nosuid - cgroup cgroup rw,pids
735 732 0:34 /docker/3f0c /sys/fs/cgroup/cpu,cpuacct ro,nosuid - cgroup cgroup rw,cpu,cpuacct`,
  },
  "user's own service": {
    groups: '0::/user.slice/user-1000.slice/user@1000.service/app.slice/hearth.service\n',
    mounts: '35 24 0:30 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw',
  },
  'namespace that we were moved out of': { groups: '0::/../other\n', mounts: '35 24 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw' },
  'machine without cgroups': { groups: '', mounts: '25 1 8:1 / / rw - ext4 /dev/sda1 rw' },
  'machine that mounts none': { groups: '0::/\n', mounts: '25 1 8:1 / / rw - ext4 /dev/sda1 rw' },
} as const;

function places(system: { groups: string; mounts: string }, parent = '') {
  const groups = parseOwnGroups(system.groups);
  const mounts = parseCgroupMounts(system.mounts);
  return Object.fromEntries(
    CONTROLLERS.map((controller) => {
      const found = locate(controller, groups, mounts, parent);
      return [controller, 'reason' in found ? found.reason : `${found.version} ${found.folder}`];
    }),
  );
}

const all = (place: unknown) => ({ memory: place, cpu: place, pids: place });

describe('where a cgroup would be made', () => {
  it.for([
    [
      'v1',
      {
        memory: '1 /sys/fs/cgroup/memory/user.slice/user-0.slice/session-1.scope',
        cpu: '1 /sys/fs/cgroup/cpu,cpuacct/user.slice',
        pids: '1 /sys/fs/cgroup/pids/user.slice/user-0.slice',
      },
    ],
    ['v2', all('2 /sys/fs/cgroup/system.slice/hearth.service')],
    [
      'hybrid',
      {
        memory: '1 /sys/fs/cgroup/memory/system.slice/hearth.service',
        cpu: '2 /sys/fs/cgroup/unified/system.slice/hearth.service',
        pids: '2 /sys/fs/cgroup/unified/system.slice/hearth.service',
      },
    ],
    ['container of its own cgroup namespace', all('2 /sys/fs/cgroup')],
    [
      "container that sees the host's names",
      { memory: '1 /sys/fs/cgroup/memory', cpu: '1 /sys/fs/cgroup/cpu,cpuacct', pids: '1 /sys/fs/cgroup/pids' },
    ],
    ["user's own service", all('2 /sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/hearth.service')],
    ['namespace that we were moved out of', all(expect.stringContaining('/../other is not visible'))],
    ['machine without cgroups', all('this kernel has no cgroups')],
    ['machine that mounts none', all('no cgroup2 is mounted')],
  ] as const)('is found on a %s', ([system, expected]) => {
    expect(places(SYSTEMS[system])).toEqual(expected);
  });

  it("is the operator's group where one is named, in each hierarchy", () => {
    expect(places(SYSTEMS.v1, '/hearth')).toEqual({
      memory: '1 /sys/fs/cgroup/memory/hearth',
      cpu: '1 /sys/fs/cgroup/cpu,cpuacct/hearth',
      pids: '1 /sys/fs/cgroup/pids/hearth',
    });
    expect(places(SYSTEMS['namespace that we were moved out of'], '/hearth').memory).toBe('2 /sys/fs/cgroup/hearth');
  });

  it('is above the leaf that a platform moves itself to, for whoever was started in there', () => {
    const system = { ...SYSTEMS.v2, groups: '0::/system.slice/hearth.service/hearth-0a1b2c3d4e.platform\n' };
    expect(places(system)).toEqual(places(SYSTEMS.v2));
  });

  it('may have blanks in its path', () => {
    const [mount] = parseCgroupMounts('1 2 0:3 / /run/my\\040groups rw - cgroup2 none rw');
    expect(mount).toEqual({ version: 2, controllers: [], root: '/', mountPoint: '/run/my groups' });
  });
});
