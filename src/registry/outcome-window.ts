const BUCKETS = 20;

/**
 * Calls and errors of the last so many milliseconds, in constant memory: old ones fall out a twentieth of the window at a time, so that what counts is
 * between 95 and 100 % of the window long.
 */
export class OutcomeWindow {
  readonly #bucketMs: number;
  readonly #calls = new Array<number>(BUCKETS).fill(0);
  readonly #errors = new Array<number>(BUCKETS).fill(0);
  /** The bucket that is filled now, counted from time 0. */
  #current = -1;
  #callSum = 0;
  #errorSum = 0;

  constructor(windowMs: number) {
    this.#bucketMs = windowMs / BUCKETS;
  }

  get calls(): number {
    return this.#callSum;
  }

  get errors(): number {
    return this.#errorSum;
  }

  /** @param now milliseconds, not below 0, not before that of the call before */
  add(now: number, failed: boolean): void {
    const bucket = Math.floor(now / this.#bucketMs);
    for (let passed = Math.max(this.#current + 1, bucket - BUCKETS + 1); passed <= bucket; passed++) this.#empty(passed % BUCKETS);
    this.#current = bucket;
    const at = bucket % BUCKETS;
    this.#calls[at] = (this.#calls[at] as number) + 1;
    this.#callSum++;
    if (!failed) return;
    this.#errors[at] = (this.#errors[at] as number) + 1;
    this.#errorSum++;
  }

  #empty(at: number): void {
    this.#callSum -= this.#calls[at] as number;
    this.#errorSum -= this.#errors[at] as number;
    this.#calls[at] = 0;
    this.#errors[at] = 0;
  }
}
