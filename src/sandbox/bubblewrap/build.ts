import { chownSync, lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { HearthError } from '../../errors.ts';
import type { BuildSpec } from '../driver.ts';
import type { Interpreter } from '../interpreter.ts';
import { nameFiles } from './network.ts';
import type { Plan, Step } from './plan.ts';
import { closingSteps, etcSteps, interpreterSteps, readOnly } from './root-filesystem.ts';

const TMP_BYTES = 256 * 1024 * 1024;
/** Big temporary files (unpacked wheels) lie on disk beside the output, not in memory. */
const TEMPORARY = '.tmp';

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

/** @throws HearthError sandbox_unavailable for an input whose name is no file name */
export function buildPlan(spec: BuildSpec, interpreter: Interpreter, extraBinds: readonly string[], pipConfig: boolean): Plan {
  const { pip } = interpreter;
  const inputs = Object.entries(spec.inputs).map(([name, content]): Step => {
    if (name !== basename(name) || name === '' || name === '.' || name === '..')
      throw new HearthError('sandbox_unavailable', `'${name}' is no file name.`);
    return { kind: 'file', content, target: `/input/${name}` };
  });
  const pipTarget = pip?.kind === 'wheel' ? `/pip/${basename(pip.path)}` : '/pip/pip';
  const [program = '', ...argv] = spec.argv;
  return {
    network: spec.network,
    workingFolder: '/build',
    command: [program === 'python' ? interpreter.executable : program, ...argv],
    environment: {
      HOME: '/tmp',
      TMPDIR: `/build/${TEMPORARY}`,
      PATH: '/usr/local/bin:/usr/bin:/bin',
      LANG: 'C.UTF-8',
      ...(pip === null ? {} : { PYTHONPATH: pip.kind === 'wheel' ? pipTarget : '/pip' }),
      ...spec.environment,
    },
    steps: [
      ...interpreterSteps(interpreter, extraBinds),
      ...etcSteps(nameFiles(spec.network, [])),
      ...(pipConfig ? [readOnly('/etc/pip.conf', '/etc/pip.conf')] : []),
      ...(pip === null ? [] : [readOnly(pip.path, pipTarget)]),
      { kind: 'folder', target: '/input' },
      ...inputs,
      { kind: 'bind', source: spec.outputFolder, target: '/build', access: 'rw' },
      ...closingSteps(TMP_BYTES),
    ],
  };
}
