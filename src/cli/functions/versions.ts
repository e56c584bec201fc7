import { call, type Target } from '../api-client.ts';
import { time } from '../instant.ts';
import { printJson, printTable } from '../print.ts';

export async function versions(functionName: string, options: Target & { json?: boolean }): Promise<void> {
  const path = { function_name: functionName };
  const [{ versions: all }, current] = await Promise.all([
    call(options, 'GET /functions/{function_name}/versions', { path }),
    // A deleted function has versions, too.
    call(options, 'GET /functions').then((byKey) =>
      Object.values(byKey)
        .flat()
        .find(({ function_name: name }) => name === functionName),
    ),
  ]);
  if (options.json) {
    printJson(all);
    return;
  }
  const rows = all.map(({ version, event_type: on, runtime, style, hash, created_at: at }) => [
    `${version}${version === current?.version ? ' (current)' : ''}`,
    on,
    `${runtime} ${style}`,
    hash.slice(0, 12),
    time(at),
  ]);
  printTable(['VERSION', 'EVENT KEY', 'RUNTIME', 'HASH', 'REGISTERED'], rows);
}

export async function rollback(functionName: string, options: Target & { to?: number; json?: boolean }): Promise<void> {
  const done = await call(options, 'POST /functions/{function_name}/rollback', {
    path: { function_name: functionName },
    body: options.to === undefined ? {} : { version: options.to },
  });
  for (const warning of done.warnings) process.stderr.write(`hearth: ${warning}\n`);
  if (options.json) printJson(done);
  else process.stdout.write(`${functionName} is version ${done.version} again; it was ${done.rolled_back_from}.\n`);
}

export async function remove(functionName: string, options: Target & { json?: boolean }): Promise<void> {
  const done = await call(options, 'DELETE /functions/{function_name}', { path: { function_name: functionName } });
  if (options.json) printJson(done);
  else if (done.deleted) process.stdout.write(`${functionName} is deleted. Its versions stay: \`hearth versions ${functionName}\`.\n`);
  else process.stdout.write(`There was no function ${functionName}; \`hearth list\` has those there are.\n`);
}
