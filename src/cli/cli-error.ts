import { HearthError } from '../errors.ts';

/** What a command ends with. docs/cli.md lists the same. */
export const EXIT = { done: 0, failed: 1, usage: 2, access: 3, unreachable: 4 } as const;

/** A failure of the command itself, which the control plane had no part in. */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.exitCode = exitCode;
  }
}

/** The command line says what can't be meant. */
export function usage(message: string): CliError {
  return new CliError(EXIT.usage, message);
}

/** Nothing answers where a platform should. */
export function unreachable(message: string, cause: unknown): CliError {
  return new CliError(EXIT.unreachable, message, cause);
}

/** What a failure is told as; undefined for one that is a fault of ours, whose stack is told instead. */
export function messageOf(error: unknown): string | undefined {
  return error instanceof HearthError || error instanceof CliError ? error.message : undefined;
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof CliError) return error.exitCode;
  return error instanceof HearthError && (error.code === 'unauthenticated' || error.code === 'forbidden') ? EXIT.access : EXIT.failed;
}
