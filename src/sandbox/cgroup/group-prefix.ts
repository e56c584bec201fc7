import { createHash } from 'node:crypto';
import { realpathSync, statSync } from 'node:fs';

/**
 * What the names of a platform's groups begin with. It tells platforms on one machine apart by their data folders, of which each has one to itself; a copy of
 * a folder is another one.
 */
export function groupPrefix(dataFolder: string): string {
  const { dev, ino } = statSync(dataFolder);
  const identity = createHash('sha256')
    .update(`${dev}:${ino}:${realpathSync(dataFolder)}`)
    .digest('hex');
  return `hearth-${identity.slice(0, 12)}`;
}
