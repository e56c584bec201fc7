import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process of the bench. Disposing of it ends it: SIGTERM, and after ten seconds SIGKILL. */
export class Child implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(command: string, args: readonly string[], options: SpawnOptions = {}) {
    this.process = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'], ...options });
    this.#ended = once(this.process, 'close');
    // A command that can't be started shows in `running`; nobody waits for this promise then.
    this.#ended.catch(() => undefined);
  }

  get running(): boolean {
    return this.process.pid !== undefined && this.process.exitCode === null && this.process.signalCode === null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.running) return;
    this.process.kill('SIGTERM');
    const timer = setTimeout(() => this.process.kill('SIGKILL'), 10_000);
    await this.#ended;
    clearTimeout(timer);
  }
}

/** Waits until something listens on the loopback port. @throws Error when the child ends first, or after 20 s */
export async function listening(child: Child, port: number): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await canConnect(port))) {
    if (!child.running || Date.now() > deadline) throw new Error(`nothing listens on port ${port}: ${child.process.spawnargs.join(' ')}`);
    await sleep(20);
  }
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => socket.destroy() && resolve(true));
    socket.once('error', () => resolve(false));
  });
}
