import type { HearthError } from '../errors.ts';

/** After a start that failed; doubled with each further one in a row. Milliseconds. */
const FIRST_MS = 100;
const LAST_MS = 10_000;

/**
 * Keeps a function that can't be started, or that crashes over every first call, from being started anew for each caller: starts back off, and meanwhile the
 * last failure is what callers are told. All times are performance.now().
 */
export class StartBackoff {
  #failures = 0;
  #lastError: HearthError | null = null;
  #nextAt = 0;

  /** A start failed, or came to nothing. */
  failed(error: HearthError, now: number): void {
    // Only what the function does wrong; a machine without room or a start that was called off is not its fault.
    if (error.fault !== 'function') return;
    this.#lastError = error;
    this.#nextAt = now + Math.min(LAST_MS, FIRST_MS * 2 ** this.#failures++);
  }

  /** An invocation came to its end: the function works. */
  succeeded(): void {
    this.#failures = 0;
    this.#lastError = null;
    this.#nextAt = 0;
  }

  /** Why nothing is started at the moment; null when a start is allowed. */
  reason(now: number): HearthError | null {
    return now < this.#nextAt ? this.#lastError : null;
  }
}
