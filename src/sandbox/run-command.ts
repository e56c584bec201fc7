import { spawn } from 'node:child_process';

export interface CommandResult {
  /** Exit code; null when a signal or the timeout ended it, or when it could not be started. */
  code: number | null;
  stdout: string;
  /** What it wrote, or why it could not be started. */
  stderr: string;
}

export interface CommandOptions {
  environment: Record<string, string>;
  timeoutMs: number;
  stdin?: string;
  uid?: number;
  /** Open descriptors that the command gets as 3, 4, … */
  descriptors?: readonly number[];
}

const OUTPUT_LIMIT = 1024 * 1024;

/** Runs a short helper command to its end. Never rejects: what went wrong is in the result. */
export function runCommand(file: string, argv: readonly string[], options: CommandOptions): Promise<CommandResult> {
  return new Promise((resolve) => {
    const identity = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid };
    const child = spawn(file, argv, {
      cwd: '/',
      env: options.environment,
      stdio: ['pipe', 'pipe', 'pipe', ...(options.descriptors ?? [])],
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL',
      ...identity,
    });
    let stdout = '';
    let stderr = '';
    child.on('error', (error) => resolve({ code: null, stdout, stderr: error.message }));
    child.on('close', (code) => resolve({ code, stdout, stderr }));
    child.stdout?.on('data', (chunk: Buffer) => {
      if (stdout.length < OUTPUT_LIMIT) stdout += chunk.toString();
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      if (stderr.length < OUTPUT_LIMIT) stderr += chunk.toString();
    });
    // A command that ends without reading its input is judged by its exit code.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.stdin ?? '');
  });
}
