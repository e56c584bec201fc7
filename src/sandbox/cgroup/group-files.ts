import { constants, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Place } from './locate.ts';

/**
 * The files of a cgroup by which it is bounded and read: Documentation/admin-guide/cgroup-v1/*.rst and cgroup-v2.rst of the kernel. `place.folder` is the
 * group's own folder in the hierarchy that has the controller concerned.
 */

const PERIOD_US = 100_000;
/** The kernel takes no quota below this. */
const LEAST_QUOTA_US = 1000;

/**
 * Memory and swap together. Lowering it below what can't be reclaimed is refused by version 1 and means death in version 2.
 * @throws the error of the file system, EBUSY among others
 */
export function setMemory({ version, folder }: Place, bytes: number): void {
  if (version === 2) {
    write(folder, 'memory.max', bytes);
    // Absent without swap accounting; then there is nothing to forbid.
    writeIfThere(folder, 'memory.swap.max', 0);
    return;
  }
  const limit = () => write(folder, 'memory.limit_in_bytes', bytes);
  // At no time may the limit of memory alone be above that of memory and swap.
  const both = () => writeIfThere(folder, 'memory.memsw.limit_in_bytes', bytes);
  if (bytes > readNumber(folder, 'memory.limit_in_bytes')) {
    if (!both()) writeIfThere(folder, 'memory.swappiness', 0);
    limit();
  } else {
    limit();
    if (!both()) writeIfThere(folder, 'memory.swappiness', 0);
  }
}

/** @param cores of CPU time per second; null: no bound but the fair share that every group has */
export function setCpu({ version, folder }: Place, cores: number | null): void {
  const quota = cores === null ? null : Math.max(LEAST_QUOTA_US, Math.round(cores * PERIOD_US));
  if (version === 2) write(folder, 'cpu.max', `${quota ?? 'max'} ${PERIOD_US}`);
  else {
    write(folder, 'cpu.cfs_period_us', PERIOD_US);
    write(folder, 'cpu.cfs_quota_us', quota ?? -1);
  }
}

/** Processes and threads. The same in both versions. */
export function setPids({ folder }: Place, count: number): void {
  write(folder, 'pids.max', count);
}

/** Processes that were killed for want of memory since the group was made. */
export function oomKills({ version, folder }: Place): number {
  const text = readFileSync(join(folder, version === 2 ? 'memory.events' : 'memory.oom_control'), 'utf8');
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}

/** Process ids in the group. */
export function members(folder: string): number[] {
  return readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
}

/** False when there is no such process (any more). @throws what else the kernel has against it */
export function moveTo(folder: string, pid: number): boolean {
  try {
    write(folder, 'cgroup.procs', pid);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false;
    throw error;
  }
}

export function write(folder: string, file: string, value: string | number): void {
  // Neither made nor truncated: a file that isn't there must not be missed.
  writeFileSync(join(folder, file), String(value), { flag: constants.O_WRONLY as unknown as string });
}

export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

function writeIfThere(folder: string, file: string, value: number): boolean {
  try {
    write(folder, file, value);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function readNumber(folder: string, file: string): number {
  return Number(readFileSync(join(folder, file), 'utf8'));
}
