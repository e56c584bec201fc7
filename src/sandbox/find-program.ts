import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

/** Administrators' tools that a service's PATH often leaves out. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/sbin', '/usr/bin', '/bin'];

/** The absolute path of an executable, searched on `path` and then in the system's own folders; undefined when there is none. */
export function findProgram(name: string, path: string): string | undefined {
  const candidates = isAbsolute(name) ? [name] : [...path.split(delimiter), ...SYSTEM_FOLDERS].filter(isAbsolute).map((folder) => join(folder, name));
  return candidates.find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
