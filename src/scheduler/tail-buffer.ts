import type { Mask } from '../secrets/mask.ts';

/** Keeps the last bytes of a stream of output, within a bound whatever is written. */
export class TailBuffer {
  readonly #limit: number;
  readonly #mask: Mask | undefined;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #dropped = 0;

  /** @param limit bytes @param mask takes out of the text what nobody is to read */
  constructor(limit: number, mask?: Mask) {
    this.#limit = limit;
    this.#mask = mask;
  }

  /** Copies: chunks are views into larger reads, which must not be kept alive by a log. */
  push(chunk: Buffer): void {
    const kept = chunk.length > this.#limit ? chunk.subarray(chunk.length - this.#limit) : chunk;
    this.#dropped += chunk.length - kept.length;
    this.#chunks.push(Buffer.from(kept));
    this.#bytes += kept.length;
    while (this.#bytes > this.#limit) {
      const first = this.#chunks[0] as Buffer;
      const excess = Math.min(this.#bytes - this.#limit, first.length);
      if (excess === first.length) this.#chunks.shift();
      else this.#chunks[0] = first.subarray(excess);
      this.#bytes -= excess;
      this.#dropped += excess;
    }
  }

  /** The text; null when nothing was written. Says how much is missing at its beginning. */
  text(): string | null {
    if (this.#bytes === 0) return null;
    const whole = Buffer.concat(this.#chunks, this.#bytes).toString('utf8');
    // Here rather than in `push`: what is to be taken out may come in two pieces.
    const text = this.#mask ? this.#mask(whole) : whole;
    return this.#dropped > 0 ? `… ${this.#dropped} bytes before this were dropped …\n${text}` : text;
  }
}
