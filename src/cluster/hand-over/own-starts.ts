/** What was spent on handing over counts half after so long. Milliseconds. */
const HALF_LIFE_MS = 10_000;
/** Versions that are remembered. */
const MAX_KNOWN = 10_000;

/**
 * When a node is to have an instance of its own of what it hands over: once the ways to others have taken as long as the start would have, as whoever rents skis
 * buys them once the rent has come to their price (Karlin et al., "Competitive snoopy caching", 1988). What is called rarely never comes to that, and stays in
 * few places; what is called often is soon warm everywhere.
 */
export class OwnStarts {
  readonly #spent = new Map<string, { ms: number; at: number }>();

  /** A call was handed over. @param now performance.now() @returns whether to start an instance here; then it is counted anew */
  spent(key: string, wayMs: number, startMs: number, now: number): boolean {
    const before = this.#spent.get(key);
    const ms = wayMs + (before ? before.ms * 2 ** ((before.at - now) / HALF_LIFE_MS) : 0);
    this.#spent.delete(key);
    if (ms >= startMs) return true;
    this.#spent.set(key, { ms, at: now });
    if (this.#spent.size > MAX_KNOWN) this.#spent.delete(this.#spent.keys().next().value as string);
    return false;
  }
}
