import { HearthError } from '../../errors.ts';

/** Items in one commit. */
const MAX_BATCH = 500;
const MAX_BATCH_BYTES = 8 * 1024 * 1024;

interface Waiting<I, O> {
  item: I;
  key: string;
  bytes: number;
  resolve(outcome: O): void;
  reject(error: unknown): void;
}

/**
 * What comes while a commit is under way shares the next one. When a commit is refused, each of its items is tried by itself, so that only the one to blame
 * fails; when the database is away, all do.
 */
export class GroupCommit<I, O> {
  readonly #commit: (items: readonly I[]) => Promise<O[]>;
  #waiting: Waiting<I, O>[] = [];
  #running = false;

  /** @param commit all of them in one commit, or none; the outcomes in their order */
  constructor(commit: (items: readonly I[]) => Promise<O[]>) {
    this.#commit = commit;
  }

  /** @param key no two of one commit have the same */
  add(item: I, key: string, bytes: number): Promise<O> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, key, bytes, resolve, reject });
      if (this.#running) return;
      this.#running = true;
      // What comes in one turn of the event loop comes together.
      setImmediate(() => void this.#run());
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) await this.#together(this.#next());
    this.#running = false;
  }

  #next(): Waiting<I, O>[] {
    const keys = new Set<string>();
    let bytes = 0;
    let count = 0;
    for (const one of this.#waiting) {
      if (count === MAX_BATCH || keys.has(one.key) || (count > 0 && bytes + one.bytes > MAX_BATCH_BYTES)) break;
      keys.add(one.key);
      bytes += one.bytes;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #together(batch: readonly Waiting<I, O>[]): Promise<void> {
    try {
      const outcomes = await this.#commit(batch.map(({ item }) => item));
      for (const [index, { resolve }] of batch.entries()) resolve(outcomes[index] as O);
    } catch (error) {
      if (batch.length === 1 || (error instanceof HearthError && error.code === 'store_unavailable')) for (const { reject } of batch) reject(error);
      else for (const one of batch) await this.#together([one]);
    }
  }
}
