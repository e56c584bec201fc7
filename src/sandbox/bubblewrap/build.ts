import { chownSync, existsSync, lstatSync, mkdirSync, readdirSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { HearthError } from '../../errors.ts';
import type { BuildSpec } from '../driver.ts';
import type { Interpreter } from '../interpreter.ts';
import { type HostRuntime, type InterpreterFiles, programPath } from '../runtimes.ts';
import { nameFiles } from './network.ts';
import type { Plan, Step } from './plan.ts';
import { closingSteps, etcSteps, interpreterSteps, readOnly } from './root-filesystem.ts';

const TMP_BYTES = 256 * 1024 * 1024;
/** Big temporary files (unpacked wheels) lie on disk beside the output, not in memory. */
const TEMPORARY = '.tmp';
export const PIP_CONFIG = '/etc/pip.conf';
/** Where builds find the machine's own settings of npm. */
export const NPM_CONFIG = '/etc/npmrc';
/** Where those may lie, of which the first is taken. */
export const NPM_CONFIGS = [NPM_CONFIG, '/usr/local/etc/npmrc', '/usr/etc/npmrc'];

/** Makes the folder or takes an empty one, and gives it to the user that builds run under. @throws HearthError sandbox_unavailable */
export function prepareOutputFolder(folder: string, uid: number | undefined): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    if (!lstatSync(folder).isDirectory()) throw new Error('it is a symbolic link');
    if (readdirSync(folder).length > 0) throw new Error('it is not empty');
    mkdirSync(join(folder, TEMPORARY), { mode: 0o700 });
    if (uid !== undefined) {
      chownSync(join(folder, TEMPORARY), uid, uid);
      chownSync(folder, uid, uid);
    }
  } catch (error) {
    throw new HearthError('sandbox_unavailable', `The build's folder ${folder} can not be used: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

/** Only once the build is gone: nobody can change the folder under our feet any more. */
export async function removeTemporary(folder: string): Promise<void> {
  await rm(join(folder, TEMPORARY), { recursive: true, force: true });
}

/** With what a build is run. */
export interface Builder {
  /** What `argv[0]` is to be for the interpreter. */
  program: 'python' | 'node';
  files: InterpreterFiles;
  /** Where its installer is shown, and what that needs besides. */
  steps: readonly Step[];
  environment: Readonly<Record<string, string>>;
}

export function pythonBuilder(interpreter: Interpreter): Builder {
  const { pip } = interpreter;
  const target = pip?.kind === 'wheel' ? `/pip/${basename(pip.path)}` : '/pip/pip';
  return {
    program: 'python',
    files: interpreter,
    steps: [...(existsSync(PIP_CONFIG) ? [readOnly(PIP_CONFIG, PIP_CONFIG)] : []), ...(pip === null ? [] : [readOnly(pip.path, target)])],
    environment: pip === null ? {} : { PYTHONPATH: pip.kind === 'wheel' ? target : '/pip' },
  };
}

export function nodeBuilder({ files, installer, environment }: HostRuntime): Builder {
  return {
    program: 'node',
    files,
    steps: [
      ...NPM_CONFIGS.filter((file) => existsSync(file)).map((file) => readOnly(realpathSync(file), NPM_CONFIG)),
      ...(installer === null ? [] : [readOnly(installer.folder, '/installer')]),
    ],
    environment,
  };
}

/** @throws HearthError sandbox_unavailable for an input whose name is no file name */
export function buildPlan(spec: BuildSpec, builder: Builder, extraBinds: readonly string[]): Plan {
  const inputs = Object.entries(spec.inputs).map(([name, content]): Step => {
    if (name !== basename(name) || name === '' || name === '.' || name === '..')
      throw new HearthError('sandbox_unavailable', `'${name}' is no file name.`);
    return { kind: 'file', content, target: `/input/${name}` };
  });
  const [program = '', ...argv] = spec.argv;
  return {
    network: spec.network,
    workingFolder: '/build',
    command: [program === builder.program ? programPath(builder.files) : program, ...argv],
    environment: {
      HOME: '/tmp',
      TMPDIR: `/build/${TEMPORARY}`,
      PATH: '/usr/local/bin:/usr/bin:/bin',
      LANG: 'C.UTF-8',
      ...builder.environment,
      ...spec.environment,
    },
    steps: [
      ...interpreterSteps(builder.files, extraBinds),
      ...etcSteps(nameFiles(spec.network, [])),
      ...builder.steps,
      { kind: 'folder', target: '/input' },
      ...inputs,
      { kind: 'bind', source: spec.outputFolder, target: '/build', access: 'rw' },
      ...closingSteps(TMP_BYTES),
    ],
  };
}
