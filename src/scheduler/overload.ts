/** A line that is longer than its target all through so long is no burst. Milliseconds. */
const INTERVAL_MS = 1000;
/** The target is at least so many runs. */
const RUNS = 2;

/**
 * Tells a burst, which a line is there to absorb, from overload, in which it only makes everybody wait: when nobody who left the line in the last second
 * had waited for less than a target, those who come are to be refused until the line is short again. The idea is that of CoDel (Nichols and Jacobson,
 * "Controlling Queue Delay", ACM Queue 2012): judge by the shortest wait of an interval, not by the length of the line; drop at the door, since whoever is
 * refused at once can try elsewhere.
 */
export class OverloadDetector {
  readonly #floorMs: number;
  #aboveSince: number | null = null;

  /** @param floorMs waits below this are never too long */
  constructor(floorMs: number) {
    this.#floorMs = floorMs;
  }

  /** The wait that is still accepted, for runs of that mean length; NaN when it isn't known. */
  targetMs(runMs: number): number {
    return Number.isNaN(runMs) ? this.#floorMs : Math.max(this.#floorMs, RUNS * runMs);
  }

  /** Somebody left the line to be run. */
  left(waitedMs: number, runMs: number, now: number): void {
    if (waitedMs <= this.targetMs(runMs)) this.#aboveSince = null;
    else this.#aboveSince ??= now;
  }

  /** The line is empty. */
  emptied(): void {
    this.#aboveSince = null;
  }

  /** Whether somebody who would wait for so long is to be refused. */
  refuses(expectedWaitMs: number, runMs: number, now: number): boolean {
    return this.#aboveSince !== null && now - this.#aboveSince > INTERVAL_MS && expectedWaitMs > this.targetMs(runMs);
  }
}
