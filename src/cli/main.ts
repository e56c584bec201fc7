import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { HearthError } from '../errors.ts';
import { printable } from '../printable.ts';
import { createProgram } from './program.ts';

/** Exit codes: 0 done, 1 it failed (the message says why), 2 the command line was not understood, 3 the platform wants a token, another one, or one with more rights. */

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

try {
  await createProgram(version, process.env).parseAsync();
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
