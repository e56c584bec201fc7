/** What request bodies hold of the platform's memory: those that are being read, and those whose requests have no answer yet. */
export class BodyMemory {
  /** Bytes. */
  readonly #limit: number;
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @returns false when there is no room for so many bytes more */
  take(bytes: number): boolean {
    if (this.#held + bytes > this.#limit) return false;
    this.#held += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#held -= bytes;
  }
}
