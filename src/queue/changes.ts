/** Who wants to know, in this process, when an invocation has changed. Whoever is told reads the record. */
export class Changes {
  readonly #listeners = new Map<string, Set<() => void>>();

  /** @returns what ends it */
  watch(id: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id);
    };
  }

  tell(id: string): void {
    for (const listener of [...(this.#listeners.get(id) ?? [])]) listener();
  }

  /** Any may have changed. */
  tellAll(): void {
    for (const id of [...this.#listeners.keys()]) this.tell(id);
  }
}
