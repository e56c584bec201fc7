// What a script leaves behind when its process has ended.

import { readdirSync, readFileSync } from 'node:fs';

/**
 * Kills what the process has started: its group, and what has left that but carries its environment. Orphans belong to the sandbox's first process then.
 * @param leader pid and group of a process that has ended @param mark a text that only its environment has, such as the correlation id
 */
export function killStrays(leader, mark) {
  kill(-leader);
  for (const name of names()) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid || pid <= 1) continue;
    try {
      if (readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark)) kill(pid);
    } catch {
      // It has just ended, or is somebody else's.
    }
  }
}

function names() {
  try {
    return readdirSync('/proc');
  } catch {
    return [];
  }
}

export function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
