/** What the machine, or the limited control group that the platform runs in, has left. */
export interface HostMemory {
  /** MemTotal. */
  totalBytes: number;
  /** MemAvailable: what the kernel could hand out without swapping. */
  availableBytes: number;
  /** The limited control group with the least left, ancestors included; null when none limits us. */
  group: { limitBytes: number; usedBytes: number } | null;
  /**
   * Share of the last ten seconds in which some task waited for memory, in percent: the group's own where it has one, else the machine's.
   * Null where the kernel doesn't tell.
   */
  stallPercent: number | null;
}

export type HostReader = () => Promise<HostMemory>;

/** Reads a whole file; rejects when it can't. */
export type ReadText = (path: string) => Promise<string>;

interface GroupFiles {
  folder: string;
  version: 1 | 2;
}

/**
 * A reader of /proc and of the control groups that this process is in, which are found at the first read; groups come and go with services, not under them.
 * The reader rejects when /proc/meminfo can't be understood, the one thing without which it knows nothing.
 */
export function createHostReader(readText: ReadText): HostReader {
  let groups: GroupFiles[] | null = null;
  return async () => {
    groups ??= findGroups(await readText('/proc/self/cgroup').catch(() => ''), await readText('/proc/self/mountinfo').catch(() => ''));
    const [meminfo, stall, ...usages] = await Promise.all([
      readText('/proc/meminfo'),
      readText('/proc/pressure/memory').catch(() => ''),
      ...groups.map((group) => readGroup(readText, group)),
    ]);
    const { totalBytes, availableBytes } = parseMeminfo(meminfo);
    let tightest: GroupUsage | null = null;
    for (const usage of usages) if (usage && (!tightest || left(usage) < left(tightest))) tightest = usage;
    return {
      totalBytes,
      availableBytes,
      group: tightest && { limitBytes: tightest.limitBytes, usedBytes: tightest.usedBytes },
      stallPercent: tightest?.stallPercent ?? parsePressure(stall),
    };
  };
}

/** proc(5). @throws Error when MemTotal or MemAvailable is missing */
export function parseMeminfo(text: string): { totalBytes: number; availableBytes: number } {
  const total = /^MemTotal:\s+(\d+) kB$/m.exec(text)?.[1];
  const available = /^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1];
  if (total === undefined || available === undefined) throw new Error('/proc/meminfo has no MemTotal or no MemAvailable');
  return { totalBytes: Number(total) * 1024, availableBytes: Number(available) * 1024 };
}

/** avg10 of the line `some` (Documentation/accounting/psi.rst). */
export function parsePressure(text: string): number | null {
  const average = /^some avg10=(\d+(?:\.\d+)?)/m.exec(text)?.[1];
  return average === undefined ? null : Number(average);
}

/**
 * Folders of the process's memory control groups, innermost first up to what is mounted. Version 1 and 2 may both be mounted; memory is limited by one of them.
 * @param cgroup /proc/self/cgroup
 * @param mountinfo /proc/self/mountinfo
 */
export function findGroups(cgroup: string, mountinfo: string): GroupFiles[] {
  const found: GroupFiles[] = [];
  for (const line of mountinfo.split('\n')) {
    // proc(5): id, parent, device, root, mount point, options, optional fields, "-", type, source, super options.
    const [before, after] = line.split(' - ');
    const [, , , root, mountPoint] = before?.split(' ') ?? [];
    const [type, , options] = after?.split(' ') ?? [];
    if (!root || !mountPoint) continue;
    const isV2 = type === 'cgroup2';
    if (!isV2 && !(type === 'cgroup' && options?.split(',').includes('memory'))) continue;
    const own = cgroup
      .split('\n')
      .map((entry) => /^(\d+):([^:]*):(.*)$/.exec(entry))
      .find((entry) => (isV2 ? entry?.[1] === '0' && entry[2] === '' : entry?.[2]?.split(',').includes('memory')))?.[3];
    if (own === undefined) continue;
    // In a container the path is the host's, and what is mounted is the container's own group; then the mount point is ours.
    const inside = root === '/' ? own : own === root || own.startsWith(`${root}/`) ? own.slice(root.length) : '';
    const parts = inside.split('/').filter(Boolean);
    if (parts.includes('..')) parts.length = 0;
    for (let depth = parts.length; depth >= 0; depth--) {
      found.push({ folder: [unescapeMount(mountPoint), ...parts.slice(0, depth)].join('/'), version: isV2 ? 2 : 1 });
    }
  }
  return found;
}

interface GroupUsage {
  limitBytes: number;
  usedBytes: number;
  stallPercent: number | null;
}

/** Without what the kernel can drop at once (inactive page cache), which is counted as used but kills nobody. Null for a group without limit. */
async function readGroup(readText: ReadText, { folder, version }: GroupFiles): Promise<GroupUsage | null> {
  const [limitFile, usageFile, inactive] =
    version === 2 ? ['memory.max', 'memory.current', 'inactive_file'] : ['memory.limit_in_bytes', 'memory.usage_in_bytes', 'total_inactive_file'];
  const limit = Number(await readText(`${folder}/${limitFile}`).catch(() => 'max'));
  // Version 2 says "max"; version 1 says a number beyond any memory.
  if (!(limit < 2 ** 60)) return null;
  const [usage, stat, pressure] = await Promise.all([
    readText(`${folder}/${usageFile}`).catch(() => ''),
    readText(`${folder}/memory.stat`).catch(() => ''),
    readText(`${folder}/memory.pressure`).catch(() => ''),
  ]);
  if (usage.trim() === '') return null;
  const droppable = new RegExp(`^${inactive} (\\d+)$`, 'm').exec(stat)?.[1] ?? '0';
  return { limitBytes: limit, usedBytes: Math.max(0, Number(usage) - Number(droppable)), stallPercent: parsePressure(pressure) };
}

function left({ limitBytes, usedBytes }: GroupUsage): number {
  return limitBytes - usedBytes;
}

function unescapeMount(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
