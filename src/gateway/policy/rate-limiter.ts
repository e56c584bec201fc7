import type { LimitShare } from '../../cluster/limit-share.ts';
import type { RateLimit } from '../../schemas/policy.ts';

export interface Verdict {
  readonly allowed: boolean;
  /** Requests that would be let in at once after this one. */
  readonly remaining: number;
  /** Milliseconds until one more would be let in; 0 when it would now. */
  readonly retryMs: number;
  /** Milliseconds until the whole burst is there again, if nobody comes. */
  readonly resetMs: number;
}

/** Buckets without debt that are looked for whenever a new one is made, so that they don't pile up. */
const SWEPT = 2;

/** What sums of fractions lose, in shares of an interval: that which is all but there counts as there. */
const SLACK = 1e-9;

/**
 * The Generic Cell Rate Algorithm in its virtual scheduling form (ATM Forum, Traffic Management 4.0, §4.4.2; the same as a token bucket of size `burst`
 * that fills by requests/perS). A bucket is one number: the theoretical arrival time, at which it is full again. Over any span of time, at most
 * burst + span × requests/perS are let in. Refused ones cost nothing.
 *
 * Of several nodes each lets in its share: an equal part of the rate, and of the burst, rounded up. A bucket's debt is a time, and stays that when the share changes.
 *
 * The number of buckets is bounded. The one that was used the longest ago is forgotten for a new one, and its holder's debt with it.
 */
export class RateLimiter {
  readonly limit: RateLimit;
  readonly #wholeIntervalMs: number;
  readonly #maxBuckets: number;
  readonly #share: LimitShare;
  /** Theoretical arrival times, those used the longest ago first. */
  readonly #buckets = new Map<string, number>();

  /** @param limit what all nodes let in together */
  constructor(limit: RateLimit, maxBuckets: number, share: LimitShare) {
    this.limit = limit;
    this.#wholeIntervalMs = (limit.perS * 1000) / limit.requests;
    this.#maxBuckets = maxBuckets;
    this.#share = share;
  }

  get #intervalMs(): number {
    return this.#wholeIntervalMs * this.#share.nodes;
  }

  get #toleranceMs(): number {
    return this.#intervalMs * (this.#share.of(this.limit.burst) - 1);
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** What `take` would say. @param now milliseconds of a clock that doesn't go back */
  peek(bucket: string, now: number): Verdict {
    const arrival = Math.max(this.#buckets.get(bucket) ?? now, now);
    const early = arrival - now - this.#toleranceMs;
    if (early > this.#intervalMs * SLACK) return { allowed: false, remaining: 0, retryMs: early, resetMs: arrival - now };
    return this.#verdict(arrival + this.#intervalMs - now);
  }

  /** Lets one in, or not. */
  take(bucket: string, now: number): Verdict {
    const verdict = this.peek(bucket, now);
    if (!verdict.allowed) return verdict;
    if (!this.#buckets.delete(bucket)) this.#makeRoom(now);
    this.#buckets.set(bucket, now + verdict.resetMs);
    return verdict;
  }

  #verdict(resetMs: number): Verdict {
    const early = resetMs - this.#toleranceMs;
    return {
      allowed: true,
      remaining: Math.max(0, Math.floor((this.#toleranceMs + this.#intervalMs - resetMs) / this.#intervalMs + SLACK)),
      retryMs: Math.max(0, early),
      resetMs,
    };
  }

  #makeRoom(now: number): void {
    let looked = 0;
    for (const [bucket, arrival] of this.#buckets) {
      if (this.#buckets.size >= this.#maxBuckets || arrival <= now) this.#buckets.delete(bucket);
      if (++looked >= SWEPT) return;
    }
  }
}
