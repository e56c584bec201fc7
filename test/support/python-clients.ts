import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const CACHE = join(import.meta.dirname, '../../.cache/test-clients');

/**
 * The Python interpreter of a virtual environment that holds the given requirements. It is made once and kept in the project's
 * cache under the hash of the requirements' text; a half-made one is made anew.
 */
export async function pythonWith(requirementsFile: string): Promise<string> {
  const requirements = await readFile(requirementsFile);
  const folder = join(CACHE, createHash('sha256').update(requirements).digest('hex').slice(0, 16));
  const python = join(folder, 'bin/python');
  const complete = join(folder, 'complete');
  if (await exists(complete)) return python;
  await rm(folder, { recursive: true, force: true });
  await mkdir(CACHE, { recursive: true });
  await makeVenv(folder, ['--requirement', requirementsFile]);
  await writeFile(complete, '');
  return python;
}

/** A virtual environment with what pip is asked for, by the machine's own pip: one of its own, and bytecode, would take longer than they save. */
export async function makeVenv(folder: string, what: readonly string[]): Promise<void> {
  await run('python3', ['-m', 'venv', '--without-pip', folder]);
  const pip = ['-m', 'pip', '--python', join(folder, 'bin/python'), 'install', '--no-compile', '--quiet', '--disable-pip-version-check'];
  await run('python3', [...pip, ...what]);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
