import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Writable } from 'node:stream';

/** Runs what it is given in this shell, so that folders, variables and aliases stay; what is typed can't read what is typed next. */
const SHELL = `exec 2>&1
shopt -s expand_aliases
while IFS= read -r -d '' typed <&3; do eval "$typed" </dev/null 3<&-; printf '\\n%s\\n' "$MARK"; done`;

/** A bash that is typed into, as by somebody at a terminal, errors among what it prints. Dispose of it with `await using`: what it leaves running ends with it. */
export class Terminal {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #mark: string;
  #unheard = '';
  #heard: () => void = () => undefined;

  private constructor(child: ChildProcess, mark: string) {
    this.#child = child;
    this.#mark = `\n${mark}\n`;
    this.#closed = once(child, 'close').then(() => this.#heard());
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#unheard += text;
      this.#heard();
    });
    // It may have ended without reading.
    this.#keys.on('error', () => undefined);
  }

  static open({ cwd, env }: { cwd: string; env: NodeJS.ProcessEnv }): Terminal {
    const mark = randomUUID();
    // A process group of its own, by which all that it starts can be ended.
    const child = spawn('bash', ['-c', SHELL], { cwd, env: { ...env, MARK: mark }, stdio: ['ignore', 'pipe', 'ignore', 'pipe'], detached: true });
    return new Terminal(child, mark);
  }

  get #keys(): Writable {
    return this.#child.stdio[3] as Writable;
  }

  /** @returns what the commands have printed once they are over, or until `timeoutMs` have passed */
  async type(commands: string, timeoutMs: number): Promise<string> {
    this.start(commands);
    return this.hear((printed) => {
      const end = printed.indexOf(this.#mark);
      return end < 0 ? undefined : [printed.slice(0, end), printed.slice(end + this.#mark.length)];
    }, timeoutMs);
  }

  /** Types commands that go on, or whose end nobody waits for. */
  start(commands: string): void {
    this.#keys.write(`${commands}\0`);
  }

  /**
   * Waits until `split` finds what is waited for in what was printed and not yet heard.
   * @param split takes that apart into what is heard now and what remains
   * @returns what is heard; all there is when the time has passed or the shell has ended
   */
  async hear(split: (printed: string) => [heard: string, rest: string] | undefined, timeoutMs: number): Promise<string> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#heard();
    }, timeoutMs);
    for (;;) {
      const ended = this.#child.exitCode !== null || this.#child.signalCode !== null;
      const found = split(this.#unheard) ?? (late || ended ? [this.#unheard, ''] : undefined);
      if (found) {
        clearTimeout(timer);
        this.#unheard = found[1];
        return found[0];
      }
      await new Promise<void>((resolve) => (this.#heard = resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      process.kill(-(this.#child.pid as number), 'SIGKILL');
    } catch (error) {
      // Nothing is left of it.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    await this.#closed;
  }
}
