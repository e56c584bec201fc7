/** What one function may write before its rate counts, as a share of all that is kept. */
const BURST_SHARE = 1 / 16;

interface Bucket {
  bytes: number;
  /** Milliseconds since the epoch. */
  filledAt: number;
  leftOut: number;
}

/** Keeps functions that print without end from washing away what the others printed: a bucket of bytes for each, which fills at a rate. */
export class LineAllowance {
  readonly #bytesPerMs: number;
  readonly #burst: number;
  readonly #buckets = new Map<string, Bucket>();

  /** @param bytesPerS of one function @param keptBytes of the whole log */
  constructor(bytesPerS: number, keptBytes: number) {
    this.#bytesPerMs = bytesPerS / 1000;
    this.#burst = Math.max(bytesPerS, keptBytes * BURST_SHARE);
  }

  /** @returns how many lines were left out before this one; -1: this one is, too */
  take(functionName: string, bytes: number, now: number): number {
    const bucket = this.#bucketOf(functionName, now);
    bucket.bytes = Math.min(this.#burst, bucket.bytes + Math.max(0, now - bucket.filledAt) * this.#bytesPerMs);
    bucket.filledAt = now;
    // After a flood not before there is room for more than this line: gaps are to be few.
    if (bucket.bytes < (bucket.leftOut > 0 ? Math.max(bytes, this.#bytesPerMs * 1000) : bytes)) {
      bucket.leftOut++;
      return -1;
    }
    bucket.bytes -= bytes;
    const { leftOut } = bucket;
    bucket.leftOut = 0;
    return leftOut;
  }

  #bucketOf(functionName: string, now: number): Bucket {
    const known = this.#buckets.get(functionName);
    if (known) return known;
    // Those that have been quiet for long are as good as new.
    for (const [name, { bytes, filledAt }] of this.#buckets) {
      if (bytes + (now - filledAt) * this.#bytesPerMs >= this.#burst) this.#buckets.delete(name);
    }
    const bucket = { bytes: this.#burst, filledAt: now, leftOut: 0 };
    this.#buckets.set(functionName, bucket);
    return bucket;
  }
}
