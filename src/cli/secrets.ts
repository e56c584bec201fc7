import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { HearthError } from '../errors.ts';
import { call, type Target } from './api-client.ts';
import { printJson } from './print.ts';
import { table } from './table.ts';

export async function secretsSet(name: string, options: Target & { fromFile?: string; json?: boolean }): Promise<void> {
  const value = await readValue(name, options.fromFile);
  const answer = await call(options, 'PUT /secrets/{name}', { path: { name }, body: { value } });
  if (options.json) {
    printJson(answer);
    return;
  }
  const users = answer.functions.length === 0 ? 'no function names it yet' : `named by ${answer.functions.join(', ')}`;
  process.stdout.write(`The secret ${name} ${answer.changed ? 'is set' : 'had that value already'} (version ${answer.version}; ${users}).\n`);
}

export async function secretsList(options: Target & { json?: boolean }): Promise<void> {
  const { secrets } = await call(options, 'GET /secrets');
  if (options.json) {
    process.stdout.write(`${JSON.stringify(secrets, null, 2)}\n`);
    return;
  }
  const rows = secrets.map(({ name, version, updated_at: at, functions }) => [
    name,
    String(version),
    new Date(at).toISOString(),
    functions.join(', '),
  ]);
  process.stdout.write(table([['NAME', 'VERSION', 'SET AT', 'FUNCTIONS'], ...rows]));
}

export async function secretsDelete(name: string, options: Target & { force?: boolean; json?: boolean }): Promise<void> {
  const done = await call(options, 'DELETE /secrets/{name}', { path: { name }, query: { force: options.force === true } });
  if (options.json) printJson(done);
  else process.stdout.write(done.deleted ? `The secret ${name} is deleted.\n` : `There was no secret ${name}.\n`);
}

export async function secretsRotateKey(options: Target & { json?: boolean }): Promise<void> {
  const done = await call(options, 'POST /secrets/rotate-key');
  const { key_id: id, secrets } = done;
  if (options.json) {
    printJson(done);
    return;
  }
  process.stdout.write(
    `The key is changed (its id is ${id} now), and ${secrets} ${secrets === 1 ? 'secret is' : 'secrets are'} encrypted with it.\n`,
  );
}

/** From a file as it is, from a terminal without showing it, else from standard input without the newline that `echo` puts at its end. Never from an argument, which others can see. */
async function readValue(name: string, file: string | undefined): Promise<string> {
  if (file !== undefined) {
    return readFile(file, 'utf8').catch((cause: Error) => {
      throw new HearthError('invalid_request', `The file ${file} can't be read: ${cause.message}.`, { cause });
    });
  }
  if (!process.stdin.isTTY) return (await text(process.stdin)).replace(/\r?\n$/, '');
  process.stderr.write(`Value of ${name} (not shown): `);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await terminal.question('');
  } finally {
    terminal.close();
    process.stderr.write('\n');
  }
}
