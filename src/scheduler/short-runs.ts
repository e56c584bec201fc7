/** Runs above this are not short. It leaves room for a process that waits for a core. Milliseconds. */
const LONGEST_MS = 5;
/** So many short ones in a row are proof enough. */
const PROOF = 100;
/** What those that are handed ahead may wait for altogether. Milliseconds. */
const PATIENCE_MS = 1;
const MAX_AHEAD = 8;

/**
 * Whether a function's runs are so short that handing an instance its next invocations while it is busy costs nobody anything: they wait there for less than the wake-up
 * that they save. One long run, and the function has to prove itself anew, for who was handed ahead can't be taken back and had to wait for it.
 */
export class ShortRuns {
  #inARow = 0;

  ended(runMs: number): void {
    if (runMs > LONGEST_MS) this.#inARow = 0;
    else if (this.#inARow < PROOF) this.#inARow++;
  }

  /** How many an instance may be handed beyond the one that it runs. @param meanMs of a run, lately */
  ahead(meanMs: number): number {
    return this.#inARow < PROOF ? 0 : Math.min(MAX_AHEAD, Math.floor(PATIENCE_MS / meanMs));
  }
}
