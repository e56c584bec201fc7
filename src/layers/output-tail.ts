/** Keeps the last of what was written to it; `maxBytes` bounds both its memory (twice that) and what it returns. */
export class OutputTail {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #cut = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  write(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > this.#maxBytes * 2) this.#trim();
  }

  /** As text, beginning at a whole line when something before it was dropped. */
  text(): string {
    this.#trim();
    const text = Buffer.concat(this.#chunks).toString('utf8');
    return this.#cut ? text.slice(text.indexOf('\n') + 1) : text;
  }

  #trim(): void {
    if (this.#bytes <= this.#maxBytes) return;
    // Copied, so that the slice doesn't keep the whole in memory.
    const kept = Buffer.from(Buffer.concat(this.#chunks).subarray(-this.#maxBytes));
    this.#chunks = [kept];
    this.#bytes = kept.length;
    this.#cut = true;
  }
}
