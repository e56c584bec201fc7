import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, members, moveTo, oomKills, setCpu, setMemory, setPids, write } from './group-files.ts';
import type { Controller, Place } from './locate.ts';

/** Parents of groups, by the controllers that bound there. */
export type Places = Partial<Record<Controller, Place>>;

export interface GroupLimits {
  /** Bytes of memory and swap; null: no bound. */
  memoryBytes: number | null;
  /** Cores' worth of CPU time per second; null: no bound but a fair share. */
  cpu: number | null;
  /** Processes and threads; null: no bound. */
  processes: number | null;
}

const LONGEST_PAUSE_MS = 100;
/** Some 3 s in all. */
const ATTEMPTS = 40;

/**
 * The cgroups of one sandbox, one in each hierarchy of `places`, seen as one: made → joined → ended. Everything here blocks for microseconds, but a move of
 * processes waits for all of the machine's CPUs to pass through the scheduler (an RCU grace period, 10 to 20 ms) unless another one has just done so: hence
 * not to be used on the main thread.
 */
export class Group {
  readonly #places: Places;
  /** The group's own, each once. */
  readonly #folders: readonly string[];

  private constructor(places: Places) {
    this.#places = places;
    this.#folders = foldersOf(places);
  }

  /** @throws the error of the file system; nothing of it is left then */
  static make(parents: Places, name: string, limits: GroupLimits): Group {
    const entries = Object.entries(parents).map(([controller, { version, folder }]) => [controller, { version, folder: join(folder, name) }]);
    const group = new Group(Object.fromEntries(entries));
    try {
      for (const folder of group.#folders) mkdirSync(folder);
      // A new group is bounded by nothing.
      group.limit({ ...limits, cpu: limits.cpu ?? undefined });
    } catch (error) {
      for (const folder of group.#folders) removeFolder(folder);
      throw error;
    }
    return group;
  }

  /** Sets what is named and has a controller here. @throws the error of the file system */
  limit({ memoryBytes, cpu, processes }: { [member in keyof GroupLimits]?: GroupLimits[member] | undefined }): void {
    const places = this.#places;
    if (places.memory && typeof memoryBytes === 'number') setMemory(places.memory, memoryBytes);
    if (places.cpu && cpu !== undefined) setCpu(places.cpu, cpu);
    if (places.pids && typeof processes === 'number') setPids(places.pids, processes);
  }

  /**
   * Moves a process and all its descendants. A process that forks meanwhile has its child found, since parents are moved before their children are asked for.
   * False when there is no such process.
   * @throws the error of the file system
   */
  join(pid: number): boolean {
    const [first, ...rest] = this.#folders;
    if (first === undefined) return true;
    if (!moveTo(first, pid)) return false;
    for (const folder of rest) moveTo(folder, pid);
    const seen = new Set([pid]);
    const waiting = [pid];
    for (let parent = waiting.pop(); parent !== undefined; parent = waiting.pop()) {
      for (const child of childrenOf(parent)) {
        if (seen.has(child)) continue;
        seen.add(child);
        waiting.push(child);
        for (const folder of this.#folders) moveTo(folder, child);
      }
    }
    return true;
  }

  /** 0 where memory has no controller. */
  oomKills(): number {
    return this.#places.memory ? oomKills(this.#places.memory) : 0;
  }

  /** Kills what is left in it and removes it. False when the kernel keeps it all the same, within some three seconds. */
  async end(): Promise<boolean> {
    return endFolders(this.#folders);
  }
}

/** Also for groups that a platform before us has left behind. */
export async function endFolders(folders: readonly string[]): Promise<boolean> {
  let left = folders;
  for (let attempt = 0; ; attempt++) {
    left = left.filter((folder) => !removeFolder(folder));
    if (left.length === 0) return true;
    if (attempt === ATTEMPTS) return false;
    for (const folder of left) killMembers(folder);
    // What was killed takes a moment to die.
    await new Promise((resolve) => setTimeout(resolve, Math.min(LONGEST_PAUSE_MS, 2 ** attempt)));
  }
}

export function foldersOf(places: Places): string[] {
  return [...new Set(Object.values(places).map(({ folder }) => folder))];
}

/** False when somebody is in there still. */
export function removeFolder(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return codeOf(error) === 'ENOENT';
  }
}

/** Forbids forks where it can, so that a fork bomb can't outrun the killing. */
function killMembers(folder: string): void {
  try {
    if (existsSync(join(folder, 'cgroup.kill'))) {
      write(folder, 'cgroup.kill', 1);
      return;
    }
    if (existsSync(join(folder, 'pids.max'))) write(folder, 'pids.max', 0);
    for (const pid of members(folder)) process.kill(pid, 'SIGKILL');
  } catch {
    // Gone meanwhile, or not ours to kill: the next attempt tells.
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}
