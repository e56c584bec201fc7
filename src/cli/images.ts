import { buildImageOf, type ImageOf, imagesWanted } from '../composition/docker.ts';
import { loadConfig } from '../config.ts';
import { usage } from './cli-error.ts';
import { printJson } from './print.ts';

/** `hearth images build`: images of the docker driver's sandboxes, made by the engine itself from the Dockerfiles that come with the platform. */
export async function imagesBuild(
  language: ImageOf | undefined,
  options: { base?: string; json?: boolean },
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  if (language === undefined && options.base !== undefined) {
    throw usage('--base names the base of one image: say which, as in `hearth images build python --base <image>`.');
  }
  const config = loadConfig(environment, process.cwd());
  const built: { language: ImageOf; name: string; is_used: boolean }[] = [];
  for (const of of language === undefined ? imagesWanted(config) : [language]) {
    const { name, isUsed, setting } = await buildImageOf(of, config, options.base, (text) => process.stderr.write(text));
    built.push({ language: of, name, is_used: isUsed });
    if (!options.json) process.stdout.write(`${name}\n`);
    if (!isUsed) process.stderr.write(`hearth: the setting ${setting} names other images than this one\n`);
  }
  if (options.json) printJson(built);
}
