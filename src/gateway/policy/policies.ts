import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LimitShare } from '../../cluster/limit-share.ts';
import { HearthError } from '../../errors.ts';
import type { RouteTarget } from '../../router/router.ts';
import { type ApiKey, parseApiKeyToken } from '../../schemas/api-key.ts';
import type { FunctionVersion } from '../../schemas/function.ts';
import type { FunctionRateLimit, RateLimit } from '../../schemas/policy.ts';
import { changeHead } from './change-head.ts';
import { clientBucket } from './client-address.ts';
import { corsOf, withCors } from './cors.ts';
import { presentedKey, replaceKey } from './credentials.ts';
import { KeyRing, type RingKey, secretFits } from './key-ring.ts';
import { RateLimiter, type Verdict } from './rate-limiter.ts';

/** Callers that one function, or the count of wrong keys, tells apart at a time. About 1 MiB when all are taken. */
const MAX_BUCKETS = 10_000;
/** Wrong keys that one client may present: some at once, for those who mix them up, then one each 6 s. */
const FAILURES: RateLimit = { requests: 10, perS: 60, burst: 10 };

export interface PoliciesOptions {
  /** Milliseconds of a clock that doesn't go back. */
  monotonic: () => number;
  /** Milliseconds since the epoch. */
  clock: () => number;
  share: LimitShare;
}

/** What is remembered of a function between its calls. */
interface FunctionState {
  ring: KeyRing;
  limiter: RateLimiter | null;
}

interface Charge {
  limiter: RateLimiter;
  bucket: string;
  by: FunctionRateLimit['by'];
}

/** Whether a request has to be admitted. */
export function isGoverned(targets: readonly RouteTarget[]): boolean {
  for (let index = 0; index < targets.length; index++) if ((targets[index] as RouteTarget).version.policy) return true;
  return false;
}

/**
 * Decides at the gateway who may call what, and how often. Everything is in memory: the registry tells of changes, no request waits for a store.
 * In force is the policy of each function's current version, however its calls are split: it does not hang on which version a call happens to get, nor
 * can a caller choose a laxer one by X-Hearth-Version.
 */
export class GatewayPolicies {
  readonly #monotonic: () => number;
  readonly #clock: () => number;
  readonly #functions = new Map<string, FunctionState>();
  readonly #share: LimitShare;
  readonly #failures: RateLimiter;

  constructor({ monotonic, clock, share }: PoliciesOptions) {
    this.#monotonic = monotonic;
    this.#clock = clock;
    this.#share = share;
    this.#failures = new RateLimiter(FAILURES, MAX_BUCKETS, share);
  }

