/** Runs tasks of the same key one after another, in the order in which they came; those of different keys don't wait for each other. */
export class Sequence {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Settles as the task does. One that fails doesn't keep the next from running. */
  run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const result = before.then(task);
    const tail = result
      .catch(() => {})
      .then(() => {
        if (this.#tails.get(key) === tail) this.#tails.delete(key);
      });
    this.#tails.set(key, tail);
    return result;
  }
}
