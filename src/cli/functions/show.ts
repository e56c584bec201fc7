import { printable } from '../../printable.ts';
import { call, type Target } from '../api-client.ts';
import { time } from '../instant.ts';
import { duration, printJson } from '../print.ts';
import { table } from '../table.ts';

interface ShowOptions extends Target {
  code?: boolean;
  /** Without it, the current one. */
  of?: number;
  json?: boolean;
}

/** `hearth show`: one function with its settings, or just its code. */
export async function show(functionName: string, options: ShowOptions): Promise<void> {
  const path = { function_name: functionName };
  const found =
    options.of === undefined
      ? await call(options, 'GET /functions/{function_name}', { path })
      : await call(options, 'GET /functions/{function_name}/versions/{number}', { path: { ...path, number: options.of } });
  if (options.code) {
    process.stdout.write(printable(found.function_code).replace(/\n?$/, '\n'));
    return;
  }
  if (options.json) {
    printJson(found);
    return;
  }
  const rows: [string, string][] = [
    ['name', found.function_name],
    ['event key', found.event_type],
    ['version', `${found.version} (${found.hash.slice(0, 12)}), registered ${time(found.created_at)}`],
    ['runtime', `${found.runtime}, style ${found.style}`],
    ['timeout', duration(found.timeout_ms)],
    ['network', found.network],
    ['memory', found.memory_mb === null ? "the platform's default" : `${found.memory_mb} MiB`],
    ['cpu', found.cpu === null ? "the platform's default" : String(found.cpu)],
    ['concurrency', `${found.concurrency} at a time in an instance, ${found.max_instances} instances at most, ${found.reserved} always warm`],
    ['layers', list(found.layers)],
    ['secrets', list(found.secrets)],
    ['invokes', list(found.invokes)],
    ['error logs', found.error_logs ? 'callers see the last lines of a call that failed' : 'callers see none'],
    ['environment', list(Object.keys(found.environment))],
    ['files', found.bundle === null ? 'one text' : `bundle ${found.bundle.hash.slice(0, 12)}, entry ${found.bundle.entry}`],
  ];
  process.stdout.write(table(rows));
}

function list(names: readonly string[]): string {
  return names.length === 0 ? '-' : names.join(', ');
}
