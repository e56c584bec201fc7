import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { HearthError } from '../errors.ts';
import { call, type Target } from './api-client.ts';
import { usage } from './cli-error.ts';
import { whileLayersBuild } from './layer-progress.ts';
import { printJson } from './print.ts';
import { table } from './table.ts';

export async function layersList(options: Target & { json?: boolean }): Promise<void> {
  const { layers } = await call(options, 'GET /layers');
  if (options.json) {
    process.stdout.write(`${JSON.stringify(layers, null, 2)}\n`);
    return;
  }
  const rows = layers.map((layer) => [
    layer.id,
    layer.name ?? '-',
    layer.runtime,
    layer.state,
    layer.size_bytes === null ? '-' : `${(layer.size_bytes / 1024 / 1024).toFixed(1)} MiB`,
  ]);
  process.stdout.write(table([['ID', 'NAME', 'RUNTIME', 'STATE', 'SIZE'], ...rows]));
}

interface Libraries {
  requirements?: string;
  packageJson?: string;
  packageLock?: string;
  allowScripts?: boolean;
  runtime?: string;
}

export async function layersBuild(name: string, options: Target & Libraries & { json?: boolean }): Promise<void> {
  const { requirements, packageJson, packageLock, allowScripts, runtime } = options;
  if ((requirements === undefined) === (packageJson === undefined)) {
    throw usage('A layer is built from one of --requirements FILE (Python) and --package-json FILE (Node.js).');
  }
  const definition = {
    name,
    ...(requirements === undefined ? {} : { requirements: await readInput(requirements) }),
    ...(packageJson === undefined ? {} : { package_json: await readInput(packageJson) }),
    ...(packageLock === undefined ? {} : { package_lock: await readInput(packageLock) }),
    ...(allowScripts === undefined ? {} : { allow_scripts: allowScripts }),
    ...(runtime === undefined ? {} : { runtime }),
  };
  if (!options.json) {
    process.stderr.write(`Building the layer ${name}; this takes as long as ${requirements === undefined ? 'npm' : 'pip'} does …\n`);
  }
  const layer = await whileLayersBuild(`The layer ${name}`, options, () => call(options, 'POST /layers', { body: definition }));
  process.stdout.write(options.json ? `${JSON.stringify(layer, null, 2)}\n` : `The layer ${name} is ready: ${layer.id}.\n`);
}

export async function layersRemove(nameOrId: string, options: Target & { json?: boolean }): Promise<void> {
  const done = await call(options, 'DELETE /layers/{layer}', { path: { layer: nameOrId } });
  if (options.json) printJson(done);
  else process.stdout.write(`The layer ${nameOrId} is removed.\n`);
}

/** `-` is standard input. */
async function readInput(file: string): Promise<string> {
  if (file === '-') return text(process.stdin);
  return readFile(file, 'utf8').catch((cause: Error) => {
    throw new HearthError('invalid_request', `The file ${file} can't be read: ${cause.message}.`, { cause });
  });
}
