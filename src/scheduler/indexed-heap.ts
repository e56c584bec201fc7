/** A binary min-heap that knows where each item stands, so that a key can be changed or an item taken out: O(log n), looking O(1). */
export class IndexedHeap<T> {
  readonly #items: T[] = [];
  readonly #keys: number[] = [];
  readonly #positions = new Map<T, number>();

  get size(): number {
    return this.#items.length;
  }

  /** @returns undefined when it is not there */
  keyOf(item: T): number | undefined {
    const position = this.#positions.get(item);
    return position === undefined ? undefined : this.#keys[position];
  }

  /** The item with the smallest key; undefined when there is none. */
  peek(): T | undefined {
    return this.#items[0];
  }

  /** Puts an item in, or moves it to where its new key belongs. */
  set(item: T, key: number): void {
    const position = this.#positions.get(item) ?? this.#items.length;
    const before = this.#keys[position] ?? Number.POSITIVE_INFINITY;
    this.#place(position, item, key);
    if (key <= before) this.#up(position);
    else this.#down(position);
  }

  /** @returns whether it was there */
  delete(item: T): boolean {
    const position = this.#positions.get(item);
    if (position === undefined) return false;
    this.#positions.delete(item);
    const last = this.#items.pop() as T;
    const lastKey = this.#keys.pop() as number;
    if (last === item) return true;
    this.#place(position, last, lastKey);
    this.#up(position);
    this.#down(this.#positions.get(last) as number);
    return true;
  }

  #place(position: number, item: T, key: number): void {
    this.#items[position] = item;
    this.#keys[position] = key;
    this.#positions.set(item, position);
  }

  #up(from: number): void {
    const item = this.#items[from] as T;
    const key = this.#keys[from] as number;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((this.#keys[parent] as number) <= key) break;
      this.#place(at, this.#items[parent] as T, this.#keys[parent] as number);
      at = parent;
    }
    if (at !== from) this.#place(at, item, key);
  }

  #down(from: number): void {
    const item = this.#items[from] as T;
    const key = this.#keys[from] as number;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#items.length) break;
      if (child + 1 < this.#items.length && (this.#keys[child + 1] as number) < (this.#keys[child] as number)) child++;
      if ((this.#keys[child] as number) >= key) break;
      this.#place(at, this.#items[child] as T, this.#keys[child] as number);
      at = child;
    }
    if (at !== from) this.#place(at, item, key);
  }
}
