import { describe, expect, test } from 'vitest';
import { createHostReader, findGroups, parseMeminfo, parsePressure } from './host-memory.ts';

const KB = 1024;
const MEMINFO = 'MemTotal:       24684084 kB\nMemFree:        23287004 kB\nMemAvailable:   23869116 kB\nBuffers:           14524 kB\n';
const PRESSURE = 'some avg10=12.50 avg60=0.00 avg300=0.00 total=0\nfull avg10=3.00 avg60=0.00 avg300=0.00 total=0\n';
const V2_MOUNT = '41 31 0:38 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n';

function reader(files: Record<string, string>) {
  return createHostReader(async (path) => {
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
    return text;
  });
}

describe('what files say', () => {
  test('total and available memory are read in kibibytes', () => {
    expect(parseMeminfo(MEMINFO)).toEqual({ totalBytes: 24684084 * KB, availableBytes: 23869116 * KB });
    expect(() => parseMeminfo('MemTotal: 5 kB\n')).toThrow(/MemAvailable/);
  });

  test('pressure is that of some tasks over ten seconds', () => {
    expect(parsePressure(PRESSURE)).toBe(12.5);
    expect(parsePressure('')).toBeNull();
  });

  test('groups of version 2 are the own one and all above it', () => {
    expect(findGroups('0::/system.slice/hearth.service\n', V2_MOUNT)).toEqual([
      { folder: '/sys/fs/cgroup/system.slice/hearth.service', version: 2 },
      { folder: '/sys/fs/cgroup/system.slice', version: 2 },
      { folder: '/sys/fs/cgroup', version: 2 },
    ]);
  });

  test('of version 1 the memory controller counts, and its own path', () => {
    const mounts =
      '34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n35 31 0:32 / /sys/fs/cgroup/memory rw shared:3 - cgroup cgroup rw,memory\n';
    expect(findGroups('9:name=systemd:/\n4:memory:/a\n3:cpuset:/b\n', mounts)).toEqual([
      { folder: '/sys/fs/cgroup/memory/a', version: 1 },
      { folder: '/sys/fs/cgroup/memory', version: 1 },
    ]);
  });

  test("in a container whose group is mounted alone, the mount point is the container's", () => {
    const mounts = '35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n';
    expect(findGroups('4:memory:/docker/abc\n', mounts)).toEqual([{ folder: '/sys/fs/cgroup/memory', version: 1 }]);
    expect(findGroups('4:memory:/docker/abc/inner\n', mounts).map(({ folder }) => folder)).toEqual([
      '/sys/fs/cgroup/memory/inner',
      '/sys/fs/cgroup/memory',
    ]);
  });

  test('a process outside what is mounted is limited by what is mounted, and spaces in a path are kept', () => {
    expect(findGroups('0::/../other\n', '41 31 0:38 / /my\\040groups rw - cgroup2 cgroup2 rw\n')).toEqual([{ folder: '/my groups', version: 2 }]);
  });
});

describe('the reader', () => {
  test('without limits there is no group, and the pressure is that of the machine', async () => {
    const read = reader({
      '/proc/meminfo': MEMINFO,
      '/proc/pressure/memory': PRESSURE,
      '/proc/self/cgroup': '4:memory:/a\n',
      '/proc/self/mountinfo': '35 31 0:32 / /m rw - cgroup cgroup rw,memory\n',
      '/m/memory.limit_in_bytes': '9223372036854771712\n',
      '/m/a/memory.limit_in_bytes': '9223372036854771712\n',
    });
    expect(await read()).toEqual({ totalBytes: 24684084 * KB, availableBytes: 23869116 * KB, group: null, stallPercent: 12.5 });
  });

  test('the group with the least left counts, less the page cache that can be dropped', async () => {
    const read = reader({
      '/proc/meminfo': MEMINFO,
      '/proc/pressure/memory': PRESSURE,
      '/proc/self/cgroup': '0::/outer/inner\n',
      '/proc/self/mountinfo': V2_MOUNT,
      '/sys/fs/cgroup/outer/inner/memory.max': 'max\n',
      '/sys/fs/cgroup/outer/memory.max': '1000000\n',
      '/sys/fs/cgroup/outer/memory.current': '900000\n',
      '/sys/fs/cgroup/outer/memory.stat': 'anon 1\nactive_file 50000\ninactive_file 200000\n',
      '/sys/fs/cgroup/outer/memory.pressure': 'some avg10=1.00 avg60=0.00 avg300=0.00 total=0\n',
      '/sys/fs/cgroup/memory.max': '5000000\n',
      '/sys/fs/cgroup/memory.current': '900000\n',
    });
    expect(await read()).toMatchObject({ group: { limitBytes: 1_000_000, usedBytes: 700_000 }, stallPercent: 1 });
  });

  test('version 1 counts the cache of groups below as well', async () => {
    const read = reader({
      '/proc/meminfo': MEMINFO,
      '/proc/self/cgroup': '4:memory:/\n',
      '/proc/self/mountinfo': '35 31 0:32 / /m rw - cgroup cgroup rw,memory\n',
      '/m/memory.limit_in_bytes': '1000\n',
      '/m/memory.usage_in_bytes': '800\n',
      '/m/memory.stat': 'inactive_file 10\ntotal_inactive_file 300\n',
    });
    expect(await read()).toMatchObject({ group: { limitBytes: 1000, usedBytes: 500 }, stallPercent: null });
  });

  test('where there are no control groups and no pressure, meminfo is enough; without it the read fails', async () => {
    expect(await reader({ '/proc/meminfo': MEMINFO })()).toMatchObject({ group: null, stallPercent: null });
    await expect(reader({})()).rejects.toThrow('/proc/meminfo');
  });
});
