import type { Probe } from '../driver.ts';
import type { Cgroups } from './cgroups.ts';
import { CONTROLLERS, type Controller } from './locate.ts';

/** In an operator's words: what bounds sandboxes on this machine, and what does not. */

/** What a controller is good for, and what is left without it. */
const WORDS: Record<Controller, { bounds: string; without: string }> = {
  memory: {
    bounds: 'the memory of a sandbox as a whole',
    without: 'each process of a sandbox bounds its own memory (RLIMIT_DATA), but nothing bounds all of them together, nor the files in /dev/shm',
  },
  cpu: {
    bounds: "a sandbox's share of the CPUs",
    without: 'a sandbox with many busy processes takes CPU time from the others, and functions can not have `cpu`',
  },
  pids: {
    bounds: 'the number of processes of a sandbox',
    without: 'only RLIMIT_NPROC bounds them, which counts all of one user',
  },
};

/** @param found null: the operator has switched cgroups off */
export function limitProbes(found: Cgroups['found'] | null): Probe[] {
  return CONTROLLERS.map((controller) => {
    const place = found?.places[controller];
    const { bounds, without } = WORDS[controller];
    const name = `limits ${controller}`;
    if (place) return { name, ok: true, detail: `cgroup v${place.version} bounds ${bounds}, in ${place.folder}` };
    const reason = found?.reasons[controller] ?? 'switched off by sandbox.limits';
    return { name, ok: false, detail: `no cgroup: ${without}. Reason: ${reason}` };
  });
}
