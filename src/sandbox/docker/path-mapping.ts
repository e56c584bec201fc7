import { realpathSync } from 'node:fs';
import { relative, sep } from 'node:path';
import { HearthError } from '../../errors.ts';

/**
 * A folder of ours as the engine knows it: the same, unless the platform runs in a container, whose data folder the engine's machine has somewhere else.
 * @throws HearthError sandbox_unavailable for what then lies outside of the data folder
 */
export function engineView(path: string, { dataFolder, engineDataFolder }: { dataFolder: string; engineDataFolder: string }): string {
  const real = realpathSync(path);
  if (engineDataFolder === dataFolder) return real;
  const below = relative(realpathSync(dataFolder), real);
  if (below === '..' || below.startsWith(`..${sep}`)) {
    throw new HearthError(
      'sandbox_unavailable',
      `${path} is not below the data folder ${dataFolder}, and so docker.host_data_dir does not say where the engine finds it.`,
    );
  }
  return below === '' ? engineDataFolder : `${engineDataFolder}/${below}`;
}
