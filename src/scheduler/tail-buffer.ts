import type { Mask } from '../secrets/mask.ts';

const FIRST_CAPACITY = 256;

/** Keeps the last bytes of a stream of output, within a bound whatever is written. */
export class TailBuffer {
  readonly #limit: number;
  readonly #mask: Mask | undefined;
  /** Grows up to the limit and is a ring from then on: what many tiny pieces hold is their bytes, and nothing for empty ones. */
  #ring: Buffer = Buffer.alloc(0);
  #start = 0;
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
    if (kept.length === 0) return;
    this.#makeRoom(kept.length);
    const end = (this.#start + this.#bytes) % this.#ring.length;
    const copied = kept.copy(this.#ring, end);
    kept.copy(this.#ring, 0, copied);
    this.#bytes += kept.length;
  }

  /** The text; null when nothing was written. Says how much is missing at its beginning. */
  text(): string | null {
    if (this.#bytes === 0) return null;
    const whole = this.#ordered(this.#bytes).toString('utf8');
    // Here rather than in `push`: what is to be taken out may come in two pieces.
    const text = this.#mask ? this.#mask(whole) : whole;
    return this.#dropped > 0 ? `… ${this.#dropped} bytes before this were dropped …\n${text}` : text;
  }

  #makeRoom(bytes: number): void {
    const wanted = Math.min(this.#limit, this.#bytes + bytes);
    if (wanted > this.#ring.length) {
      this.#ring = this.#ordered(Math.min(this.#limit, Math.max(FIRST_CAPACITY, wanted, 2 * this.#ring.length)));
      this.#start = 0;
    }
    const excess = this.#bytes + bytes - this.#ring.length;
    if (excess <= 0) return;
    this.#start = (this.#start + excess) % this.#ring.length;
    this.#bytes -= excess;
    this.#dropped += excess;
  }

  /** A copy that begins with the oldest byte. @param capacity not below what is held */
  #ordered(capacity: number): Buffer {
    const copy = Buffer.alloc(capacity);
    const first = this.#ring.copy(copy, 0, this.#start, Math.min(this.#ring.length, this.#start + this.#bytes));
    this.#ring.copy(copy, first, 0, this.#bytes - first);
    return copy;
  }
}
