import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { endFolders } from './group.ts';

/**
 * Groups of a platform that was killed. Their names begin with the data folder's identity, and a data folder has one platform at a time (lock-folder.ts), so
 * whatever is named so at a start is left over. The folders that they lie in are written down, since a platform may be started in another group each time.
 */

/** Names between `prefix` and a number are groups of sandboxes, zygotes and builds; the platform's own leaf is not among them. */
export async function endLeftovers(folders: readonly string[], prefix: string): Promise<{ ended: number; stuck: string[] }> {
  const found = folders.flatMap((folder) => {
    try {
      return readdirSync(folder)
        .filter((name) => name.startsWith(`${prefix}-`) || name === `${prefix}.trial`)
        .map((name) => join(folder, name));
    } catch {
      return [];
    }
  });
  const outcomes = await Promise.all(found.map(async (folder) => ((await endFolders([folder])) ? undefined : folder)));
  const stuck = outcomes.filter((folder) => folder !== undefined);
  return { ended: found.length - stuck.length, stuck };
}

/** Empty when the file is missing or holds something else. */
export function readParents(file: string): string[] {
  try {
    const found: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return Array.isArray(found) ? found.filter((item): item is string => typeof item === 'string' && isAbsolute(item)) : [];
  } catch {
    return [];
  }
}

/** @throws the error of the file system */
export function writeParents(file: string, folders: readonly string[]): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(folders)}\n`);
  renameSync(`${file}.new`, file);
}
