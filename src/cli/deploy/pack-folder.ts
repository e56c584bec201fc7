import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createGzip } from 'node:zlib';
import ignore, { type Ignore } from 'ignore';
import { pack } from 'tar-stream';
import { HearthError } from '../../errors.ts';

/** What no function needs, and what must not leave by mistake. A line `!name` in .hearthignore takes one back. */
const ALWAYS = ['.git/', '.hearthignore', '.gitignore', '__pycache__/', '*.pyc', '.venv/', '.env', '.DS_Store'];
const IGNORE_FILES = ['.hearthignore', '.gitignore'];

export interface PackedFile {
  /** Relative, with `/`. */
  path: string;
  /** Bytes. */
  size: number;
}

/** The files of a folder as a tar.gz, but for those that .hearthignore, or else .gitignore, names. @throws HearthError invalid_bundle */
export async function packFolder(folder: string): Promise<{ files: PackedFile[]; pack(): Promise<Buffer<ArrayBuffer>> }> {
  const rules = ignore().add(ALWAYS);
  for (const name of IGNORE_FILES) {
    const text = await readFile(join(folder, name), 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    rules.add(text);
    break;
  }
  const root = await realpath(folder);
  const found: (PackedFile & { mode: number })[] = [];
  await walk(root, '', rules, found);
  return { files: found.map(({ path, size }) => ({ path, size })), pack: () => archive(root, found) };
}

async function walk(root: string, below: string, rules: Ignore, found: (PackedFile & { mode: number })[]): Promise<void> {
  const entries = await readdir(join(root, below), { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (rules.ignores(entry.isDirectory() ? `${path}/` : path)) continue;
    if (entry.isDirectory()) {
      await walk(root, path, rules, found);
      continue;
    }
    const target = await realpath(join(root, path));
    const about = await stat(target);
    if (!about.isFile()) throw refused(path, 'is no file');
    if (!target.startsWith(root + sep)) throw refused(path, 'leads out of the project');
    found.push({ path, size: about.size, mode: about.mode });
  }
}

function refused(path: string, why: string): HearthError {
  return new HearthError('invalid_bundle', `${path} ${why}; name it in .hearthignore.`);
}

async function archive(root: string, files: readonly (PackedFile & { mode: number })[]): Promise<Buffer<ArrayBuffer>> {
  const tar = pack();
  const zipped = (tar as unknown as Readable).pipe(createGzip());
  const whole = buffer(zipped);
  for (const { path, mode } of files) {
    tar.entry({ name: path, mode: (mode & 0o111) === 0 ? 0o644 : 0o755, mtime: new Date(0) }, await readFile(join(root, path)));
  }
  tar.finalize();
  return (await whole) as Buffer<ArrayBuffer>;
}
