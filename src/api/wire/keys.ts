import { type Static, Type } from 'typebox';
import type { ApiKey } from '../../schemas/api-key.ts';
import { Instant, Nullable, Warnings } from './common.ts';
import { RateLimitOnTheWire, rateLimit } from './policy.ts';

const members = {
  id: Type.String({ description: 'The part of the key after `hk_`; no secret.', examples: ['5f0c9a1be2d34c77'] }),
  name: Type.String({ examples: ['mobile-app'] }),
  rate_limit: Nullable(RateLimitOnTheWire),
  created_at: Instant,
  expires_at: Nullable(Instant),
};

export const Key = Type.Object(members, { title: 'Key' });

export const CreatedKey = Type.Object(
  {
    status: Type.Literal('ok'),
    ...members,
    key: Type.String({ description: 'What callers send. Shown this once: only its hash is kept.', examples: ['hk_5f0c9a1be2d34c77_…'] }),
    warnings: Warnings,
  },
  { title: 'CreatedKey' },
);

export function keyOnTheWire(key: ApiKey): Static<typeof Key> {
  return {
    id: key.id,
    name: key.name,
    rate_limit: key.rateLimit && rateLimit(key.rateLimit),
    created_at: key.createdAt,
    expires_at: key.expiresAt,
  };
}
