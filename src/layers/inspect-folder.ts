import { lstat, readdir, readlink } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { HearthError } from '../errors.ts';

export interface FolderLimits {
  /** Of all files together. */
  maxBytes: number;
  /** Files, folders and links. */
  maxEntries: number;
}

/**
 * Looks through what a build made, without following a link, and refuses what could reach out of it: links that lead outside, set-user-id and
 * set-group-id files, devices, sockets and pipes, and too much of anything. Only for folders that nobody writes to any more.
 * @returns bytes on disk; 0 for a folder that was never made
 * @throws HearthError layer_build_failed
 */
export async function inspectFolder(root: string, limits: FolderLimits): Promise<number> {
  const top = await lstat(root).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (top === undefined) return 0;
  if (!top.isDirectory()) throw refusal('.', 'is not a folder');
  let apparent = 0;
  let onDisk = 0;
  let entries = 0;
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const shown = relative(root, path);
      const stats = await lstat(path);
      entries += 1;
      apparent += stats.size;
      onDisk += stats.blocks * 512;
      if (entries > limits.maxEntries) throw tooLarge(`more than ${limits.maxEntries} files`);
      // A sparse file is small on disk until somebody copies it.
      if (Math.max(apparent, onDisk) > limits.maxBytes) throw tooLarge(`more than ${Math.floor(limits.maxBytes / 1024 ** 2)} MiB`);
      if (stats.isDirectory()) folders.push(path);
      else if (stats.isSymbolicLink()) {
        if (!staysInside(shown, await readlink(path))) throw refusal(shown, 'is a link that leads out of the layer');
      } else if (!stats.isFile()) throw refusal(shown, 'is neither a file nor a folder nor a link');
      // Folders are left out: there the bit only hands down a group, and comes from whoever set up the data folder.
      else if ((stats.mode & 0o6000) !== 0) throw refusal(shown, 'has the set-user-id or set-group-id bit');
    }
  }
  return onDisk;
}

/**
 * `..` is only understood at the beginning of a target: there it is exact, since the walk enters no links. After a name, which may itself be
 * a link, it could lead anywhere.
 */
function staysInside(link: string, target: string): boolean {
  const parts = target.split('/').filter((part) => part !== '' && part !== '.');
  const ups = parts.findIndex((part) => part !== '..');
  const climbs = ups === -1 ? parts.length : ups;
  if (target.startsWith('/') || parts.slice(climbs).includes('..')) return false;
  return climbs < link.split(sep).length;
}

function refusal(path: string, what: string): HearthError {
  return new HearthError('layer_build_failed', `The libraries can not be used as a layer: \`${path.slice(0, 200)}\` ${what}.`);
}

function tooLarge(what: string): HearthError {
  return new HearthError('layer_build_failed', `The libraries are too large for a layer: ${what}. Ask for fewer or smaller ones.`);
}
