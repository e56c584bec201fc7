/** The wall clock may be that far from ours before ours is set anew. Milliseconds. */
const TOLERANCE_MS = 20;

/**
 * Instants of performance.now() as milliseconds since the epoch, with fractions. Between two settings no instant overtakes a later one, as it would if each
 * were read off the wall clock.
 */
export class SpanClock {
  #origin = performance.timeOrigin;

  at(tick: number): number {
    return this.#origin + tick;
  }

  now(): number {
    return this.at(performance.now());
  }

  /** The wall clock is set, and drifts: now and then ours follows it. */
  follow(): void {
    const origin = Date.now() - performance.now();
    if (Math.abs(origin - this.#origin) > TOLERANCE_MS) this.#origin = origin;
  }
}
