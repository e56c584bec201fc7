import { chownSync, lstatSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { HearthError } from '../../errors.ts';
import { NPM_CONFIG, NPM_CONFIGS, PIP_CONFIG } from '../bubblewrap/build.ts';
import type { BuildSpec } from '../driver.ts';
import type { ContainerPlan } from './container-settings.ts';
import type { ImageRuntime } from './node-images.ts';

const TMP_BYTES = 256 * 1024 * 1024;
/** Big temporary files (unpacked wheels) lie on disk beside the output, not in memory. */
const TEMPORARY = '.tmp';
/** The machine's own settings of the installer. */
const SETTINGS_COPY = '.installer-settings';

/**
 * Makes the folders of a build and writes its inputs.
 * @param owner whom the output folder is given to; undefined: it stays ours
 * @throws HearthError sandbox_unavailable
 */
export async function prepareFolders(spec: BuildSpec, inputFolder: string, owner: number | undefined): Promise<void> {
  try {
    for (const [name, content] of Object.entries(spec.inputs)) {
      if (name !== basename(name) || name === '' || name === '.' || name === '..' || name === SETTINGS_COPY)
        throw new Error(`'${name}' is no file name`);
      await writeFile(join(inputFolder, name), content, { mode: 0o444 });
    }
    const { runtime = 'python' } = spec;
    await writeFile(join(inputFolder, SETTINGS_COPY), firstOf(runtime === 'python' ? [PIP_CONFIG] : NPM_CONFIGS), { mode: 0o444 });
    const { outputFolder } = spec;
    mkdirSync(outputFolder, { recursive: true, mode: 0o755 });
    if (!lstatSync(outputFolder).isDirectory()) throw new Error(`${outputFolder} is a symbolic link`);
    if (readdirSync(outputFolder).length > 0) throw new Error(`${outputFolder} is not empty`);
    mkdirSync(join(outputFolder, TEMPORARY), { mode: 0o700 });
    if (owner !== undefined) for (const folder of [join(outputFolder, TEMPORARY), outputFolder]) chownSync(folder, owner, owner);
  } catch (error) {
    throw new HearthError('sandbox_unavailable', `The build's folders can not be used: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

/** Only once the build is gone: nobody can change the folders under our feet any more. */
export async function removeTemporary(outputFolder: string, inputFolder: string): Promise<void> {
  await rm(join(outputFolder, TEMPORARY), { recursive: true, force: true });
  await rm(inputFolder, { recursive: true, force: true });
}

/** The folders are given as the engine sees them. @param node that builds it; undefined: Python does */
export function buildPlan(
  spec: BuildSpec,
  outputFolder: string,
  inputFolder: string,
  node: ImageRuntime | undefined,
): Pick<ContainerPlan, 'id' | 'command' | 'mounts' | 'hosts' | 'tmpBytes' | 'workingFolder' | 'environment'> {
  const [program = '', ...argv] = spec.argv;
  const programs: Readonly<Record<string, string>> = node === undefined ? { python: 'python3' } : { node: node.executable };
  // It has its place in the image.
  const installed = (argument: string) => argument.replace(/^\/installer(?=\/)/, node?.installer?.folder ?? '/installer');
  return {
    id: spec.id,
    command: [programs[program] ?? program, ...argv.map(installed)],
    mounts: [
      { source: outputFolder, target: '/build', writable: true },
      { source: inputFolder, target: '/input' },
      { source: join(inputFolder, SETTINGS_COPY), target: node === undefined ? PIP_CONFIG : NPM_CONFIG },
    ],
    hosts: {},
    tmpBytes: TMP_BYTES,
    workingFolder: '/build',
    environment: { HOME: '/tmp', TMPDIR: `/build/${TEMPORARY}`, LANG: 'C.UTF-8', ...node?.environment, ...spec.environment },
  };
}

/** Text of the first of these files that can be read; empty when none can. */
function firstOf(paths: readonly string[]): string {
  for (const path of paths) {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      // The next one, then.
    }
  }
  return '';
}
