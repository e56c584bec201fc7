import { readFile } from 'node:fs/promises';
import { parseCgroupMounts, parseOwnGroups } from '../cgroup/proc-files.ts';

/** What this machine's /proc shows of a container, where the engine runs on the same machine and in the same pid namespace as we do. */
export interface HostView {
  /** The container's first process, as we number it. */
  pid: number;
  /** File that counts the processes killed for want of memory; undefined where it can't be seen. */
  oomFile: string | undefined;
}

/** Undefined when we don't see the container's processes: the engine's number for it then means nothing, or somebody else, to us. */
export async function hostView(pid: number, containerId: string): Promise<HostView | undefined> {
  const text = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
  const groups = parseOwnGroups(text).filter(({ path }) => path.includes(containerId));
  if (groups.length === 0) return undefined;
  const mounts = parseCgroupMounts(await readFile('/proc/self/mountinfo', 'utf8'));
  const memory = groups.find(({ controllers, hierarchy }) => controllers.includes('memory') || hierarchy === 0);
  const mount = mounts.find(({ version, controllers }) => (memory?.hierarchy === 0 ? version === 2 : controllers.includes('memory')));
  if (memory === undefined || mount === undefined) return { pid, oomFile: undefined };
  const folder = mount.mountPoint + (mount.root === '/' ? memory.path : memory.path.replace(mount.root, ''));
  return { pid, oomFile: `${folder}/${mount.version === 2 ? 'memory.events' : 'memory.oom_control'}` };
}

/** Processes that the kernel has killed in it; undefined when it can't be read (any more). */
export async function readOomKills(file: string): Promise<number | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const count = /^oom_kill (\d+)$/m.exec(text)?.[1];
  return count === undefined ? undefined : Number(count);
}
