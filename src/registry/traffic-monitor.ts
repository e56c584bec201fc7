import { CATALOGUE, type ErrorCode } from '../errors.ts';
import type { InvocationRecord } from '../schemas/records.ts';
import type { RollbackOn } from '../schemas/traffic.ts';
import { OutcomeWindow } from './outcome-window.ts';

/** What came of a version's calls since the split was made, or since the platform started. */
export interface VersionCounts {
  calls: number;
  errors: number;
}

interface Watch {
  readonly counts: Map<number, VersionCounts>;
  readonly guard: Guard | null;
}

interface Guard {
  readonly version: number;
  readonly bound: RollbackOn;
  readonly window: OutcomeWindow;
  readonly onExceeded: (reason: string) => void;
}

/** Which version is to be judged by what bound, and whom that concerns. */
export type Judgement = Pick<Guard, 'version' | 'bound' | 'onExceeded'>;

type Outcome = Pick<InvocationRecord, 'functionName' | 'versionNumber' | 'state' | 'status' | 'errorCode'>;

/**
 * Counts what comes of calls by version, for functions that are watched, and says once when a version fails too often. A call counts when the function
 * had its part in the outcome: not when the caller left, when it was refused, or when the platform or the machine could not run it.
 */
export class TrafficMonitor {
  readonly #clock: () => number;
  readonly #watched = new Map<string, Watch>();

  /** @param clock milliseconds, never going back */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Counts from 0. @param judgement null: counts only */
  watch(functionName: string, judgement: Judgement | null): void {
    const guard = judgement && { ...judgement, window: new OutcomeWindow(judgement.bound.windowMs) };
    this.#watched.set(functionName, { counts: new Map(), guard });
  }

  /** Goes on counting, and judges no more. */
  acquit(functionName: string): void {
    const watch = this.#watched.get(functionName);
    if (watch) this.#watched.set(functionName, { ...watch, guard: null });
  }

  unwatch(functionName: string): void {
    this.#watched.delete(functionName);
  }

  counts(functionName: string, version: number): VersionCounts {
    return { calls: 0, errors: 0, ...this.#watched.get(functionName)?.counts.get(version) };
  }

  /** On the way of every invocation's end: one look-up when its function is not watched, none when no function is. */
  observe(outcome: Outcome): void {
    if (this.#watched.size === 0) return;
    const watch = this.#watched.get(outcome.functionName);
    if (!watch) return;
    const failed = verdict(outcome);
    if (failed === null) return;
    const counts = watch.counts.get(outcome.versionNumber) ?? { calls: 0, errors: 0 };
    watch.counts.set(outcome.versionNumber, counts);
    counts.calls++;
    if (failed) counts.errors++;
    if (watch.guard?.version === outcome.versionNumber) this.#judge(watch.guard, failed);
  }

  #judge({ bound, window, version, onExceeded }: Guard, failed: boolean): void {
    window.add(this.#clock(), failed);
    const { calls, errors } = window;
    if (calls < bound.minimumCalls || errors / calls <= bound.errorRate) return;
    onExceeded(`${errors} of the last ${calls} calls of version ${version} failed, which is more than ${bound.errorRate} of them.`);
  }
}

/** Whether the function failed; null when the outcome says nothing about it. */
function verdict({ state, status, errorCode }: Outcome): boolean | null {
  if (errorCode !== null) {
    const entry = CATALOGUE[errorCode as ErrorCode] as (typeof CATALOGUE)[ErrorCode] | undefined;
    return entry?.fault === 'function' && entry.status >= 500 ? true : null;
  }
  if (state === 'cancelled') return null;
  return status !== null && status >= 500;
}
