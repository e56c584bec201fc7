import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { HearthError } from '../errors.ts';
import { printable } from '../printable.ts';
import { completionCommands } from './completion-commands.ts';
import { functionCommands } from './function-commands.ts';
import { onPlatformWith } from './on-platform.ts';
import { platformCommands } from './platform-commands.ts';
import { resourceCommands } from './resource-commands.ts';

/** Exit codes: 0 done, 1 it failed (the message says why), 2 the command line was not understood, 3 the platform wants a token, another one, or one with more rights. */

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

const program = new Command('hearth')
  .description('A self-hosted serverless platform. Settings come from the environment (HEARTH_…) and from the file that HEARTH_CONFIG names.')
  .version(version)
  .exitOverride()
  .configureHelp({ showGlobalOptions: true });
const onPlatform = onPlatformWith(process.env.HEARTH_TOKEN);
platformCommands(program, onPlatform, version, process.env);
functionCommands(program, onPlatform);
resourceCommands(program, onPlatform);
completionCommands(program, process.env.HEARTH_TOKEN);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof HearthError) {
    process.stderr.write(`hearth: ${printable(error.message)}\n`);
    const { output } = error.extra;
    if (typeof output === 'string') process.stderr.write(`${printable(output.trimEnd())}\n`);
    return error.code === 'unauthenticated' || error.code === 'forbidden' ? 3 : 1;
  }
  process.stderr.write(`hearth: ${printable(error instanceof Error ? (error.stack ?? error.message) : String(error))}\n`);
  return 1;
}
