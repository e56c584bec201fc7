import { createHash, randomUUID } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HearthError } from '../errors.ts';
import { runCommand } from './run-command.ts';

const TIMEOUT_MS = 60_000;

/**
 * A copy of the agent with its bytecode beside it: without, every boot compiles the agent anew, as sandboxes can't write it (some 12 ms of a core, measured).
 * The copy is named by its content and the interpreter, and made once.
 * @param python an interpreter of the very version that will run it; null: there is none here, and the copy stays without bytecode
 * @returns the copy's folder
 * @throws HearthError sandbox_unavailable
 */
export async function compileAgent(
  source: string,
  targetFolder: string,
  python: { executable: string; version: readonly number[] } | null,
): Promise<string> {
  const target = join(targetFolder, await contentHash(source, python?.version.join('.') ?? 'source'));
  if (await stat(target).catch(() => undefined)) return target;
  const building = `${target}.building-${randomUUID()}`;
  try {
    await mkdir(targetFolder, { recursive: true, mode: 0o755 });
    await cp(source, building, { recursive: true, filter: (path) => !path.endsWith('__pycache__') });
    if (python !== null) await compile(building, python.executable);
    await rename(building, target).catch(async (error: unknown) => {
      // Somebody else was faster; theirs is the same.
      if (!(await stat(target).catch(() => undefined))) throw error;
    });
  } catch (cause) {
    throw new HearthError('sandbox_unavailable', `The Python agent could not be prepared in ${targetFolder}: ${(cause as Error).message}.`, {
      cause,
    });
  } finally {
    await rm(building, { recursive: true, force: true });
  }
  return target;
}

async function compile(folder: string, python: string): Promise<void> {
  // The content is in the folder's name, so nothing has to be compared at every import (PEP 552).
  const argv = ['-I', '-S', '-m', 'compileall', '-q', '--invalidation-mode', 'unchecked-hash', folder];
  const { code, stdout, stderr } = await runCommand(python, argv, { environment: {}, timeoutMs: TIMEOUT_MS });
  if (code !== 0) throw new Error((stdout + stderr).slice(-1000));
}

async function contentHash(folder: string, version: string): Promise<string> {
  const hash = createHash('sha256').update(version);
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile() && entry.name.endsWith('.py'));
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  for (const path of paths) hash.update(`\0${path.slice(folder.length)}\0`).update(await readFile(path));
  return hash.digest('hex').slice(0, 32);
}
