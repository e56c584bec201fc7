import { readFile } from 'node:fs/promises';
import { processTree } from '../../src/sandbox/process-tree.ts';

/** Bytes. */
export interface Memory {
  /** Proportional set sizes: what is shared counts in parts, so that the sum is what all together hold. */
  pss: number;
  privateDirty: number;
  processes: number;
}

/**
 * Of trees of processes together, without the roots named last. A process that ended meanwhile counts as nothing. A sandbox's init may live in its agent's memory
 * (a clone with CLONE_VM), which the kernel then tells of each: a process of which it tells the same, to the last number, as of its parent holds nothing of its own.
 */
export async function memoryOf(roots: readonly number[], without: readonly number[] = []): Promise<Memory> {
  const sum: Memory = { pss: 0, privateDirty: 0, processes: 0 };
  for (const root of roots) {
    const texts = new Map<number, string>();
    for (const pid of await processTree(root)) {
      if (without.includes(pid)) continue;
      const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
      texts.set(pid, text);
      if (text === texts.get(await parentOf(pid))) {
        sum.processes++;
        continue;
      }
      sum.pss += field(text, 'Pss');
      sum.privateDirty += field(text, 'Private_Dirty');
      sum.processes++;
    }
  }
  return sum;
}

async function parentOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

/** What new processes could have without swapping, as the kernel reckons it; bytes. Page tables, namespaces and sockets show here and in no process. */
export async function availableMemory(): Promise<number> {
  return field(await readFile('/proc/meminfo', 'utf8'), 'MemAvailable');
}

function field(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1024;
}
