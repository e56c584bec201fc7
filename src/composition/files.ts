import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config.ts';
import { HearthError } from '../errors.ts';

/** What comes with the platform: one level above src/ and dist/ alike. */
const PACKAGE_FOLDER = fileURLToPath(new URL('../..', import.meta.url));
export const AGENT_FOLDER = join(PACKAGE_FOLDER, 'runtimes/python/agent');
export const NODE_AGENT_FOLDER = join(PACKAGE_FOLDER, 'runtimes/node/agent');
export const ZYGOTE_FOLDER = join(PACKAGE_FOLDER, 'runtimes/python/zygote');
/** What dashboard/build.js makes. */
export const DASHBOARD_FOLDER = join(PACKAGE_FOLDER, 'dashboard/dist');
export const IMAGE_FOLDER = join(PACKAGE_FOLDER, 'runtimes/images');

/** Of this package, as its package.json says. */
export async function readVersion(): Promise<string> {
  return (JSON.parse(await readFile(join(PACKAGE_FOLDER, 'package.json'), 'utf8')) as { version: string }).version;
}

/** What `hearth install` makes a service of. */
export async function readServiceFiles(): Promise<{ unit: string; settings: string }> {
  const [unit, settings] = await Promise.all(['hearth.service', 'hearth.env'].map((name) => readFile(join(PACKAGE_FOLDER, 'deploy', name), 'utf8')));
  return { unit: unit as string, settings: settings as string };
}

/** Where the key of the secrets is or will be; null when a setting has it. */
export function secretsKeyFile({ secrets, data_dir }: Config): string | null {
  if (secrets.key !== '') return null;
  return secrets.key_file === '' ? join(data_dir, 'secrets.key') : resolve(secrets.key_file);
}

/** The program that looks into a function's code, to be run in a sandbox. */
export function readInspector(): Promise<string> {
  return readFile(join(PACKAGE_FOLDER, 'runtimes/python/inspect_code.py'), 'utf8');
}

/** The same for Node.js, with the parser that it needs, by the names of its files. */
export async function readNodeInspector(): Promise<Record<string, string>> {
  const parser = createRequire(import.meta.url).resolve('acorn');
  return {
    'inspect-code.mjs': await readFile(join(PACKAGE_FOLDER, 'runtimes/node/inspect-code.mjs'), 'utf8'),
    'acorn.mjs': await readFile(join(dirname(parser), 'acorn.mjs'), 'utf8'),
  };
}

/** Of the libraries that every function finds. @throws HearthError invalid_config */
export async function readRequirements(config: Config): Promise<string> {
  const file = config.layers.requirements === '' ? join(PACKAGE_FOLDER, 'requirements.functions.txt') : resolve(config.layers.requirements);
  return readFile(file, 'utf8').catch((cause: Error) => {
    throw new HearthError(
      'invalid_config',
      `The file of default libraries ${file} can't be read: ${cause.message}. Set HEARTH_LAYERS_REQUIREMENTS to one that can.`,
      { cause },
    );
  });
}

/** Empty: none is set. @throws HearthError invalid_config */
export async function readAdminToken({ api }: Config): Promise<string> {
  if (api.admin_token_file === '') return api.admin_token;
  const file = resolve(api.admin_token_file);
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw new HearthError('invalid_config', `The file ${file} of HEARTH_API_ADMIN_TOKEN_FILE can't be read: ${cause.message}.`, { cause });
  });
  const token = text.trim();
  if (token === '') throw new HearthError('invalid_config', `The file ${file} of HEARTH_API_ADMIN_TOKEN_FILE is empty.`);
  return token;
}
