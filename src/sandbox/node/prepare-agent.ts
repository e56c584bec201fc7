import { createHash, randomUUID } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { HearthError } from '../../errors.ts';

/**
 * A copy of the agent with libraries that every function finds beside it, below `node_modules`. Named by its content, and made once.
 * @param libraries folders of packages, each by its name
 * @returns the copy's folder
 * @throws HearthError sandbox_unavailable
 */
export async function prepareAgent(source: string, targetFolder: string, libraries: readonly string[]): Promise<string> {
  try {
    const hash = createHash('sha256');
    for (const folder of [source, ...libraries]) await addFolder(hash, folder);
    const target = join(targetFolder, hash.digest('hex').slice(0, 32));
    if (await stat(target).catch(() => undefined)) return target;
    const building = `${target}.building-${randomUUID()}`;
    try {
      await mkdir(targetFolder, { recursive: true, mode: 0o755 });
      await cp(source, building, { recursive: true });
      for (const library of libraries) await cp(library, join(building, 'node_modules', basename(library)), { recursive: true });
      await rename(building, target).catch(async (error: unknown) => {
        // Somebody else was faster; theirs is the same.
        if (!(await stat(target).catch(() => undefined))) throw error;
      });
    } finally {
      await rm(building, { recursive: true, force: true });
    }
    return target;
  } catch (cause) {
    throw new HearthError('sandbox_unavailable', `The agent of Node.js could not be prepared in ${targetFolder}: ${(cause as Error).message}.`, {
      cause,
    });
  }
}

async function addFolder(hash: ReturnType<typeof createHash>, folder: string): Promise<void> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  for (const path of files.map((entry) => join(entry.parentPath, entry.name)).sort()) {
    hash.update(`\0${basename(folder)}${path.slice(folder.length)}\0`).update(await readFile(path));
  }
}
