import { type Static, Type } from 'typebox';
import type { FunctionVersion } from '../../schemas/function.ts';
import type { CorsPolicy, RateLimit } from '../../schemas/policy.ts';
import { Nullable, OneOf } from './common.ts';

const limitMembers = { requests: Type.Integer(), per_s: Type.Integer(), burst: Type.Integer() };

export const RateLimitOnTheWire = Type.Object(limitMembers);

const words = Type.Array(Type.String());

/** What the gateway asks of callers, with everything decided. */
export const policyMembers = {
  access: Nullable(Type.Object({ api_keys: Type.Boolean() }, { description: 'Who may call; null: everybody.' })),
  cors: Nullable(
    Type.Object({
      allow_origins: words,
      allow_methods: Nullable(words),
      allow_headers: words,
      expose_headers: words,
      allow_credentials: Type.Boolean(),
      max_age_s: Nullable(Type.Integer()),
    }),
  ),
  rate_limit: Nullable(Type.Object({ ...limitMembers, by: OneOf(['key', 'client', 'all']) })),
};

export function rateLimit({ requests, perS, burst }: RateLimit): Static<typeof RateLimitOnTheWire> {
  return { requests, per_s: perS, burst };
}

export function policyOnTheWire({ policy }: FunctionVersion) {
  return {
    access: policy?.apiKeys ? { api_keys: true } : null,
    cors: policy?.cors ? corsOnTheWire(policy.cors) : null,
    rate_limit: policy?.rateLimit ? { ...rateLimit(policy.rateLimit), by: policy.rateLimit.by } : null,
  };
}

function corsOnTheWire({ origins, methods, headers, expose, credentials, maxAgeS }: CorsPolicy) {
  return {
    allow_origins: [...origins],
    allow_methods: methods && [...methods],
    allow_headers: [...headers],
    expose_headers: [...expose],
    allow_credentials: credentials,
    max_age_s: maxAgeS,
  };
}
