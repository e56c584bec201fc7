/** Pieces from this size on are kept as they came: what else was read with them is no more than they are. */
const LARGE_BYTES = 32 * 1024;
const BLOCK_BYTES = 64 * 1024;

/** Gathers a body that comes in pieces. The first is not copied, since it is most often the only one; many tiny ones hold little more than their bytes. */
export class BodyPieces {
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** A block of ours that stands last among the pieces and has room. */
  #block: Buffer | null = null;
  #used = 0;

  get bytes(): number {
    return this.#bytes;
  }

  add(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#bytes += chunk.length;
    if (this.#pieces.length === 0 || chunk.length >= LARGE_BYTES) {
      this.#endBlock();
      this.#pieces.push(chunk);
      return;
    }
    for (let offset = 0; offset < chunk.length; ) {
      if (this.#block === null || this.#used === BLOCK_BYTES) this.#beginBlock();
      const copied = chunk.copy(this.#block as unknown as Buffer, this.#used, offset);
      this.#used += copied;
      offset += copied;
    }
  }

  /** Hands over the whole and starts anew. */
  take(): Buffer {
    this.#endBlock();
    const whole = this.#pieces.length === 1 ? (this.#pieces[0] as Buffer) : Buffer.concat(this.#pieces, this.#bytes);
    this.#pieces = [];
    this.#bytes = 0;
    return whole;
  }

  #beginBlock(): void {
    this.#block = Buffer.allocUnsafe(BLOCK_BYTES);
    this.#used = 0;
    this.#pieces.push(this.#block);
  }

  #endBlock(): void {
    if (this.#block) this.#pieces[this.#pieces.length - 1] = this.#block.subarray(0, this.#used);
    this.#block = null;
  }
}
