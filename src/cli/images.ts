import { buildImageOf, type ImageOf, imagesWanted } from '../composition/docker.ts';
import { loadConfig } from '../config.ts';
import { HearthError } from '../errors.ts';

/** `hearth images build`: images of the docker driver's sandboxes, made by the engine itself from the Dockerfiles that come with the platform. */
export async function imagesBuild(language: ImageOf | undefined, options: { base?: string }, environment: NodeJS.ProcessEnv): Promise<void> {
  if (language === undefined && options.base !== undefined) {
    throw new HearthError('invalid_request', '--base names the base of one image: say which, as in `hearth images build python --base <image>`.');
  }
  const config = loadConfig(environment, process.cwd());
  for (const of of language === undefined ? imagesWanted(config) : [language]) {
    const { name, isUsed, setting } = await buildImageOf(of, config, options.base, (text) => process.stderr.write(text));
    process.stdout.write(`${name}\n`);
    if (!isUsed) process.stderr.write(`hearth: the setting ${setting} names other images than this one\n`);
  }
}
