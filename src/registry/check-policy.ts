import { HearthError } from '../errors.ts';
import type { FunctionDefinition, FunctionVersion } from '../schemas/function.ts';
import type { CorsPolicy, GatewayPolicy, KeyRateLimitDefinition, RateLimit } from '../schemas/policy.ts';

type CorsDefinition = NonNullable<FunctionDefinition['cors']>;

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What the gateway tells about a call, for pages that want to show or log it. */
const OWN_HEADERS = ['X-Correlation-Id', 'X-Request-Id', 'Retry-After', 'RateLimit', 'RateLimit-Policy'];

/** What a definition asks of its callers; null when it asks for nothing. @throws HearthError invalid_request that names the member */
export function policyOf({ access, cors, rate_limit: limit }: FunctionDefinition): GatewayPolicy | null {
  const apiKeys = access?.api_keys ?? false;
  if (!apiKeys && cors === undefined && limit === undefined) return null;
  if (limit?.by === 'key' && !apiKeys) {
    throw invalid('rate_limit.by', '"key" needs "access": {"api_keys": true}; without keys, limit by "client" or "all".');
  }
  return { apiKeys, cors: cors ? corsOf(cors, apiKeys) : null, rateLimit: limit ? { ...rateLimitOf(limit), by: limit.by } : null };
}

/** Words for whoever makes a version current that lets in more than the one before: a forgotten member, or a rollback, must not go unnoticed. */
export function sayIfOpened(before: FunctionVersion | undefined, after: FunctionVersion): string[] {
  if (!before?.policy?.apiKeys || after.policy?.apiKeys) return [];
  return [
    `Version ${before.number} of "${after.functionName}" asked for an API key, version ${after.number} does not: everybody may call it. Its keys stay.`,
  ];
}

export function rateLimitOf({ requests, per_s: perS, burst }: KeyRateLimitDefinition): RateLimit {
  return { requests, perS, burst: burst ?? requests };
}

function corsOf(cors: CorsDefinition, apiKeys: boolean): CorsPolicy {
  cors.allow_origins.forEach((origin, index) => {
    checkOrigin(origin, `cors.allow_origins.${index}`);
  });
  for (const member of ['allow_methods', 'allow_headers', 'expose_headers'] as const) {
    cors[member]?.forEach((word, index) => {
      if (!TOKEN.test(word)) throw invalid(`cors.${member}.${index}`, `${JSON.stringify(word)} is no HTTP token.`);
    });
  }
  // Browsers take a * of any of these lists for a mere star when credentials go along (Fetch standard, §3.3.5).
  if (cors.allow_credentials) {
    for (const member of ['allow_origins', 'allow_methods', 'allow_headers', 'expose_headers'] as const) {
      if (cors[member]?.includes('*')) throw invalid(`cors.${member}`, '"*" and allow_credentials exclude each other: list what you mean.');
    }
  }
  return {
    origins: cors.allow_origins.includes('*') ? ['*'] : cors.allow_origins,
    methods: cors.allow_methods ?? null,
    headers: cors.allow_headers ?? ['Content-Type', ...(apiKeys ? ['Authorization', 'X-API-Key'] : [])],
    expose: cors.expose_headers ?? OWN_HEADERS,
    credentials: cors.allow_credentials ?? false,
    maxAgeS: cors.max_age_s ?? null,
  };
}

/** Browsers compare byte by byte, so what they would never send is a mistake. */
function checkOrigin(origin: string, field: string): void {
  if (origin === '*') return;
  // Sandboxed frames and local files of anybody have that one.
  if (origin === 'null') throw invalid(field, '"null" is the origin of pages that nobody vouches for; write "*" if you mean everybody.');
  const web = /^https?:/i.test(origin);
  const expected = web && URL.canParse(origin) ? new URL(origin).origin : undefined;
  if (web ? origin === expected && !origin.includes('*') : /^[a-z][a-z0-9+.-]*:\/\/[A-Za-z0-9._-]+(:\d{1,5})?$/.test(origin)) return;
  const hint = expected && !origin.includes('*') ? ` Browsers write ${JSON.stringify(expected)}.` : '';
  throw invalid(field, `${JSON.stringify(origin)} is no origin: scheme://host or scheme://host:port, without a path and without wildcards.${hint}`);
}

function invalid(field: string, message: string): HearthError {
  return new HearthError('invalid_request', `${field}: ${message}`, { extra: { errors: [{ field, message }] } });
}
