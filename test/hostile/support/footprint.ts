import { type Dirent, existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Containers } from './containers.ts';

/** What a platform holds of its machine. */
export interface Holdings {
  /** Processes of which it, or the engine's shim of a container of its, is the ancestor, as `pid@start`. */
  processes: string[];
  /** What its descriptors refer to, without TCP connections, which are its clients' affair. */
  descriptors: string[];
  mounts: string[];
  /** Paths in its folder of temporary files and its data folder; left out are those of the database and of what functions have printed, which is kept. */
  files: string[];
  cgroups: string[];
  /** Ids of its containers, and what the engine still has mounted of those that are gone. */
  containers: string[];
}

/**
 * What a platform that keeps nothing of a flood stays below, and one that keeps it doesn't: floods carry 400 MB and more. V8 collects buffers outside its heap
 * only once some 64 MiB of them have gathered, so that 120 MB for a moment are nothing amiss.
 */
export const KEPT_NOTHING_BYTES = 256 * 1024 * 1024;

/** In the data folder. */
const LOGS = 'logs';
const KNOWS_CHILDREN = existsSync(`/proc/${process.pid}/task/${process.pid}/children`);

/** Watches what a platform holds: whatever it has been seen to start must be gone at the end, wherever it has moved in the tree of processes. */
export class Footprint {
  readonly #pid: number;
  readonly #dataFolder: string;
  readonly #cgroupMark: string;
  readonly #containers: Containers | undefined;
  readonly #seen = new Set<string>();

  /**
   * @param cgroupMark text in the names of the platform's cgroups, and of no other's
   * @param containers whose last look counts here
   */
  constructor(pid: number, dataFolder: string, cgroupMark: string, containers?: Containers) {
    this.#pid = pid;
    this.#dataFolder = dataFolder;
    this.#cgroupMark = cgroupMark;
    this.#containers = containers;
  }

  /** Remembers the processes that are there now, but for those that change their place meanwhile. To be called often: it costs a twentieth of the look of `take`. */
  observe(): void {
    this.#remember(KNOWS_CHILDREN ? childrenOf : tableOfChildren());
  }

