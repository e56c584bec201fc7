const FRAME_HEADER_BYTES = 7;
const METHOD_FRAME = 1;

/** Follows one direction of an AMQP connection just so far as to tell its frames apart and to see the methods that are about the connection itself. */
export class MethodWatch {
  readonly #onMethod: (method: number) => void;
  /** Until the next boundary. */
  #skip: number;
  /** A frame's header, and the class and method ids that a method frame's payload begins with. */
  readonly #head = Buffer.alloc(FRAME_HEADER_BYTES + 4);
  #headBytes = 0;

  /** @param preambleBytes before the first frame @param onMethod told of class and method ids, of methods on channel 0 */
  constructor(preambleBytes: number, onMethod: (method: number) => void) {
    this.#skip = preambleBytes;
    this.#onMethod = onMethod;
  }

  /** Whether what was seen ends where a frame does. */
  get isBetweenFrames(): boolean {
    return this.#skip === 0 && this.#headBytes === 0;
  }

  see(chunk: Buffer): void {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - offset);
        this.#skip -= skipped;
        offset += skipped;
        continue;
      }
      const wanted = this.#headBytes < FRAME_HEADER_BYTES ? FRAME_HEADER_BYTES : this.#head.length;
      const taken = chunk.copy(this.#head, this.#headBytes, offset, offset + wanted - this.#headBytes);
      this.#headBytes += taken;
      offset += taken;
      this.#look();
    }
  }

  #look(): void {
    if (this.#headBytes < FRAME_HEADER_BYTES) return;
    const size = this.#head.readUInt32BE(3);
    const isOfConnection = this.#head[0] === METHOD_FRAME && this.#head.readUInt16BE(1) === 0 && size >= 4;
    if (isOfConnection && this.#headBytes < this.#head.length) return;
    if (isOfConnection) this.#onMethod(this.#head.readUInt32BE(FRAME_HEADER_BYTES));
    // The rest of the payload, and the byte at the frame's end.
    this.#skip = size + 1 - (this.#headBytes - FRAME_HEADER_BYTES);
    this.#headBytes = 0;
  }
}
