import { HearthError } from '../errors.ts';
import { request, type Target } from './api-client.ts';
import { table } from './table.ts';

interface TokenOnTheWire {
  id: string;
  name: string;
  role: string;
  expires_at: number | null;
  last_used_at: number | null;
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3600_000, d: 24 * 3600_000, w: 7 * 24 * 3600_000, y: 365 * 24 * 3600_000 };

/** The token goes to standard output and what is to be known about it to standard error, so that a script can keep the one. */
export async function tokensCreate(options: Target & { name: string; role: string; expires: string; json?: boolean }): Promise<void> {
  const expiresAt = instantOf(options.expires, Date.now());
  const made = (await request(options, 'POST', '/tokens', {
    name: options.name,
    role: options.role,
    ...(expiresAt === null ? {} : { expires_at: expiresAt }),
  })) as TokenOnTheWire & { token: string };
  if (options.json) {
    process.stdout.write(`${JSON.stringify(made, null, 2)}\n`);
    return;
  }
  process.stderr.write(
    `The token ${made.name} (id ${made.id}) has the role ${made.role} and ${made.expires_at === null ? 'does not expire' : `expires at ${time(made.expires_at)}`}. ` +
      'This is its only showing; give it to the command as HEARTH_TOKEN or in a file named by --token-file.\n',
  );
  process.stdout.write(`${made.token}\n`);
}

export async function tokensList(options: Target & { json?: boolean }): Promise<void> {
  const { tokens } = (await request(options, 'GET', '/tokens')) as { tokens: TokenOnTheWire[] };
  if (options.json) {
    process.stdout.write(`${JSON.stringify(tokens, null, 2)}\n`);
    return;
  }
  const rows = tokens.map(({ id, name, role, expires_at, last_used_at }) => [
    id,
    name,
    role,
    expires_at === null ? 'never' : `${time(expires_at)}${expires_at <= Date.now() ? ' (expired)' : ''}`,
    last_used_at === null ? 'never' : time(last_used_at),
  ]);
  process.stdout.write(table([['ID', 'NAME', 'ROLE', 'EXPIRES', 'LAST USED'], ...rows]));
}

export async function tokensRevoke(nameOrId: string, options: Target): Promise<void> {
  const { tokens } = (await request(options, 'GET', '/tokens')) as { tokens: TokenOnTheWire[] };
  const found = tokens.find(({ id }) => id === nameOrId) ?? tokens.find(({ name }) => name === nameOrId);
  if (found === undefined) throw new HearthError('not_found', `There is no token "${nameOrId}"; \`hearth tokens list\` has names and ids.`);
  await request(options, 'DELETE', `/tokens/${encodeURIComponent(found.id)}`);
  process.stdout.write(`The token ${found.name} (id ${found.id}) is revoked.\n`);
}

/** `never`, a time from now on (90m, 12h, 30d, 4w, 1y), or a date. @returns milliseconds since the epoch; null: never */
function instantOf(text: string, now: number): number | null {
  if (text === 'never') return null;
  const [, count, unit] = /^(\d{1,6})([mhdwy])$/.exec(text) ?? [];
  const instant = count === undefined ? Date.parse(text) : now + Number(count) * (UNITS[unit as string] as number);
  if (Number.isNaN(instant)) {
    throw new HearthError(
      'invalid_request',
      `--expires ${text} is neither never, nor a time from now like 90m, 12h, 30d or 1y, nor a date like 2027-01-31.`,
    );
  }
  return instant;
}

function time(instant: number): string {
  return new Date(instant).toISOString().replace(/\.\d+Z$/, 'Z');
}
