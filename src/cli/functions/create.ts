import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { HearthError } from '../../errors.ts';
import { call, type Target } from '../api-client.ts';
import { usage } from '../cli-error.ts';
import { whileLayersBuild } from '../layer-progress.ts';
import { printJson } from '../print.ts';

interface CreateOptions extends Target {
  name: string;
  codeFile: string;
  on?: string;
  httpVerb?: string;
  httpPath?: string;
  runtime?: string;
  requirements?: string;
  errorLogs?: boolean;
  json?: boolean;
}

const NODE_EXTENSIONS = new Set(['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts']);

/** `hearth create`: registers one file as a function. */
export async function create(options: CreateOptions): Promise<void> {
  const eventKey = eventKeyOf(options);
  const code = await readText(options.codeFile, '--code-file');
  const requirements = options.requirements === undefined ? undefined : await readText(options.requirements, '--requirements');
  const runtime = options.runtime ?? (NODE_EXTENSIONS.has(extname(options.codeFile)) ? 'nodejs' : undefined);
  const definition = {
    function_name: options.name,
    event_type: eventKey,
    function_code: code,
    ...(runtime === undefined ? {} : { runtime }),
    ...(requirements === undefined ? {} : { requirements }),
    ...(options.errorLogs ? { error_logs: true } : {}),
  };
  const made = await whileLayersBuild(options.name, options, () => call(options, 'POST /functions', { body: definition }));
  for (const warning of made.warnings) process.stderr.write(`hearth: ${warning}\n`);
  if (options.json) printJson(made);
  else process.stdout.write(`${made.function_name} is version ${made.version}${made.created ? '' : ', as before'}, on ${made.event_type}.\n`);
}

function eventKeyOf({ on, httpVerb, httpPath }: CreateOptions): string {
  if (on !== undefined && (httpVerb !== undefined || httpPath !== undefined)) {
    throw usage('Either --on names the event key, or --http-verb and --http-path do.');
  }
  if (on !== undefined) return on;
  if (httpPath === undefined) throw usage('The event key is missing: --http-verb POST --http-path /echo, or --on "cron|0 6 * * *".');
  return `http|${(httpVerb ?? '*').toUpperCase()}|${httpPath}`;
}

async function readText(file: string, option: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: Error) => {
    throw new HearthError('invalid_request', `${option} ${file} can't be read: ${cause.message}.`, { cause });
  });
}
