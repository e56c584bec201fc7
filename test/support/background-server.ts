import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { sleep } from './hearth.ts';

/** Nobody's in particular: some servers refuse to run as root. */
export const UNPRIVILEGED = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};

/** A port of the loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

/** A program that goes on until it is stopped. */
export class BackgroundServer {
  readonly #child: ChildProcess;
  #output = '';

  constructor(command: string, argv: readonly string[], cwd: string) {
    this.#child = spawn(command, argv, {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' },
      ...UNPRIVILEGED,
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
  }

  /** Resolves once it has printed that. */
  async printed(text: string): Promise<void> {
    const deadline = Date.now() + 60_000;
    while (!this.#output.includes(text)) {
      if (this.#child.exitCode !== null || Date.now() > deadline) {
        await this.stop('SIGKILL');
        throw new Error(`${this.#child.spawnfile} did not start (exit code ${this.#child.exitCode}):\n${this.#output}`);
      }
      await sleep(20);
    }
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill(signal);
    await once(this.#child, 'exit');
  }
}
