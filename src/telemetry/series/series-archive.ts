import type { SeriesKey, SeriesStep } from '../../schemas/series.ts';
import type { CallSeries } from './call-series.ts';
import { TIERS } from './timeline.ts';

/** Where steps are kept that a restart is to leave. */
export interface SeriesStore {
  series(page: { after?: SeriesKey; limit: number }): Promise<SeriesStep[]>;
  putSeries(steps: readonly SeriesStep[]): Promise<void>;
  pruneSeries(stepMs: number, before: number): Promise<number>;
}

export interface SeriesArchiveParts {
  calls: CallSeries;
  store: SeriesStore;
  /** Steps of functions that are not there any more are not read. */
  isKnown(functionName: string): boolean;
  /** Milliseconds since the epoch. */
  clock: () => number;
  log: { warn(fields: object, message: string): void };
}

const INTERVAL_MS = 60_000;
const PRUNE_INTERVAL_MS = 3600_000;
const PAGE = 1000;
/** The finest steps cost most and are worth least an hour later: they go with the process. */
const KEPT_TIERS = [1, 2, 3] as const;

/**
 * Keeps what was counted over time in the store, a minute behind: a kill loses the last minute at most. States: loading → writing → closed. What an earlier life of
 * the platform counted is read while calls are counted already, and added; nothing is written before all of it is there, as writing replaces.
 */
export class SeriesArchive {
  readonly #parts: SeriesArchiveParts;
  #after: SeriesKey | undefined;
  #loaded = false;
  #pruneAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(parts: SeriesArchiveParts) {
    this.#parts = parts;
  }

  /** Nobody waits for the reading. */
  start(): void {
    this.#run();
    this.#timer = setInterval(() => this.#run(), INTERVAL_MS);
  }

  /** Writes what has been counted since. Never rejects. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const [, line] of this.#parts.calls.lines()) line.settle();
    this.#run();
    await this.#working;
  }

  #run(): void {
    this.#working = this.#working
      .then(() => this.#work())
      .catch((error: unknown) => this.#parts.log.warn({ err: error }, 'what was counted over time can not be kept; it is tried again'));
  }

  async #work(): Promise<void> {
    if (this.#loaded) return this.#write();
    await this.#load();
    this.#loaded = true;
  }

  /** Goes on where it failed. */
  async #load(): Promise<void> {
    const { calls, store, isKnown, clock } = this.#parts;
    await this.#prune(clock());
    for (;;) {
      const page = await store.series({ limit: PAGE, ...(this.#after ? { after: this.#after } : {}) });
      for (const { functionName, stepMs, step, counts } of page) {
        const tier = KEPT_TIERS.find((kept) => TIERS[kept].stepMs === stepMs);
        if (tier !== undefined && (functionName === '' || isKnown(functionName))) calls.lineFor(functionName)?.restore(tier, step, counts);
      }
      this.#after = page.at(-1) ?? this.#after;
      if (page.length < PAGE) return;
    }
  }

  async #write(): Promise<void> {
    const { calls, store, clock } = this.#parts;
    const now = clock();
    const steps: SeriesStep[] = [];
    for (const [functionName, line] of calls.lines()) {
      line.at(now);
      for (const tier of KEPT_TIERS) {
        for (const { step, text } of line.takeTouched(tier)) steps.push({ functionName, stepMs: TIERS[tier].stepMs, step, counts: text });
      }
    }
    if (steps.length === 0) return;
    try {
      await store.putSeries(steps);
    } catch (error) {
      for (const { functionName, stepMs, step } of steps) {
        const tier = KEPT_TIERS.find((kept) => TIERS[kept].stepMs === stepMs);
        const line = functionName === '' ? calls.machine : calls.of(functionName);
        if (tier !== undefined) line?.touch(tier, step);
      }
      throw error;
    }
    if (now >= this.#pruneAt) await this.#prune(now);
  }

  async #prune(now: number): Promise<void> {
    for (const tier of KEPT_TIERS) await this.#parts.store.pruneSeries(TIERS[tier].stepMs, oldest(tier, now));
    this.#pruneAt = now + PRUNE_INTERVAL_MS;
  }
}

function oldest(tier: (typeof KEPT_TIERS)[number], now: number): number {
  return Math.floor(now / TIERS[tier].stepMs) - TIERS[tier].steps + 1;
}
