import { randomUUID } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { HearthError } from '../errors.ts';

/** Who a node is among others. */
export interface NodeIdentity {
  /** A UUID, which stays the same as long as the data folder is there. */
  readonly id: string;
  /** What people call it; two nodes may have the same. */
  readonly name: string;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Reads `node-id` in the data folder, which is made when it isn't there.
 * @param name of the setting; empty: the host's
 * @throws HearthError invalid_config
 */
export async function openNodeIdentity(folder: string, name: string): Promise<NodeIdentity> {
  const file = join(folder, 'node-id');
  try {
    const known = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    const id = (known ?? (await make(file))).trim();
    if (!UUID.test(id)) throw new Error('it holds no UUID');
    return { id, name: name === '' ? hostname() : name };
  } catch (cause) {
    const message = `The file ${file}, which says which node this is, can't be used: ${(cause as Error).message}. Delete it, and the platform makes another.`;
    throw new HearthError('invalid_config', message, { cause });
  }
}

/** Whole or not at all. */
async function make(file: string): Promise<string> {
  const id = randomUUID();
  const partial = `${file}.${id}`;
  await writeFile(partial, `${id}\n`, { flush: true });
  try {
    await link(partial, file);
  } finally {
    await rm(partial, { force: true });
  }
  return id;
}
