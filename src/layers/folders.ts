import { randomBytes } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LAYER_ID } from './layer-id.ts';
import { syncOne, syncTree } from './sync-tree.ts';

/** Half-built and half-removed folders stand beside the layers, so that a rename within one file system is all that publishes or removes one. */
const LEFTOVER = /^[0-9a-f]{32}\.(?:building|removing)-[0-9a-f]+$/;

export interface LayerFolders {
  /** Where a layer is or will be. */
  path(id: string): string;
  exists(id: string): boolean;
  /** A path, not yet made, for a build's output. */
  scratch(id: string): string;
  /** Makes a folder of a build the layer, at once and for good; one that is missing counts as empty. */
  publish(built: string, id: string): Promise<void>;
  /** Takes a layer away at once; the promise within resolves when it is deleted. Does nothing when there is none. */
  remove(id: string): Promise<{ deleted: Promise<void> }>;
  /** Deletes without following links. */
  delete(path: string): Promise<void>;
  /**
   * Makes the folder if it isn't there, and deletes in it what a crash left: whatever is no layer of `known`.
   * @returns the errors of what could not be deleted
   */
  sweep(known: ReadonlySet<string>): Promise<unknown[]>;
}

export function layerFolders(folder: string): LayerFolders {
  const path = (id: string) => join(folder, id);
  const beside = (id: string, what: 'building' | 'removing') => join(folder, `${id}.${what}-${randomBytes(6).toString('hex')}`);
  // Node's rm unlinks links and never enters them.
  const deleteTree = (target: string) => rm(target, { recursive: true, force: true });

  async function remove(id: string) {
    const away = beside(id, 'removing');
    try {
      await rename(path(id), away);
    } catch (error) {
      if (isMissing(error)) return { deleted: Promise.resolve() };
      throw error;
    }
    return { deleted: deleteTree(away) };
  }

  return {
    path,
    exists: (id) => lstatSync(path(id), { throwIfNoEntry: false })?.isDirectory() === true,
    scratch: (id) => beside(id, 'building'),
    async publish(built, id) {
      // What may stand there has no record that says ready: a crash came between the rename and the record.
      await (await remove(id)).deleted;
      if (await isThere(built)) {
        await syncTree(built);
        await rename(built, path(id));
      } else await mkdir(path(id));
      await syncOne(folder);
    },
    remove,
    delete: deleteTree,
    async sweep(known) {
      await mkdir(folder, { recursive: true });
      const errors: unknown[] = [];
      for (const name of await readdir(folder)) {
        if (!LEFTOVER.test(name) && !(LAYER_ID.test(name) && !known.has(name))) continue;
        await deleteTree(join(folder, name)).catch((error: unknown) => errors.push(error));
      }
      return errors;
    },
  };
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
