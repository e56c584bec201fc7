import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { processTree } from '../process-tree.ts';

export interface TreeMarks {
  /** Leader of the process group and session. */
  leader: number;
  /** An entry of the environment that all of the tree inherited, such as `TMPDIR=/tmp/hearth-…`. */
  environmentEntry: string;
}

/**
 * Kills a process, its group, its descendants, and what has left both but still carries the session or the environment of the start.
 * Resolves when none is found any more. A process that has changed all of that on purpose gets away: there is no namespace to hold it.
 */
export async function killTree(marks: TreeMarks): Promise<void> {
  for (;;) {
    const found = process.platform === 'linux' ? await members(marks) : [];
    signal(-marks.leader);
    if (found.length === 0) return;
    for (const pid of found) signal(pid);
    await sleep(2);
  }
}

async function members({ leader, environmentEntry }: TreeMarks): Promise<number[]> {
  const descendants = new Set(await processTree(leader));
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 1 && pid !== process.pid);
  const belongs = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      const [state, , , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      // A zombie runs nothing and waits for its parent alone.
      if (state === undefined || state === '' || state === 'Z' || state === 'X') return false;
      if (descendants.has(pid) || session === String(leader)) return true;
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      return environment.split('\0').includes(environmentEntry);
    }),
  );
  return pids.filter((_, index) => belongs[index]);
}

function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
