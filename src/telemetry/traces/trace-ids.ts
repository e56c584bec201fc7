import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 4096;
const TRACE_BYTES = 16;
const SPAN_BYTES = 8;

/** Random ids in lower-case hexadecimal digits. Bytes are drawn a page at a time: a call to the system for each id would cost more than the rest of a span. */
export class TraceIds {
  readonly #pool = Buffer.alloc(POOL_BYTES);
  #used = POOL_BYTES;

  /** 32 digits, not all 0. */
  traceId(): string {
    return this.#draw(TRACE_BYTES);
  }

  /** 16 digits, not all 0. */
  spanId(): string {
    return this.#draw(SPAN_BYTES);
  }

  #draw(bytes: number): string {
    for (;;) {
      if (this.#used + bytes > POOL_BYTES) {
        randomFillSync(this.#pool);
        this.#used = 0;
      }
      const id = this.#pool.toString('hex', this.#used, this.#used + bytes);
      this.#used += bytes;
      // An id of zeros alone is none.
      if (/[^0]/.test(id)) return id;
    }
  }
}
