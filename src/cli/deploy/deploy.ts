import { resolve } from 'node:path';
import { HearthError } from '../../errors.ts';
import { call, type Target } from '../api-client.ts';
import { table } from '../table.ts';
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

/** `hearth deploy`: the functions of a project file, one after another, all with the project's files. Stops at the first that is refused. */
export async function deploy(folder: string | undefined, options: DeployOptions): Promise<void> {
  const root = resolve(folder ?? '.');
  const { file, functions } = await readProject(root);
  const packed = await packFolder(root);
  const bytes = packed.files.reduce((sum, { size }) => sum + size, 0);
  const deployed: Deployed[] = [];
  let bundle: string | null = null;
  if (!options.dryRun) {
    ({ bundle } = await call(options, 'POST /bundles', { raw: { type: 'application/gzip', data: await packed.pack() } }));
    for (const definition of namedFirst(functions)) deployed.push(await register(options, file, bundle, definition, deployed));
    const names = functions.map((one) => one.function_name);
    deployed.sort((a, b) => names.indexOf(a.function) - names.indexOf(b.function));
  } else {
    for (const { function_name: name, event_type: on } of functions) {
      deployed.push({ function: name, on, url: urlOf(options.gateway, on), version: null, created: null, warnings: [] });
    }
  }
  if (options.json) {
    const files = packed.files.map(({ path }) => path);
    process.stdout.write(
      `${JSON.stringify({ project: file, dry_run: options.dryRun ?? false, bundle, bytes, files, functions: deployed }, null, 2)}\n`,
    );
    return;
  }
  if (options.dryRun)
    process.stdout.write(`Would deploy ${packed.files.length} files (${bytes} bytes):\n${packed.files.map(({ path }) => `  ${path}\n`).join('')}`);
  const rows = deployed.map(({ function: name, version, created, url, on }) => [
    name,
    version === null ? '-' : String(version),
    stateOf(created),
    url ?? on,
  ]);
  process.stdout.write(table([['FUNCTION', 'VERSION', 'STATE', 'URL'], ...rows]));
  for (const { function: name, warnings } of deployed) for (const warning of warnings) process.stderr.write(`${name}: ${warning}\n`);
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
