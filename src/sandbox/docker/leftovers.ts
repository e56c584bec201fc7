import { setTimeout as sleep } from 'node:timers/promises';
import type { DriverLog } from '../options.ts';
import { type Engine, PLATFORM_LABEL } from './engine.ts';

const FIRST_RETRY_MS = 500;
/** For the engine to remove what is left, at the end. */
const CLOSE_MS = 5000;
const LAST_RETRY_MS = 15_000;

/** Containers that are to go as soon as the engine can be asked to remove them. */
export class Leftovers {
  readonly #engine: Engine;
  readonly #log: DriverLog;
  readonly #ids = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #retryMs = FIRST_RETRY_MS;
  #closed = false;

  constructor(engine: Engine, log: DriverLog) {
    this.#engine = engine;
    this.#log = log;
  }

  /** Removes what platforms with the same data folder have left behind, of which there can be only one at a time. @throws as Engine does */
  async sweep(platformId: string): Promise<void> {
    const ids = await this.#engine.containersLabelled(`${PLATFORM_LABEL}=${platformId}`);
    if (ids.length > 0) this.#log.warn({ containers: ids.length }, 'containers that a platform with this data folder had left behind are removed');
    await Promise.all(ids.map((id) => this.#engine.remove(id)));
  }

  /** Of a sandbox that is dead or as good as dead, or was perhaps never made. @param id or name */
  add(id: string): void {
    if (this.#closed) return;
    this.#ids.add(id);
    this.#schedule();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    // What can't be removed now is swept by the next start.
    const removed = Promise.allSettled([...this.#ids].map((id) => this.#engine.remove(id)));
    await Promise.race([removed, sleep(CLOSE_MS, undefined, { ref: false })]);
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#closed || this.#ids.size === 0) return;
    this.#timer = setTimeout(() => void this.#retry(), this.#retryMs);
    this.#timer.unref();
  }

  async #retry(): Promise<void> {
    const outcomes = await Promise.all(
      [...this.#ids].map((id) =>
        this.#engine.remove(id).then(
          () => this.#ids.delete(id),
          () => false,
        ),
      ),
    );
    this.#retryMs = outcomes.every(Boolean) ? FIRST_RETRY_MS : Math.min(LAST_RETRY_MS, this.#retryMs * 2);
    this.#timer = undefined;
    this.#schedule();
  }
}
