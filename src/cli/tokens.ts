import { HearthError } from '../errors.ts';
import { call, type Target } from './api-client.ts';
import { instantOf, time } from './instant.ts';
import { printJson } from './print.ts';
import { table } from './table.ts';

/** The token goes to standard output and what is to be known about it to standard error, so that a script can keep the one. */
export async function tokensCreate(
  options: Target & { name: string; role: 'read' | 'deploy' | 'admin'; expires: string; json?: boolean },
): Promise<void> {
  const expiresAt = instantOf(options.expires, Date.now());
  const made = await call(options, 'POST /tokens', {
    body: { name: options.name, role: options.role, ...(expiresAt === null ? {} : { expires_at: expiresAt }) },
  });
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
  const { tokens } = await call(options, 'GET /tokens');
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

export async function tokensRevoke(nameOrId: string, options: Target & { json?: boolean }): Promise<void> {
  const { tokens } = await call(options, 'GET /tokens');
  const found = tokens.find(({ id }) => id === nameOrId) ?? tokens.find(({ name }) => name === nameOrId);
  if (found === undefined) throw new HearthError('not_found', `There is no token "${nameOrId}"; \`hearth tokens list\` has names and ids.`);
  const done = await call(options, 'DELETE /tokens/{id}', { path: { id: found.id } });
  if (options.json) printJson({ ...done, id: found.id, name: found.name });
  else process.stdout.write(`The token ${found.name} (id ${found.id}) is revoked.\n`);
}
