/** What became of the calls of one kind. */
export interface Tally {
  calls: number;
  failures: number;
  /** Milliseconds of the calls that went as they should: the sum, and the longest. */
  totalMs: number;
  longestMs: number;
}

const MAX_DETAILS = 30;

/** Counts what is done in the soak, and keeps what went otherwise than it should. */
export class Ledger {
  readonly tallies = new Map<string, Tally>();
  /** The first of the failures, each in a line. */
  readonly details: string[] = [];
  readonly #say: (text: string) => void;

  constructor(say: (text: string) => void) {
    this.#say = say;
  }

  get failures(): number {
    return [...this.tallies.values()].reduce((sum, tally) => sum + tally.failures, 0);
  }

  /** Does one thing. It fails by throwing, and that ends nothing here. @param kind what it is counted under */
  async attempt(kind: string, act: () => Promise<void>): Promise<void> {
    const tally = this.tallies.get(kind) ?? { calls: 0, failures: 0, totalMs: 0, longestMs: 0 };
    this.tallies.set(kind, tally);
    tally.calls++;
    const start = performance.now();
    try {
      await act();
      const took = performance.now() - start;
      tally.totalMs += took;
      tally.longestMs = Math.max(tally.longestMs, took);
    } catch (error) {
      tally.failures++;
      const line = `${new Date().toISOString()} ${kind}, after ${(performance.now() - start).toFixed(0)} ms: ${error instanceof Error ? error.message : error}`;
      if (this.details.length < MAX_DETAILS) this.details.push(line);
      this.#say(line);
    }
  }
}
