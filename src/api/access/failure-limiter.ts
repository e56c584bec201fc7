import { isIPv6 } from 'node:net';

export interface FailureLimits {
  /** Failures in a row that an address has free. */
  burst: number;
  /** Milliseconds after which it has one more. */
  refillMs: number;
  /** Addresses that are remembered; the one that failed longest ago is forgotten first. */
  maxAddresses: number;
}

interface Bucket {
  /** Failures left, fractions included. */
  left: number;
  at: number;
}

/** A bucket of allowed failures for each client address, counted when it is asked: no timers. */
export class FailureLimiter {
  readonly #limits: FailureLimits;
  readonly #clock: () => number;
  readonly #buckets = new Map<string, Bucket>();

  /** @param clock milliseconds, never going back */
  constructor(limits: FailureLimits, clock: () => number) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Seconds until the address may fail again, at least 1; 0 when it may now. */
  retryAfter(address: string): number {
    const left = this.#left(keyOf(address));
    return left >= 1 ? 0 : Math.max(1, Math.ceil(((1 - left) * this.#limits.refillMs) / 1000));
  }

  count(address: string): void {
    this.#set(keyOf(address), -1);
  }

  /** Takes back one `count`. */
  forgive(address: string): void {
    this.#set(keyOf(address), 1);
  }

  get size(): number {
    return this.#buckets.size;
  }

  #set(key: string, change: number): void {
    const left = Math.min(this.#limits.burst, Math.max(0, this.#left(key) + change));
    // Again at the end: the map's order is that of the last failures.
    this.#buckets.delete(key);
    if (left >= this.#limits.burst) return;
    this.#buckets.set(key, { left, at: this.#clock() });
    if (this.#buckets.size > this.#limits.maxAddresses) this.#buckets.delete(this.#buckets.keys().next().value as string);
  }

  #left(key: string): number {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return this.#limits.burst;
    return Math.min(this.#limits.burst, bucket.left + (this.#clock() - bucket.at) / this.#limits.refillMs);
  }
}

/** Whoever has one IPv6 address has the 2^64 of its network: they count as one. */
function keyOf(address: string): string {
  const mapped = /^::ffff:([\d.]+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = (address.split('%', 1)[0] as string).split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = tail === undefined ? left : [...left, ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
