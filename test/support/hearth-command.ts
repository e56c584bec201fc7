import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { platformImports } from './bundled-platform.ts';
import { sleep } from './hearth.ts';

const BIN = fileURLToPath(new URL('../../bin/hearth.js', import.meta.url));

/** Runs `hearth` with these arguments and this environment (besides PATH) until it ends. @param input what it reads from standard input, which ends at once otherwise */
export async function hearthCommand(
  args: readonly string[],
  environment: Record<string, string> = {},
  { input = '' }: { input?: string } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const imports = await platformImports();
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [...imports, BIN, ...args],
      { env: { PATH: process.env.PATH, ...environment }, timeout: 30_000, killSignal: 'SIGKILL' },
      (_, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
    // It may have ended without reading.
    child.stdin?.on('error', () => undefined).end(input);
  });
}

/** `hearth` with a command that goes on until it is stopped. Dispose of it with `await using`. */
export async function backgroundCommand(
  args: readonly string[],
): Promise<AsyncDisposable & { readonly output: string; says(text: string): Promise<void> }> {
  const child = spawn(process.execPath, [...(await platformImports()), BIN, ...args], {
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  let output = '';
  let heard = 0;
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return {
    /** What it has printed so far. */
    get output() {
      return output;
    },
    /** Resolves once it has printed that, after what it was heard to say before. */
    async says(text) {
      const deadline = Date.now() + 30_000;
      for (let at = -1; at < 0; at = output.indexOf(text, heard)) {
        if (child.exitCode !== null || Date.now() > deadline) throw new Error(`hearth ${args[0]} did not print ${JSON.stringify(text)}:\n${output}`);
        await sleep(20);
      }
      heard = output.indexOf(text, heard) + text.length;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
