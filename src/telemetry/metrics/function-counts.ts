import type { InvocationRecord, InvocationState } from '../../schemas/records.ts';
import { Histogram } from './histogram.ts';

/** Milliseconds. */
export interface PhaseTimings {
  queue: number;
  start: number;
  init: number;
  run: number;
}

export type Outcome = InvocationState | 'refused';
export const OUTCOMES: readonly Outcome[] = ['succeeded', 'failed', 'timed_out', 'cancelled', 'refused'];
export const STARTS = ['cold', 'warm', 'none'] as const;
type Start = (typeof STARTS)[number];

/** Of one function, since the platform's start. */
export class FunctionCounts {
  /** By outcome and start, in a row for each outcome. */
  readonly #ended = new Float64Array(OUTCOMES.length * STARTS.length);
  readonly #errors = new Map<string, number>();
  readonly #refusals = new Map<string, number>();
  readonly queue = new Histogram();
  readonly start = new Histogram();
  readonly init = new Histogram();
  readonly run = new Histogram();

  /** @param refusal why it was turned away, when it was */
  count({ state, start, errorCode }: InvocationRecord, timings: PhaseTimings, refusal: string | null): void {
    const outcome = OUTCOMES.indexOf(refusal === null ? state : 'refused');
    const slot = outcome * STARTS.length + STARTS.indexOf(start ?? 'none');
    this.#ended[slot] = (this.#ended[slot] as number) + 1;
    if (refusal !== null) this.#refusals.set(refusal, (this.#refusals.get(refusal) ?? 0) + 1);
    else if (errorCode !== null) this.#errors.set(errorCode, (this.#errors.get(errorCode) ?? 0) + 1);
    if (start === null) return;
    this.queue.observe(timings.queue / 1000);
    this.run.observe(timings.run / 1000);
    if (start !== 'cold') return;
    this.start.observe(timings.start / 1000);
    this.init.observe(timings.init / 1000);
  }

  /** What another one counted is counted here too. */
  add(other: FunctionCounts): void {
    for (let slot = 0; slot < this.#ended.length; slot++) this.#ended[slot] = (this.#ended[slot] as number) + (other.#ended[slot] as number);
    for (const [code, count] of other.#errors) this.#errors.set(code, (this.#errors.get(code) ?? 0) + count);
    for (const [reason, count] of other.#refusals) this.#refusals.set(reason, (this.#refusals.get(reason) ?? 0) + count);
    for (const phase of ['queue', 'start', 'init', 'run'] as const) this[phase].add(other[phase]);
  }

  /** Those that occurred. */
  *ended(): Iterable<{ outcome: Outcome; start: Start; count: number }> {
    for (const [row, outcome] of OUTCOMES.entries()) {
      for (const [column, start] of STARTS.entries()) {
        const count = this.#ended[row * STARTS.length + column] as number;
        if (count > 0) yield { outcome, start, count };
      }
    }
  }

  get errors(): ReadonlyMap<string, number> {
    return this.#errors;
  }

  get refusals(): ReadonlyMap<string, number> {
    return this.#refusals;
  }
}
