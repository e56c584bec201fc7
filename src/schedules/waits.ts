/** Calls back once after so many milliseconds. @returns what calls it off */
export type SetTimer = (callback: () => void, ms: number) => () => void;

export const setTimer: SetTimer = (callback, ms) => {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
};

/** Waits that all end at once when their owner does. */
export class Waits {
  readonly #setTimer: SetTimer;
  readonly #ends = new Set<() => void>();
  #ended = false;

  constructor(setTimer: SetTimer) {
    this.#setTimer = setTimer;
  }

  /** Resolves after so many milliseconds, or when all are ended. */
  for(ms: number): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        callOff();
        this.#ends.delete(end);
        resolve();
      };
      const callOff = this.#setTimer(end, ms);
      this.#ends.add(end);
    });
  }

  end(): void {
    this.#ended = true;
    for (const end of [...this.#ends]) end();
  }
}
