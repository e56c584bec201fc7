import { posix } from 'node:path';
import { invalidBundle } from '../bundles/bundle-builder.ts';
import type { StoredBundle } from '../bundles/bundle-file.ts';

/** What Node.js knows of a file by its name and the package that it lies in. */
export interface ModuleFile {
  /** Null: its syntax decides. */
  format: 'module' | 'commonjs' | null;
  typescript: boolean;
}

const KIND = /\.([mc])?([jt])s$/;
const FORMATS = { m: 'module', c: 'commonjs' } as const;

/**
 * The rules by which Node.js loads it: the extension, then `type` of the nearest package.json.
 * @param readText of a file of the bundle
 * @throws HearthError invalid_bundle when no handler or script can be in such a file
 */
export async function moduleFile(entry: string, { files }: StoredBundle, readText: (path: string) => Promise<string>): Promise<ModuleFile> {
  const [found, marked, language] = KIND.exec(entry) ?? [];
  if (found === undefined) {
    throw invalidBundle(`entry: ${JSON.stringify(entry)} is no file that Node.js loads as a module; it ends in .js, .mjs, .cjs, .ts, .mts or .cts.`);
  }
  const typescript = language === 't';
  if (marked !== undefined) return { format: FORMATS[marked as 'm' | 'c'], typescript };
  const paths = new Set(files.map(({ path }) => path));
  for (let folder = posix.dirname(entry); ; folder = posix.dirname(folder)) {
    const path = posix.join(folder, 'package.json');
    if (paths.has(path)) return { format: typeOf(path, await readText(path)), typescript };
    if (folder === '.') return { format: null, typescript };
  }
}

function typeOf(path: string, text: string): ModuleFile['format'] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalidBundle(`entry: ${JSON.stringify(path)} is no JSON: ${(cause as Error).message}.`, cause);
  }
  const { type } = (value ?? {}) as { type?: unknown };
  return type === 'module' || type === 'commonjs' ? type : null;
}
