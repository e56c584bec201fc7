import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Runs a program to its end. @returns standard output @throws Error with what it wrote to standard error */
export async function runCommand(program: string, args: readonly string[], timeoutMs = 600_000): Promise<string> {
  try {
    const { stdout } = await execute(program, args, { timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024 });
    return stdout;
  } catch (cause) {
    const { code, stderr, message } = cause as NodeJS.ErrnoException & { stderr?: string };
    if (code === 'ENOENT') throw new Error(`${program} is not installed`, { cause });
    throw new Error(`${program} ${args.slice(0, 3).join(' ')} … failed: ${(stderr?.trim() || message).slice(-600)}`, { cause });
  }
}