  #remember(children: ChildrenOf): void {
    for (const process of descendants([this.#pid, ...(this.#containers?.shims() ?? [])], children)) this.#seen.add(process);
  }

  take(): Holdings {
    this.#remember(tableOfChildren());
    // Who is dead stays dead: in a long life they would be many.
    for (const process of this.#seen) if (!isAlive(process)) this.#seen.delete(process);
    return {
      processes: [...this.#seen].sort(),
      descriptors: descriptorsOf(this.#pid)
        .filter((target) => !target.startsWith(join(this.#dataFolder, LOGS)))
        .sort(),
      mounts: readFileSync(`/proc/${this.#pid}/mountinfo`, 'utf8').split('\n'),
      files: filesUnder(this.#dataFolder)
        .filter((path) => !path.startsWith('hearth.db') && !path.startsWith(LOGS))
        .sort(),
      cgroups: this.cgroups(),
      containers: [...(this.#containers?.ids ?? []), ...(this.#containers?.forgottenMounts() ?? [])],
    };
  }

  /** Also when the platform has ended. */
  cgroups(): string[] {
    return cgroupsWith([this.#cgroupMark, ...(this.#containers?.everSeen ?? [])]);
  }

  /** Bytes: the most that the platform's own process has held since `resetPeak`. */
  peakBytes(): number {
    return 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.#pid}/status`, 'utf8'))?.[1]);
  }

  resetPeak(): void {
    writeFileSync(`/proc/${this.#pid}/clear_refs`, '5');
  }
}

/**
 * What `now` holds and `before` didn't. Empty: nothing was left.
 * @param spares sandboxes are held in stock, so that others stand in the places of those that were there: numbers must do
 */
export function leftovers(before: Holdings, now: Holdings, spares = false): Partial<Record<keyof Holdings, string[]>> {
  const left: Partial<Record<keyof Holdings, string[]>> = {};
  const ofSandboxes = ['processes', 'files', 'containers'] as const;
  for (const what of ['mounts', ...(spares ? [] : ofSandboxes)] as const) {
    const known = new Set(before[what]);
    const more = now[what].filter((item) => !known.has(item));
    if (more.length > 0) left[what] = more;
  }
  // Descriptors have no names, and cgroups made in advance take the places of those that were used: their number tells.
  for (const what of ['descriptors', 'cgroups', ...(spares ? ofSandboxes : [])] as const) {
    if (now[what].length > before[what].length) left[what] = now[what];
  }
  if (left.processes) left.processes = left.processes.map((item) => `${item} ${commandOf(item)}`);
  return left;
}

type ChildrenOf = (pid: number) => readonly number[];

/** As `pid@start`. */
function descendants(roots: readonly number[], children: ChildrenOf): string[] {
  const found: string[] = [];
  const walk = (pid: number): void => {
    for (const child of children(pid)) {
      const stat = statOf(child);
      if (!stat) continue;
      found.push(`${child}@${stat.start}`);
      walk(child);
    }
  };
  for (const root of roots) walk(root);
  return found;
}

/** From the whole table of processes. */
function tableOfChildren(): ChildrenOf {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = statOf(Number(name))?.parent;
    if (parent === undefined) continue;
    const siblings = children.get(parent) ?? [];
    siblings.push(Number(name));
    children.set(parent, siblings);
  }
  return (pid) => children.get(pid) ?? [];
}

/** From the kernel's lists, which some kernels don't have; they may leave somebody out while others end. */
function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      (readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').match(/\d+/g) ?? []).map(Number),
    );
  } catch {
    return [];
  }
}

/** Fields 3, 4 and 22 of proc_pid_stat(5); undefined once it is gone. */
function statOf(pid: number): { state: string; parent: number; start: string } | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return { state: fields[0] as string, parent: Number(fields[1]), start: fields[19] as string };
  } catch {
    return undefined;
  }
}

/** A zombie holds nothing but its number: who has inherited it reaps it, in a container maybe never. */
export function isAlive(process: string): boolean {
  const [pid, start] = process.split('@');
  const stat = statOf(Number(pid));
  return stat !== undefined && stat.start === start && stat.state !== 'Z';
}

function commandOf(process: string): string {
  try {
    return readFileSync(`/proc/${process.split('@')[0]}/cmdline`, 'latin1')
      .replaceAll('\0', ' ')
      .slice(0, 200);
  } catch {
    return '';
  }
}

function descriptorsOf(pid: number): string[] {
  const tcp = new Set<string>();
  for (const table of ['tcp', 'tcp6']) {
    for (const line of readFileSync(`/proc/${pid}/net/${table}`, 'latin1').split('\n').slice(1)) tcp.add(`socket:[${line.trim().split(/\s+/)[9]}]`);
  }
  const found: string[] = [];
  for (const name of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const target = readlinkSync(`/proc/${pid}/fd/${name}`);
      if (!tcp.has(target)) found.push(target);
    } catch {
      // Closed in between.
    }
  }
  return found;
}

/** Paths below the folder. What goes away meanwhile is left out: a recursive readdir would fail for it. */
function filesUnder(folder: string, below = ''): string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(join(folder, below), { withFileTypes: true });
  } catch (error) {
    if (below !== '' && (error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return entries.flatMap((entry) => {
    const path = join(below, entry.name);
    return entry.isDirectory() ? [path, ...filesUnder(folder, path)] : [path];
  });
}

function cgroupsWith(marks: readonly string[]): string[] {
  const found: string[] = [];
  const walk = (folder: string, depth: number): void => {
    let names: string[];
    try {
      names = readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name);
    } catch {
      return;
    }
    for (const name of names) {
      const path = join(folder, name);
      if (marks.some((mark) => path.includes(mark))) found.push(path);
      if (depth < 6) walk(path, depth + 1);
    }
  };
  walk('/sys/fs/cgroup', 0);
  return found.sort();
}
