import type { Span, SpanSink } from './span.ts';
import type { SpanClock } from './span-clock.ts';

/** What brings spans to whoever collects them. */
export interface SpanExporter {
  /** Resolves once they have been taken; rejects when they won't be, after what tries there were. */
  export(spans: readonly Span[]): Promise<void>;
  close(): void;
}

export interface SpanQueueLog {
  warn(fields: object, message: string): void;
  info(fields: object, message: string): void;
}

/** Spans that wait; those that come when so many do are dropped. */
const MAX_SPANS = 2048;
/** Spans of one export. Encoding that many takes some three milliseconds, during which nothing else happens. */
const BATCH = 512;
/** Spans wait for others for so long. */
const DELAY_MS = 1000;
/** From the begin of one export to that of the next, however many wait: so they never take more than a few hundredths of a core. */
const PACE_MS = 100;

/**
 * Spans on their way out: gathered, and exported in batches, one at a time. A collector that is slow or gone costs spans, which are counted, and nothing else:
 * it is told of once, and again when it is back.
 */
export class SpanQueue implements SpanSink {
  /** Spans, by what became of them. */
  readonly counts = { exported: 0, dropped: 0, failed: 0 };
  readonly #exporter: SpanExporter;
  readonly #clock: SpanClock;
  readonly #log: SpanQueueLog;
  #spans: Span[] = [];
  #timer: NodeJS.Timeout | null = null;
  #timerIsSoon = false;
  #exporting: Promise<void> | null = null;
  #lastBegin = Number.NEGATIVE_INFINITY;
  #inTrouble = false;
  #closed = false;

  constructor(exporter: SpanExporter, clock: SpanClock, log: SpanQueueLog) {
    this.#exporter = exporter;
    this.#clock = clock;
    this.#log = log;
  }

  add(span: Span): void {
    if (this.#spans.length >= MAX_SPANS || this.#closed) {
      this.counts.dropped++;
      return;
    }
    this.#spans.push(span);
    if (this.#spans.length === 1 || (this.#spans.length >= BATCH && !this.#timerIsSoon)) this.#arm();
  }

  /** Exports what waits, for at most so many milliseconds; what comes or is left after that is dropped. */
  async close(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    while ((this.#exporting || this.#spans.length > 0) && performance.now() < deadline) {
      this.#exporting ??= this.#export();
      await Promise.race([this.#exporting, late]);
    }
    clearTimeout(timer);
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.counts.dropped += this.#spans.splice(0).length;
    this.#exporter.close();
  }

  /** The next export: as soon as may be for a full batch, else when spans have waited long enough. */
  #arm(): void {
    if (this.#exporting || this.#closed || this.#spans.length === 0) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timerIsSoon = this.#spans.length >= BATCH;
    const waitMs = this.#timerIsSoon ? Math.max(0, this.#lastBegin + PACE_MS - performance.now()) : DELAY_MS;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#exporting ??= this.#export();
    }, waitMs);
    this.#timer.unref();
  }

  /** Never rejects. */
  async #export(): Promise<void> {
    const batch = this.#spans.splice(0, BATCH);
    this.#lastBegin = performance.now();
    this.#clock.follow();
    try {
      await this.#exporter.export(batch);
      this.counts.exported += batch.length;
      if (this.#inTrouble) this.#log.info({}, 'traces are exported again');
      this.#inTrouble = false;
    } catch (error) {
      this.counts.failed += batch.length;
      if (!this.#inTrouble)
        this.#log.warn({ reason: (error as Error).message }, 'traces can not be exported: they are lost until the collector is back');
      this.#inTrouble = true;
    }
    this.#exporting = null;
    this.#timerIsSoon = false;
    this.#arm();
  }
}