  /** A version is current from now on. What was counted goes on when its limit is the same. */
  put({ functionName, policy }: FunctionVersion): void {
    // Most functions ask for nothing and are not remembered.
    if (!policy && !this.#functions.has(functionName)) return;
    const state = this.#stateOf(functionName);
    const limit = policy?.rateLimit ?? null;
    if (limit === null) state.limiter = null;
    else if (!state.limiter || !sameLimit(state.limiter.limit as FunctionRateLimit, limit)) {
      state.limiter = new RateLimiter(limit, MAX_BUCKETS, this.#share);
    }
  }

  /** All keys that the function has from now on. */
  setKeys(functionName: string, keys: readonly ApiKey[]): void {
    const state = this.#stateOf(functionName);
    state.ring = new KeyRing(keys, state.ring, this.#share);
  }

  remove(functionName: string): void {
    this.#functions.delete(functionName);
  }

  /**
   * Of several functions on one event key, those that refuse the request are left out. Whatever answers it carries the headers that the policies ask for.
   * The key itself is taken out of the request's headers, and its name put in its place.
   * @param client the caller's address
   * @returns those that may run
   * @throws HearthError api_key_required, api_key_invalid or rate_limited: the first refusal, when nobody is left
   */
  admit(request: IncomingMessage, response: ServerResponse, targets: readonly RouteTarget[], client: string): readonly RouteTarget[] {
    const cors = corsOf(targets);
    const { origin } = request.headers;
    const extra: string[] = [];
    changeHead(response, (head) => [...(cors ? withCors(head, cors, origin) : head), ...extra]);

    const now = this.#monotonic();
    const bucket = clientBucket(client);
    const keyed = targets.filter(({ version }) => version.policy?.apiKeys);
    const { found, refusal } = keyed.length === 0 ? NOBODY : this.#identify(presentedKey(request.headers), keyed, bucket, now);
    const admitted: RouteTarget[] = [];
    let first: HearthError | undefined;
    let tightest: { verdict: Verdict; charge: Charge } | undefined;
    for (const target of targets) {
      const { functionName, policy } = target.version;
      const key = policy?.apiKeys ? found : undefined;
      if (policy?.apiKeys && key?.key.functionName !== functionName) {
        first ??= refusal ?? invalidKey(functionName);
        continue;
      }
      const charged = charge(this.#charges(functionName, policy?.rateLimit ?? null, key, bucket), now);
      if (charged && (!tightest || charged.verdict.remaining < tightest.verdict.remaining)) tightest = charged;
      if (charged && !charged.verdict.allowed) first ??= tooMany(functionName, charged, this.#share.nodes);
      else admitted.push(target);
    }
    if (tightest) extra.push(...limitHeaders(tightest));
    if (admitted.length > 0) {
      if (keyed.length > 0) replaceKey(request, found?.key.name ?? null);
      return admitted;
    }
    if (first?.status === 401) extra.push('WWW-Authenticate', challenge(first));
    throw first;
  }

  /**
   * Who presents it. Wrong keys are counted by client and, for a key that there is, by that key: so guessing is slow, and whoever shares an address with
   * the guesser is let in all the same. Beyond the count a key isn't even looked at.
   */
  #identify(token: string | undefined, keyed: readonly RouteTarget[], client: string, now: number): Identity {
    const functionName = keyed[0]?.version.functionName as string;
    if (token === undefined) return { found: undefined, refusal: missingKey(functionName) };
    const parsed = parseApiKeyToken(token);
    let found: RingKey | undefined;
    if (parsed) for (const { version } of keyed) found ??= this.#functions.get(version.functionName)?.ring.find(parsed.id);
    const bucket = found ? `${client} ${found.key.id}` : client;
    const { allowed, retryMs } = this.#failures.peek(bucket, now);
    if (!allowed) return { found: undefined, refusal: tooManyFailures(retryMs) };
    if (!parsed || !found || !secretFits(found.key, parsed.secret)) {
      this.#failures.take(bucket, now);
      return { found: undefined, refusal: invalidKey(functionName) };
    }
    const { expiresAt, name } = found.key;
    if (expiresAt !== null && expiresAt <= this.#clock()) return { found: undefined, refusal: expiredKey(name, expiresAt) };
    return { found, refusal: undefined };
  }

  /** A key's own limit takes the place of the function's limit for each key, and comes on top of the others. */
  #charges(functionName: string, limit: FunctionRateLimit | null, key: RingKey | undefined, client: string): Charge[] {
    const charges: Charge[] = [];
    if (key?.limiter) charges.push({ limiter: key.limiter, bucket: '', by: 'key' });
    const limiter = this.#functions.get(functionName)?.limiter;
    if (!limit || !limiter || (limit.by === 'key' && key?.limiter)) return charges;
    const bucket = limit.by === 'client' ? client : limit.by === 'key' ? (key?.key.id ?? '') : '';
    charges.push({ limiter, bucket, by: limit.by });
    return charges;
  }

  #stateOf(functionName: string): FunctionState {
    let state = this.#functions.get(functionName);
    if (!state) {
      state = { ring: new KeyRing([], null, this.#share), limiter: null };
      this.#functions.set(functionName, state);
    }
    return state;
  }
}

interface Identity {
  found: RingKey | undefined;
  refusal: HearthError | undefined;
}

const NOBODY: Identity = { found: undefined, refusal: undefined };

/** All or nothing, so that a call that one limit refuses is not counted by another. @returns the verdict that leaves the least */
function charge(charges: readonly Charge[], now: number): { verdict: Verdict; charge: Charge } | undefined {
  let tightest: { verdict: Verdict; charge: Charge } | undefined;
  for (const one of charges) {
    const verdict = one.limiter.peek(one.bucket, now);
    if (!verdict.allowed) return { verdict, charge: one };
    if (!tightest || verdict.remaining < tightest.verdict.remaining) tightest = { verdict, charge: one };
  }
  for (const { limiter, bucket } of charges) limiter.take(bucket, now);
  return tightest;
}

/** draft-ietf-httpapi-ratelimit-headers-10, §3 and §4: quota and window; what is left, and the seconds until all of it is there again. */
function limitHeaders({ verdict, charge: { limiter, by } }: { verdict: Verdict; charge: Charge }): string[] {
  const { requests, perS } = limiter.limit;
  return ['RateLimit-Policy', `"${by}";q=${requests};w=${perS}`, 'RateLimit', `"${by}";r=${verdict.remaining};t=${seconds(verdict.resetMs)}`];
}

const WHOM = { key: 'with this API key', client: 'from this address', all: 'by all callers together' };

function tooMany(functionName: string, { verdict, charge: { limiter, by } }: { verdict: Verdict; charge: Charge }, nodes: number): HearthError {
  const { requests, perS, burst } = limiter.limit;
  const wait = seconds(verdict.retryMs);
  const share = nodes === 1 ? '' : ` Each of the ${nodes} nodes lets in its part of that.`;
  return new HearthError(
    'rate_limited',
    `"${functionName}" may be called ${requests} times in ${perS} s ${WHOM[by]}, ${burst} of them at once.${share} Try again in ${wait} s.`,
    { retryAfter: wait, extra: { reason: `${by}_rate`, limit: { requests, per_s: perS, burst } } },
  );
}

function tooManyFailures(retryMs: number): HearthError {
  const wait = seconds(retryMs);
  return new HearthError('rate_limited', `Too many wrong API keys came from this address. Try again in ${wait} s.`, {
    retryAfter: wait,
    extra: { reason: 'key_failures' },
  });
}

function missingKey(functionName: string): HearthError {
  return new HearthError(
    'api_key_required',
    `"${functionName}" is called with an API key: send it as \`Authorization: Bearer hk_…\` or \`X-API-Key: hk_…\`. Whoever runs the platform makes one with \`hearth keys create ${functionName} NAME\`.`,
  );
}

function invalidKey(functionName: string): HearthError {
  return new HearthError('api_key_invalid', `This is no API key of "${functionName}": it is mistyped, another function's, or was revoked.`);
}

function expiredKey(name: string, expiresAt: number): HearthError {
  return new HearthError('api_key_invalid', `The API key "${name}" expired at ${new Date(expiresAt).toISOString()}; ask for a new one.`);
}

/** RFC 6750 §3: a caller who presented nothing is told no error. */
function challenge({ code }: HearthError): string {
  return code === 'api_key_required' ? 'Bearer realm="hearth"' : 'Bearer realm="hearth", error="invalid_token"';
}

function seconds(milliseconds: number): number {
  return Math.max(1, Math.ceil(milliseconds / 1000));
}

function sameLimit(a: FunctionRateLimit, b: FunctionRateLimit): boolean {
  return a.requests === b.requests && a.perS === b.perS && a.burst === b.burst && a.by === b.by;
}
