const FIRST_CAPACITY = 256;

/**
 * Gathers bytes that come in pieces. It grows with what has come rather than with what was announced, so that
 * a client that announces much and sends nothing holds nothing; and many tiny pieces cost no more than their bytes.
 */
export class ByteCollector {
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What has come so far, as a view. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** @param expected the length at which the collection is complete: capacity never goes beyond it */
  append(piece: Buffer, expected: number): void {
    const length = this.#length + piece.length;
    if (length > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(length, Math.min(expected, Math.max(FIRST_CAPACITY, this.#bytes.length * 2))));
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    piece.copy(this.#bytes, this.#length);
    this.#length = length;
  }

  /** Hands over what was gathered and starts anew. */
  take(): Buffer {
    const taken = this.bytes;
    this.#bytes = Buffer.alloc(0);
    this.#length = 0;
    return taken;
  }
}
