import { call, type Target } from './api-client.ts';
import { usage } from './cli-error.ts';
import { instantOf, time } from './instant.ts';
import { printJson } from './print.ts';
import { table } from './table.ts';

export async function keysList(functionName: string, options: Target & { json?: boolean }): Promise<void> {
  const { keys } = await call(options, 'GET /functions/{function_name}/keys', { path: { function_name: functionName } });
  if (options.json) {
    process.stdout.write(`${JSON.stringify(keys, null, 2)}\n`);
    return;
  }
  const rows = keys.map(({ id, name, rate_limit: limit, created_at: created, expires_at: expires }) => [
    id,
    name,
    limit ? `${limit.requests} in ${limit.per_s} s, ${limit.burst} at once` : '-',
    time(created),
    expires === null ? 'never' : `${time(expires)}${expires <= Date.now() ? ' (expired)' : ''}`,
  ]);
  process.stdout.write(table([['ID', 'NAME', 'RATE', 'CREATED', 'EXPIRES'], ...rows]));
}

interface KeysCreateOptions extends Target {
  rate?: string;
  expires: string;
  json?: boolean;
}

/** The key alone goes to standard output, so that a script can take it. */
export async function keysCreate(functionName: string, name: string, options: KeysCreateOptions): Promise<void> {
  const expiresAt = instantOf(options.expires, Date.now());
  const created = await call(options, 'POST /functions/{function_name}/keys', {
    path: { function_name: functionName },
    body: {
      name,
      ...(options.rate === undefined ? {} : { rate_limit: parseRate(options.rate) }),
      ...(expiresAt === null ? {} : { expires_at: expiresAt }),
    },
  });
  for (const warning of created.warnings) process.stderr.write(`hearth: ${warning}\n`);
  if (options.json) {
    process.stdout.write(`${JSON.stringify(created, null, 2)}\n`);
    return;
  }
  process.stderr.write('This key is shown once; only its hash is kept.\n');
  process.stdout.write(`${created.key}\n`);
}

export async function keysRevoke(functionName: string, key: string, options: Target & { json?: boolean }): Promise<void> {
  const done = await call(options, 'DELETE /functions/{function_name}/keys/{key}', { path: { function_name: functionName, key } });
  if (options.json) printJson(done);
  else process.stdout.write(`The key ${key} of ${functionName} is revoked.\n`);
}

/** `100/60` or `100/60/10`: requests, seconds, and how many at once. */
function parseRate(text: string): { requests: number; per_s: number; burst?: number } {
  const match = /^(\d+)\/(\d+)(?:\/(\d+))?$/.exec(text);
  if (!match) {
    throw usage(`--rate ${text} is not REQUESTS/SECONDS or REQUESTS/SECONDS/BURST; 100/60 means 100 requests in a minute.`);
  }
  return { requests: Number(match[1]), per_s: Number(match[2]), ...(match[3] === undefined ? {} : { burst: Number(match[3]) }) };
}
