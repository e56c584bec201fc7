import type { Invocation } from './invocation.ts';

/** First in, first out; taking one out of the middle leaves a hole that is skipped later, so that every operation is cheap however long the line. */
export class InvocationQueue {
  #items: (Invocation | null)[] = [];
  #head = 0;
  #length = 0;
  readonly #positions = new Map<Invocation, number>();

  get length(): number {
    return this.#length;
  }

  push(invocation: Invocation): void {
    this.#positions.set(invocation, this.#items.length);
    this.#items.push(invocation);
    this.#length++;
  }

  /** Back to its head, in their order, those that had left it. */
  putBack(invocations: readonly Invocation[]): void {
    const rest = this.drain();
    for (const invocation of [...invocations, ...rest]) this.push(invocation);
  }

  peek(): Invocation | undefined {
    this.#skipHoles();
    return this.#items[this.#head] ?? undefined;
  }

  shift(): Invocation | undefined {
    const invocation = this.peek();
    if (!invocation) return undefined;
    this.#positions.delete(invocation);
    this.#items[this.#head] = null;
    this.#length--;
    this.#skipHoles();
    return invocation;
  }

  remove(invocation: Invocation): boolean {
    const at = this.#positions.get(invocation);
    if (at === undefined) return false;
    this.#positions.delete(invocation);
    this.#items[at] = null;
    this.#length--;
    this.#skipHoles();
    return true;
  }

  /** Empties it. */
  drain(): Invocation[] {
    const rest = this.#items.slice(this.#head).filter((item) => item !== null);
    this.#reset();
    return rest;
  }

  #skipHoles(): void {
    while (this.#head < this.#items.length && this.#items[this.#head] === null) this.#head++;
    if (this.#length === 0) this.#reset();
    else if (this.#head > 1024 && this.#head * 2 > this.#items.length) this.#compact();
  }

  #compact(): void {
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
    this.#items.forEach((item, index) => {
      if (item) this.#positions.set(item, index);
    });
  }

  #reset(): void {
    this.#items = [];
    this.#head = 0;
    this.#length = 0;
    this.#positions.clear();
  }
}
