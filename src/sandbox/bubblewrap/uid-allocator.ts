/** Hands out user ids, one per living sandbox, so that the host's kernel keeps sandboxes apart even where a namespace would not. */
export class UidAllocator {
  readonly #base: number;
  readonly #free: number[] = [];
  #next = 0;

  constructor(base: number) {
    this.#base = base;
  }

  take(): number {
    return this.#free.pop() ?? this.#base + this.#next++;
  }

  /** Only once every process that ran under it is gone. */
  giveBack(uid: number): void {
    this.#free.push(uid);
  }
}
