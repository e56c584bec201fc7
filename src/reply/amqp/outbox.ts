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

  /** @returns whether there was anything to write */
  flush(): boolean {
    const [first] = this.#frames;
    if (first === undefined) return false;
    const bytes = this.#frames.length === 1 ? first : Buffer.concat(this.#frames);
    this.#frames.length = 0;
    if (this.#stream.writable && !this.#stream.write(bytes)) {
      this.#stream.pause();
      this.#stream.once('drain', () => this.#stream.resume());
    }
    return true;
  }
}
