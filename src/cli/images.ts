import { buildImages } from '../composition/docker.ts';
import { loadConfig } from '../config.ts';

/** `hearth images build`: the image of the docker driver's sandboxes, made by the engine itself from the Dockerfile that comes with the platform. */
export async function imagesBuild(options: { base?: string }, environment: NodeJS.ProcessEnv): Promise<void> {
  const { name, taken } = await buildImages(loadConfig(environment, process.cwd()), options.base, (text) => process.stderr.write(text));
  process.stdout.write(`${name}\n`);
  if (taken !== name) process.stderr.write(`hearth: docker.image names another image, ${taken}; leave it empty to use this one\n`);
}
