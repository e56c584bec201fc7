import type { Readable } from 'node:stream';

export type OutputListener = (stream: 'stdout' | 'stderr', chunk: Buffer) => void;

const EARLY_LIMIT = 64 * 1024;
const HEAD_LIMIT = 4096;

/**
 * Passes on what a sandbox writes to its descriptors 1 and 2. What comes before the first listener is kept, up to 64 KiB, until
 * `release`; what comes later without a listener is read and dropped, so that the sandbox never blocks on it.
 */
export class OutputRelay {
  #listener: OutputListener | undefined;
  #early: Array<['stdout' | 'stderr', Buffer]> | undefined = [];
  #earlyBytes = 0;
  #stderrHead = '';

  /** Resolves when both streams have ended and their last bytes are handed on. */
  readonly drained: Promise<void>;

  constructor(stdout: Readable, stderr: Readable) {
    const closed = (stream: Readable) => new Promise<void>((resolve) => stream.on('close', resolve));
    this.drained = Promise.all([closed(stdout), closed(stderr)]).then(() => undefined);
    stdout.on('data', (chunk: Buffer) => this.#take('stdout', chunk));
    stderr.on('data', (chunk: Buffer) => this.#take('stderr', chunk));
    // A reset at the death of the sandbox is no news: `exited` tells it.
    stdout.on('error', () => undefined);
    stderr.on('error', () => undefined);
  }

  /** The first 4 KiB of standard error, for messages about a start that failed. */
  get stderrHead(): string {
    return this.#stderrHead.trim();
  }

  listen(listener: OutputListener): void {
    this.#listener = listener;
    const early = this.#early ?? [];
    this.#early = undefined;
    setImmediate(() => {
      for (const [stream, chunk] of early) listener(stream, chunk);
    });
  }

  /** No listener is coming: what was kept is dropped. */
  release(): void {
    this.#early = undefined;
  }

  #take(stream: 'stdout' | 'stderr', chunk: Buffer): void {
    if (stream === 'stderr' && this.#stderrHead.length < HEAD_LIMIT) this.#stderrHead = (this.#stderrHead + chunk.toString()).slice(0, HEAD_LIMIT);
    if (this.#listener !== undefined) this.#listener(stream, chunk);
    else if (this.#early !== undefined && this.#earlyBytes < EARLY_LIMIT) {
      this.#early.push([stream, chunk]);
      this.#earlyBytes += chunk.length;
    }
  }
}
