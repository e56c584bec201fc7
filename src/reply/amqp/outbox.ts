import type { Duplex } from 'node:stream';

/** Gathers frames and writes them in one piece; holds the input back while the client doesn't read its answers. */
export class Outbox {
  readonly #stream: Duplex;
  readonly #frames: Buffer[] = [];

  constructor(stream: Duplex) {
    this.#stream = stream;
  }

  add(frame: Buffer): void {
    this.#frames.push(frame);
  }

  flush(): void {
    const [first] = this.#frames;
    if (first === undefined) return;
    const bytes = this.#frames.length === 1 ? first : Buffer.concat(this.#frames);
    this.#frames.length = 0;
    if (!this.#stream.writable || this.#stream.write(bytes)) return;
    this.#stream.pause();
    this.#stream.once('drain', () => this.#stream.resume());
  }
}
