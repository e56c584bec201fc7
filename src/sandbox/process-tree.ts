import { readdir, readFile } from 'node:fs/promises';
import type { SandboxStats } from './driver.ts';

/** The process and everything below it, parents before children. Empty when it is gone. */
export async function processTree(root: number): Promise<number[]> {
  const found: number[] = [];
  const waiting = [root];
  const seen = new Set<number>();
  for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
    if (seen.has(pid)) continue;
    seen.add(pid);
    const children = await childrenOf(pid);
    if (children === undefined) continue;
    found.push(pid);
    waiting.push(...children);
  }
  return found;
}

/** Children of all threads of a process; undefined when it is gone. */
async function childrenOf(pid: number): Promise<number[] | undefined> {
  let threads: string[];
  try {
    threads = await readdir(`/proc/${pid}/task`);
  } catch {
    return undefined;
  }
  const lists = await Promise.all(threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => '')));
  return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number));
}

/**
 * Sums the proportional set sizes of a tree. A process that ends while we read, or that the kernel doesn't let us look into
 * (a sandbox's own init under an ordinary user), counts as nothing.
 */
export async function treeStats(root: number): Promise<SandboxStats> {
  const pids = await processTree(root);
  const sizes = await Promise.all(pids.map(proportionalSetSize));
  return { pssBytes: sizes.reduce((sum, size) => sum + size, 0), processes: pids.length };
}

async function proportionalSetSize(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
  const kibibytes = /^Pss:\s+(\d+) kB$/m.exec(text)?.[1];
  return kibibytes === undefined ? 0 : Number(kibibytes) * 1024;
}

/**
 * Clock ticks since boot at which a process started: with its pid it names the process for good. Undefined when there is none, or only
 * a zombie, which waits for its parent and runs nothing; the zombie of a pid namespace's init means that the namespace is empty.
 */
export async function startTime(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The command's name is in parentheses and may hold any character; fields count from behind the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}
