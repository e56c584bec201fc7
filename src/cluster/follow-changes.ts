import type { StoreChange } from '../store/change-feed.ts';

/** Brings what is in memory up to date, by what kind of thing has changed. Each may be called for several names at once. */
export type Refreshers = Readonly<Record<StoreChange['kind'], (name: string) => Promise<void>>>;

export interface FollowChangesParts {
  log: { warn(fields: object, message: string): void };
}

/** After one that failed; doubled with each further one in a row. Milliseconds. */
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 10_000;

interface Task {
  readonly change: StoreChange;
  /** It has changed again since the last refresh began. */
  isStale: boolean;
  failures: number;
  timer: NodeJS.Timeout | null;
}

/**
 * Does what a change feed tells: one refresh at a time of the same thing, those of different things beside each other, so that one that takes long holds up no other. One that
 * failed is tried again until it works: what the feed has told it does not tell again. What is told before `connect` waits for it.
 */
export class FollowChanges {
  readonly #parts: FollowChangesParts;
  readonly #tasks = new Map<string, Task>();
  #refreshers: Refreshers | null = null;
  #closed = false;

  constructor(parts: FollowChangesParts) {
    this.#parts = parts;
  }

  /** Never rejects, and waits for nothing. */
  readonly tell = async (change: StoreChange): Promise<void> => {
    if (this.#closed) return;
    const key = `${change.kind} ${change.name}`;
    const task = this.#tasks.get(key);
    if (task) task.isStale = true;
    else this.#tasks.set(key, { change, isStale: true, failures: 0, timer: null });
    // Whoever hears of a change may expect that the store answers again.
    if (task?.timer) clearTimeout(task.timer);
    if (!task || task.timer) this.#run(key);
  };

  /** All parts have read what the store had when they were made. */
  connect(refreshers: Refreshers): void {
    this.#refreshers = refreshers;
    for (const key of this.#tasks.keys()) this.#run(key);
  }

  close(): void {
    this.#closed = true;
    for (const { timer } of this.#tasks.values()) if (timer) clearTimeout(timer);
    this.#tasks.clear();
  }

  #run(key: string): void {
    const task = this.#tasks.get(key);
    if (!task || !this.#refreshers) return;
    const { kind, name } = task.change;
    task.timer = null;
    task.isStale = false;
    this.#refreshers[kind](name).then(
      () => {
        task.failures = 0;
        if (task.isStale) this.#run(key);
        else this.#tasks.delete(key);
      },
      (error: unknown) => {
        if (this.#closed) return;
        const delayMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(task.failures, 20));
        task.failures += 1;
        this.#parts.log.warn(
          { err: error, ...task.change, retryMs: delayMs },
          'what another node has changed could not be taken over; it is tried again',
        );
        task.timer = setTimeout(() => this.#run(key), delayMs);
      },
    );
  }
}
