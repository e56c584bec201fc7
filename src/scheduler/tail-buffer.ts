/** Keeps the last bytes of a stream of output, within a bound whatever is written. */
export class TailBuffer {
  readonly #limit: number;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #dropped = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
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
    const text = Buffer.concat(this.#chunks, this.#bytes).toString('utf8');
    return this.#dropped > 0 ? `… ${this.#dropped} bytes before this were dropped …\n${text}` : text;
  }
}
