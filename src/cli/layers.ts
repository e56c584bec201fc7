import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { HearthError } from '../errors.ts';
import { request, type Target } from './api-client.ts';
import { table } from './table.ts';

interface LayerOnTheWire {
  id: string;
  name: string | null;
  state: string;
  size_bytes: number | null;
  requirements: string;
}

export async function layersList(options: Target & { json?: boolean }): Promise<void> {
  const { layers } = (await request(options, 'GET', '/layers')) as { layers: LayerOnTheWire[] };
  if (options.json) {
    process.stdout.write(`${JSON.stringify(layers, null, 2)}\n`);
    return;
  }
  const rows = layers.map((layer) => [
    layer.id,
    layer.name ?? '-',
    layer.state,
    layer.size_bytes === null ? '-' : `${(layer.size_bytes / 1024 / 1024).toFixed(1)} MiB`,
  ]);
  process.stdout.write(table([['ID', 'NAME', 'STATE', 'SIZE'], ...rows]));
}

export async function layersBuild(name: string, options: Target & { requirements: string; json?: boolean }): Promise<void> {
  const requirements = await readRequirements(options.requirements);
  if (!options.json) process.stderr.write(`Building the layer ${name}; this takes as long as pip does …\n`);
  const layer = (await request(options, 'POST', '/layers', { name, requirements })) as LayerOnTheWire;
  process.stdout.write(options.json ? `${JSON.stringify(layer, null, 2)}\n` : `The layer ${name} is ready: ${layer.id}.\n`);
}

export async function layersRemove(nameOrId: string, options: Target): Promise<void> {
  await request(options, 'DELETE', `/layers/${encodeURIComponent(nameOrId)}`);
  process.stdout.write(`The layer ${nameOrId} is removed.\n`);
}

async function readRequirements(file: string): Promise<string> {
  if (file === '-') return text(process.stdin);
  return readFile(file, 'utf8').catch((cause: Error) => {
    throw new HearthError('invalid_request', `The requirements file ${file} can't be read: ${cause.message}.`, { cause });
  });
}
