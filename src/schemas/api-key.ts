import { hash } from 'node:crypto';
import { type Static, Type } from 'typebox';
import { KeyRateLimitDefinition, type RateLimit } from './policy.ts';

/** Characters that a header may carry and a URL needs no escape for. */
const ApiKeyName = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$',
  description: 'Whom it is for; unique among the keys of a function. Letters, digits, `_`, `-` and `.`; at most 64 characters.',
  examples: ['mobile-app'],
});

export const ApiKeyDefinition = Type.Object(
  {
    name: ApiKeyName,
    rate_limit: Type.Optional(KeyRateLimitDefinition),
    expires_at: Type.Optional(Type.Integer({ minimum: 0, description: 'Milliseconds since 1970-01-01 UTC. Left out: never.' })),
  },
  { additionalProperties: false },
);
export type ApiKeyDefinition = Static<typeof ApiKeyDefinition>;

/** What is kept of a key: enough to recognise it, not enough to use it. */
export interface ApiKey {
  /** 16 hexadecimal digits; no secret. */
  readonly id: string;
  readonly functionName: string;
  readonly name: string;
  /** SHA-256, hex. The secret is 256 bits of chance, which no dictionary has: a slow hash would protect nothing more. */
  readonly secretHash: string;
  readonly rateLimit: RateLimit | null;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Milliseconds since the epoch; null: never. */
  readonly expiresAt: number | null;
}

export const KEY_ID_BYTES = 8;
export const KEY_SECRET_BYTES = 32;
const TOKEN = /^hk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;

/** What a caller presents. */
export function apiKeyToken(id: string, secret: string): string {
  return `hk_${id}_${secret}`;
}

export function parseApiKeyToken(token: string): { id: string; secret: string } | undefined {
  const match = TOKEN.exec(token);
  return match ? { id: match[1] as string, secret: match[2] as string } : undefined;
}

export function hashSecret(secret: string): string {
  return hash('sha256', secret, 'hex');
}
