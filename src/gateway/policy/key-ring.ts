import { timingSafeEqual } from 'node:crypto';
import type { LimitShare } from '../../cluster/limit-share.ts';
import { type ApiKey, hashSecret } from '../../schemas/api-key.ts';
import { RateLimiter } from './rate-limiter.ts';

export interface RingKey {
  readonly key: ApiKey;
  /** Of the key's own limit. */
  readonly limiter: RateLimiter | null;
}

/** The keys of one function. Immutable, but for what the limiters remember. */
export class KeyRing {
  readonly #keys: ReadonlyMap<string, RingKey>;

  /** @param before whose limiters go on for the keys that stay */
  constructor(keys: readonly ApiKey[], before: KeyRing | null, share: LimitShare) {
    this.#keys = new Map(
      keys.map((key) => [
        key.id,
        { key, limiter: before?.find(key.id)?.limiter ?? (key.rateLimit ? new RateLimiter(key.rateLimit, 1, share) : null) },
      ]),
    );
  }

  find(id: string): RingKey | undefined {
    return this.#keys.get(id);
  }
}

/** In a time that tells nothing about the secret. */
export function secretFits({ secretHash }: ApiKey, secret: string): boolean {
  return timingSafeEqual(Buffer.from(hashSecret(secret), 'latin1'), Buffer.from(secretHash, 'latin1'));
}
