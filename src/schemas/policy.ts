import { type Static, Type } from 'typebox';

/** What the gateway asks of a function's callers before the function runs; all three are optional, and a function without any is open. */

const MAX_REQUESTS = 1_000_000;
const DAY_S = 24 * 3600;
const strict = { additionalProperties: false };

export const AccessDefinition = Type.Object(
  { api_keys: Type.Boolean({ description: "Only calls with one of the function's API keys are let in." }) },
  { ...strict, description: 'Who may call. Left out: everybody.' },
);

const words = (description: string) => Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: 64, uniqueItems: true, description });

export const CorsDefinition = Type.Object(
  {
    allow_origins: Type.Array(Type.String({ minLength: 1, maxLength: 512 }), {
      minItems: 1,
      maxItems: 64,
      uniqueItems: true,
      description: 'Origins as browsers write them, such as `https://app.example`, or `*` for every one.',
    }),
    allow_methods: Type.Optional(words('Methods besides GET, HEAD and POST. Left out: those that the path has functions for.')),
    allow_headers: Type.Optional(
      words('Request headers that a page may set. Left out: Content-Type, and those that carry an API key when the function asks for one.'),
    ),
    expose_headers: Type.Optional(words('Response headers that a page may read. Left out: those by which the gateway tells about the call.')),
    allow_credentials: Type.Optional(
      Type.Boolean({ description: 'Cookies and HTTP authentication of the browser go along. Not together with `*`.' }),
    ),
    max_age_s: Type.Optional(Type.Integer({ minimum: 0, maximum: DAY_S, description: "Seconds that a browser may remember a preflight's answer." })),
  },
  { ...strict, description: 'Pages of which origins may call from a browser. Left out: what the function itself answers.' },
);

const limitMembers = {
  requests: Type.Integer({ minimum: 1, maximum: MAX_REQUESTS, description: 'So many in …' }),
  per_s: Type.Integer({ minimum: 1, maximum: DAY_S, description: '… so many seconds, on average.' }),
  burst: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_REQUESTS, description: 'So many at once. Default: `requests`.' })),
};

/** An API key's own. */
export const KeyRateLimitDefinition = Type.Object(limitMembers, { ...strict, description: 'How often the holder of a key may call.' });
export type KeyRateLimitDefinition = Static<typeof KeyRateLimitDefinition>;

export const RateLimitDefinition = Type.Object(
  {
    ...limitMembers,
    by: Type.Union([Type.Literal('key'), Type.Literal('client'), Type.Literal('all')], {
      description: 'Counted for each API key, for each client address, or for all callers together.',
    }),
  },
  { ...strict, description: 'How often the function may be called. Left out: as often as the machine bears.' },
);

export interface RateLimit {
  readonly requests: number;
  readonly perS: number;
  readonly burst: number;
}

export type FunctionRateLimit = RateLimit & { readonly by: 'key' | 'client' | 'all' };

export interface CorsPolicy {
  /** Serialised origins (RFC 6454 §6.2), or just `*`. */
  readonly origins: readonly string[];
  /** Null: the method that was asked about, which the path has a function for. */
  readonly methods: readonly string[] | null;
  readonly headers: readonly string[];
  readonly expose: readonly string[];
  readonly credentials: boolean;
  /** Null: the browser's own default, 5 s. */
  readonly maxAgeS: number | null;
}

/** Part of a version. What the gateway enforces is that of the current version, however calls are split between versions. */
export interface GatewayPolicy {
  readonly apiKeys: boolean;
  readonly cors: CorsPolicy | null;
  readonly rateLimit: FunctionRateLimit | null;
}
