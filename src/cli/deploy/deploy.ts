import { resolve } from 'node:path';
import { HearthError } from '../../errors.ts';
import { call, type Target } from '../api-client.ts';
import { whileLayersBuild } from '../layer-progress.ts';
import { printJson } from '../print.ts';
import { Progress } from '../progress.ts';
import { table } from '../table.ts';
import { counted } from '../upload.ts';
import { namedFirst } from './named-first.ts';
import { packFolder } from './pack-folder.ts';
import { readProject } from './read-project.ts';

interface DeployOptions extends Target {
  gateway: string;
  dryRun?: boolean;
  json?: boolean;
}

interface Deployed {
  function: string;
  on: string;
  url: string | null;
  version: number | null;
  created: boolean | null;
  warnings: string[];
}

/** What `--json` prints. */
interface Deployment {
  project: string;
  dry_run: boolean;
  bundle: string | null;
  /** Unpacked. */
  bytes: number;
  files: string[];
  functions: Deployed[];
}

/** `hearth deploy`: the functions of a project file, one after another, all with the project's files. Stops at the first that is refused. */
export async function deploy(folder: string | undefined, options: DeployOptions): Promise<void> {
  const done = await deployProject(resolve(folder ?? '.'), options);
  if (options.json) printJson(done);
  else process.stdout.write(describe(done));
  tellWarnings(done);
}

/** As `deploy`, without a word to standard output. */
export async function deployProject(root: string, options: DeployOptions): Promise<Deployment> {
  const { file, functions } = await readProject(root);
  const packed = await packFolder(root);
  const deployed: Deployed[] = [];
  let bundle: string | null = null;
  if (!options.dryRun) {
    const uploaded = await upload(await packed.pack(), options);
    bundle = uploaded;
    const { length: count } = functions;
    for (const definition of namedFirst(functions)) {
      const what = `${definition.function_name}, ${deployed.length + 1} of ${count}`;
      deployed.push(await whileLayersBuild(what, options, () => register(options, file, uploaded, definition, deployed)));
    }
    const names = functions.map((one) => one.function_name);
    deployed.sort((a, b) => names.indexOf(a.function) - names.indexOf(b.function));
  } else {
    for (const { function_name: name, event_type: on } of functions) {
      deployed.push({ function: name, on, url: urlOf(options.gateway, on), version: null, created: null, warnings: [] });
    }
  }
  const bytes = packed.files.reduce((sum, { size }) => sum + size, 0);
  return { project: file, dry_run: options.dryRun ?? false, bundle, bytes, files: packed.files.map(({ path }) => path), functions: deployed };
}

/** @returns the bundle's hash */
async function upload(archive: Uint8Array<ArrayBuffer>, options: DeployOptions): Promise<string> {
  using progress = new Progress('The files');
  const data = progress.isSeen ? counted(archive, 'The files', progress) : archive;
  return (await call(options, 'POST /bundles', { raw: { type: 'application/gzip', data } })).bundle;
}

export function describe({ dry_run: isDry, files, bytes, functions }: Deployment): string {
  const would = isDry ? `Would deploy ${files.length} files (${bytes} bytes):\n${files.map((path) => `  ${path}\n`).join('')}` : '';
  const rows = functions.map(({ function: name, version, created, url, on }) => [
    name,
    version === null ? '-' : String(version),
    stateOf(created),
    url ?? on,
  ]);
  return would + table([['FUNCTION', 'VERSION', 'STATE', 'URL'], ...rows]);
}

export function tellWarnings({ functions }: Deployment): void {
  for (const { function: name, warnings } of functions) for (const warning of warnings) process.stderr.write(`${name}: ${warning}\n`);
}

async function register(
  target: DeployOptions,
  file: string,
  bundle: string,
  definition: { function_name: string; event_type: string },
  before: readonly Deployed[],
): Promise<Deployed> {
  const { function_name: name, event_type: on } = definition;
  try {
    const answer = await call(target, 'POST /functions', { body: { ...definition, bundle } });
    return { function: name, on, url: urlOf(target.gateway, on), version: answer.version, created: answer.created, warnings: answer.warnings };
  } catch (error) {
    if (!(error instanceof HearthError)) throw error;
    const done = before.length === 0 ? 'Nothing was deployed' : `Deployed before it: ${before.map((one) => one.function).join(', ')}`;
    throw new HearthError(error.code, `${file}: functions.${name}: ${error.message} ${done}.`, { extra: error.extra, cause: error });
  }
}

function stateOf(created: boolean | null): string {
  if (created === null) return 'not deployed';
  return created ? 'new' : 'unchanged';
}

/** Null for what is not called by HTTP. */
function urlOf(gateway: string, on: string): string | null {
  const [kind, verb, path] = on.split('|');
  return kind === 'http' ? `${verb} ${gateway.replace(/\/+$/, '')}${path}` : null;
}
