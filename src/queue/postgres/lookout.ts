export interface Look {
  /** For the log: what is not done when it fails. */
  name: string;
  /** @throws Error when it can't be done at present */
  run(): Promise<void>;
}

/**
 * What a node does for all of them each second, whatever it was told or not: one look after another, each by itself, so that what one can't do keeps no other.
 * An outage is logged once.
 */
export class Lookout {
  readonly #looks: readonly Look[];
  readonly #everyMs: number;
  readonly #log: { warn(fields: object, message: string): void };
  readonly #failing = new Set<string>();
  #timer: NodeJS.Timeout | null = null;
  #round: Promise<void> | null = null;
  #closed = false;

  constructor(looks: readonly Look[], everyMs: number, log: { warn(fields: object, message: string): void }) {
    this.#looks = looks;
    this.#everyMs = everyMs;
    this.#log = log;
  }

  start(): void {
    this.#timer = setTimeout(() => {
      this.#round = this.#lookAround().finally(() => {
        this.#round = null;
        if (!this.#closed) this.start();
      });
    }, this.#everyMs);
  }

  /** Resolves when none is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    await this.#round;
  }

  async #lookAround(): Promise<void> {
    for (const { name, run } of this.#looks) {
      if (this.#closed) return;
      try {
        await run();
        this.#failing.delete(name);
      } catch (error) {
        if (!this.#failing.has(name)) this.#log.warn({ err: error }, `the queue can not ${name}; it is tried again each second`);
        this.#failing.add(name);
      }
    }
  }
}
