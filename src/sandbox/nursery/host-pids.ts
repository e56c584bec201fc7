import { readdir, readFile } from 'node:fs/promises';

/**
 * Translates process ids as a zygote sees them (its children's) into the host's. The kernel tells it by the lines NSpid of
 * /proc/<pid>/status (proc(5)); each child is looked at once.
 */
export class HostPids {
  readonly #zygote: number;
  readonly #found = new Map<number, number>();
  /** Host ids that were looked at. */
  #seen = new Map<number, number>();

  /** `zygote`: its process id on the host. */
  constructor(zygote: number) {
    this.#zygote = zygote;
  }

  /** Undefined when there is no such child. */
  async of(inside: number): Promise<number | undefined> {
    if (!this.#found.has(inside)) await this.#look();
    return this.#found.get(inside);
  }

  /** The child has been reaped: its numbers may come to mean others. */
  forget(inside: number): void {
    const host = this.#found.get(inside);
    this.#found.delete(inside);
    if (host !== undefined) this.#seen.delete(host);
  }

  async #look(): Promise<void> {
    const children = await childrenOf(this.#zygote);
    const seen = new Map<number, number>();
    await Promise.all(
      children.map(async (host) => {
        const inside = this.#seen.get(host) ?? (await insidePid(host));
        if (inside !== undefined) seen.set(host, inside);
      }),
    );
    this.#seen = seen;
    for (const [host, inside] of seen) this.#found.set(inside, host);
  }
}

/** The children of a process of one thread. */
export async function childrenOf(pid: number): Promise<number[]> {
  const tasks = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = await Promise.all(tasks.map((task) => readFile(`/proc/${pid}/task/${task}/children`, 'utf8').catch(() => '')));
  return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number));
}

/** A sandbox's first process has three ids: the host's, the zygote's namespace's, and 1. */
async function insidePid(host: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${host}/status`, 'utf8').catch(() => '');
  const ids = /^NSpid:\t(.+)$/m.exec(status)?.[1]?.split('\t').map(Number);
  return ids === undefined || ids.length < 3 ? undefined : ids.at(-2);
}
