import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

export interface SizeWatch {
  /** Resolves when nothing more will be read. */
  stop(): Promise<void>;
}

/**
 * Looks at a folder again and again while something writes to it, and calls `exceeded`, once, when it has grown beyond the bound. Without it
 * a build could fill the disk of the whole platform before anybody looks at what it made.
 */
export function watchSize(folder: string, options: { maxBytes: number; intervalMs: number; exceeded: () => void }): SizeWatch {
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();
  let stopped = false;

  async function look(): Promise<void> {
    const bytes = await treeBytes(folder, options.maxBytes);
    if (stopped) return;
    if (bytes > options.maxBytes) options.exceeded();
    else schedule();
  }

  function schedule(): void {
    timer = setTimeout(() => {
      looking = look();
    }, options.intervalMs);
  }

  schedule();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await looking;
    },
  };
}

/** Bytes on disk of all below a folder, without following links; stops counting beyond `enough`. What vanishes or can't be read counts nothing. */
async function treeBytes(root: string, enough: number): Promise<number> {
  let bytes = 0;
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined && bytes <= enough; folder = folders.pop()) {
    for (const name of await readdir(folder).catch(() => [])) {
      const path = join(folder, name);
      const stats = await lstat(path).catch(() => undefined);
      bytes += (stats?.blocks ?? 0) * 512;
      if (stats?.isDirectory()) folders.push(path);
    }
  }
  return bytes;
}
