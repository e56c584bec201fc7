import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { HearthError } from '../errors.ts';
import { printable } from '../printable.ts';
import { EXIT, exitCodeOf, messageOf } from './cli-error.ts';
import { bad } from './print.ts';
import { createProgram } from './program.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

try {
  await createProgram(version, process.env).parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  // It has said so itself.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  const message = messageOf(error) ?? (error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.stderr.write(`${bad('hearth:')} ${printable(message)}\n`);
  if (error instanceof HearthError && typeof error.extra.output === 'string') process.stderr.write(`${printable(error.extra.output.trimEnd())}\n`);
  return exitCodeOf(error);
}
