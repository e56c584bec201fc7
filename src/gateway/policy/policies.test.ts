import type { IncomingMessage, ServerResponse } from 'node:http';
import { beforeEach, describe, expect, it } from 'vitest';
import { LimitShare } from '../../cluster/limit-share.ts';
import type { RouteTarget } from '../../router/router.ts';
import { type ApiKey, apiKeyToken, hashSecret } from '../../schemas/api-key.ts';
import type { GatewayPolicy } from '../../schemas/policy.ts';
import { GatewayPolicies, isGoverned } from './policies.ts';

const SECRET = 's'.repeat(43);
const WRONG = 'w'.repeat(43);
const idOf = (digit: number) => String(digit).repeat(16);

function policy(members: Partial<GatewayPolicy> = {}): GatewayPolicy {
  return { apiKeys: false, cors: null, rateLimit: null, ...members };
}

function key(digit: number, functionName: string, members: Partial<ApiKey> = {}): ApiKey {
  return {
    ...{ id: idOf(digit), functionName, name: `key-${digit}`, secretHash: hashSecret(SECRET) },
    ...{ rateLimit: null, createdAt: 0, expiresAt: null, ...members },
  };
}

describe('GatewayPolicies', () => {
  let now: number;
  let epoch: number;
  let policies: GatewayPolicies;
  let share: LimitShare;
  let targets: RouteTarget[];

  beforeEach(() => {
    now = 0;
    epoch = 1_000_000;
    share = new LimitShare();
    policies = new GatewayPolicies({ monotonic: () => now, clock: () => epoch, share });
    targets = [];
  });

  function define(functionName: string, settings: GatewayPolicy | null, ...keys: ApiKey[]): RouteTarget {
    const target = { version: { functionName, number: 1, policy: settings }, chooser: null, params: {} } as unknown as RouteTarget;
    policies.put(target.version);
    policies.setKeys(functionName, keys);
    targets = [...targets.filter(({ version }) => version.functionName !== functionName), target];
    return target;
  }

  /** What the answer carries besides its own headers, and who is let in or why not. */
  function call(headers: Record<string, string> = {}, client = '192.0.2.1') {
    let written: string[] = [];
    const response = {
      writeHead(_status: number, head: string[]) {
        written = head;
      },
    } as unknown as ServerResponse;
    const request = { headers: { ...headers }, rawHeaders: Object.entries(headers).flat() } as unknown as IncomingMessage;
    let admitted: readonly RouteTarget[] | undefined;
    let error: { code: string; extra: Record<string, unknown>; retryAfter?: number } | undefined;
    try {
      admitted = policies.admit(request, response, targets, client);
    } catch (thrown) {
      error = thrown as typeof error;
    }
    response.writeHead(200, []);
    const head = Object.fromEntries(written.flatMap((name, index) => (index % 2 === 0 ? [[name, written[index + 1]]] : [])));
    return { seen: request.rawHeaders, names: admitted?.map(({ version }) => version.functionName), code: error?.code ?? 'ok', error, head };
  }
  const withKey = (digit: number, secret = SECRET) => ({ 'x-api-key': apiKeyToken(idOf(digit), secret) });

  it('is asked only about functions that have a policy', () => {
    expect(isGoverned([define('open', null)])).toBe(false);
    expect(isGoverned([define('open', null), define('closed', policy({ apiKeys: true }))])).toBe(true);
  });

  it('lets in who has a key of the function, and nobody else', () => {
    define('echo', policy({ apiKeys: true }), key(1, 'echo'));
    policies.setKeys('other', [key(2, 'other')]);
    expect(call(withKey(1))).toMatchObject({ code: 'ok', seen: ['X-Hearth-Key-Name', 'key-1'] });
    expect(call()).toMatchObject({ code: 'api_key_required', head: { 'WWW-Authenticate': 'Bearer realm="hearth"' } });
    for (const headers of [withKey(1, WRONG), withKey(2), withKey(3), { authorization: 'Bearer jwt' }, { 'x-api-key': '' }]) {
      expect(call(headers)).toMatchObject({
        code: 'api_key_invalid',
        head: { 'WWW-Authenticate': 'Bearer realm="hearth", error="invalid_token"' },
      });
    }
  });

  it('lets nobody in when there are no keys', () => {
    define('echo', policy({ apiKeys: true }));
    expect([call().code, call(withKey(1)).code]).toEqual(['api_key_required', 'api_key_invalid']);
  });

  it('refuses a key from the instant at which it expires, and says so to its holder only', () => {
    define('echo', policy({ apiKeys: true }), key(1, 'echo', { expiresAt: 1_000_001 }));
    expect(call(withKey(1)).code).toBe('ok');
    epoch = 1_000_001;
    expect(String(call(withKey(1)).error)).toContain('expired at 1970-01-01T00:16:40.001Z');
    expect(String(call(withKey(1, WRONG)).error)).not.toContain('expired');
  });

  it('refuses a revoked key at once, and goes on counting for those that stay', () => {
    const [one, two] = [key(1, 'echo'), key(2, 'echo', { rateLimit: { requests: 1, perS: 60, burst: 1 } })];
    define('echo', policy({ apiKeys: true }), one, two);
    expect([call(withKey(1)).code, call(withKey(2)).code]).toEqual(['ok', 'ok']);
    policies.setKeys('echo', [two]);
    expect([call(withKey(1)).code, call(withKey(2)).code]).toEqual(['api_key_invalid', 'rate_limited']);
  });

  it('slows down who guesses the secret of a key, without locking out its neighbours or the key elsewhere', () => {
    define('echo', policy({ apiKeys: true }), key(1, 'echo'), key(2, 'echo'));
    for (let guess = 0; guess < 10; guess++) expect(call(withKey(1, WRONG)).code).toBe('api_key_invalid');
    // Not even the right one is looked at now, or else guessing would not be slow.
    expect(call(withKey(1))).toMatchObject({ code: 'rate_limited', error: { extra: { reason: 'key_failures' }, retryAfter: 6 } });
    expect(call(withKey(2)).code).toBe('ok');
    expect(call(withKey(1), '192.0.2.2').code).toBe('ok');
    now = 6_000;
    expect(call(withKey(1)).code).toBe('ok');
  });

  it('slows down who guesses ids, across functions', () => {
    define('echo', policy({ apiKeys: true }), key(1, 'echo'));
    for (let guess = 2; guess < 10; guess++) call(withKey(guess));
    call({ 'x-api-key': 'nonsense' });
    call({ authorization: 'Bearer nonsense' });
    expect(call(withKey(2)).error?.extra).toEqual({ reason: 'key_failures' });
    define('other', policy({ apiKeys: true }));
    targets = targets.slice(1);
    expect(call(withKey(2)).code).toBe('rate_limited');
    expect(call().code).toBe('api_key_required');
  });

  it('limits by client, with all that a client may need to know', () => {
    define('echo', policy({ rateLimit: { requests: 2, perS: 10, burst: 2, by: 'client' } }));
    expect(call().head).toEqual({ 'RateLimit-Policy': '"client";q=2;w=10', RateLimit: '"client";r=1;t=5' });
    expect(call().head).toMatchObject({ RateLimit: '"client";r=0;t=10' });
    now = 100;
    const refused = call();
    expect(refused.head).toMatchObject({ RateLimit: '"client";r=0;t=10' });
    expect(refused.error).toMatchObject({
      code: 'rate_limited',
      retryAfter: 5,
      extra: { reason: 'client_rate', limit: { requests: 2, per_s: 10, burst: 2 } },
    });
    expect(call({}, '192.0.2.2').code).toBe('ok');
    now = 5_000;
    expect([call().code, call().code]).toEqual(['ok', 'rate_limited']);
  });

  it("tells the whole limit and what is left of this node's part of it", () => {
    share.nodes = 3;
    define('echo', policy({ rateLimit: { requests: 6, perS: 60, burst: 6, by: 'client' } }));
    expect(call().head).toEqual({ 'RateLimit-Policy': '"client";q=6;w=60', RateLimit: '"client";r=1;t=30' });
    expect(call().code).toBe('ok');
    expect(call().error).toMatchObject({
      message: expect.stringContaining('Each of the 3 nodes lets in its part'),
      extra: { limit: { requests: 6, per_s: 60, burst: 6 } },
    });
  });

  it('limits all callers together', () => {
    define('echo', policy({ rateLimit: { requests: 1, perS: 10, burst: 1, by: 'all' } }));
    expect([call({}, '192.0.2.1').code, call({}, '192.0.2.2').error?.extra.reason]).toEqual(['ok', 'all_rate']);
  });

  it("limits by key; a key's own limit takes the place of that, and adds to the others", () => {
    const own = { rateLimit: { requests: 3, perS: 60, burst: 3 } };
    define('echo', policy({ apiKeys: true, rateLimit: { requests: 1, perS: 60, burst: 1, by: 'key' } }), key(1, 'echo'), key(2, 'echo', own));
    expect([1, 1, 2, 2, 2, 2].map((digit) => call(withKey(digit)).code)).toEqual(['ok', 'rate_limited', 'ok', 'ok', 'ok', 'rate_limited']);
    define('echo', policy({ apiKeys: true, rateLimit: { requests: 5, perS: 60, burst: 5, by: 'all' } }), key(1, 'echo'), key(3, 'echo', own));
    expect([3, 3, 3].map(() => call(withKey(3)).code)).toEqual(['ok', 'ok', 'ok']);
    // Refused by its own limit, a call takes nothing from what all share.
    expect(call(withKey(3)).error?.extra.reason).toBe('key_rate');
    expect([call(withKey(1)).code, call(withKey(1)).code]).toEqual(['ok', 'ok']);
    expect(call(withKey(1)).error?.extra.reason).toBe('all_rate');
  });

  it('goes on counting over a new version with the same limit, and begins anew with another', () => {
    const limit = { requests: 1, perS: 60, burst: 1, by: 'all' as const };
    define('echo', policy({ rateLimit: limit }));
    expect(call().code).toBe('ok');
    define('echo', policy({ rateLimit: { ...limit } }));
    expect(call().code).toBe('rate_limited');
    define('echo', policy({ rateLimit: { ...limit, perS: 30 } }));
    expect(call().code).toBe('ok');
  });

  it('counts no refused key against a limit', () => {
    define('echo', policy({ apiKeys: true, rateLimit: { requests: 1, perS: 60, burst: 1, by: 'all' } }), key(1, 'echo'));
    call();
    call(withKey(1, WRONG));
    expect(call(withKey(1)).code).toBe('ok');
  });

  it('leaves out functions of a key that refuse, and gives the first refusal when all do', () => {
    define('closed', policy({ apiKeys: true }), key(1, 'closed'));
    define('limited', policy({ rateLimit: { requests: 1, perS: 60, burst: 1, by: 'all' } }));
    expect(call(withKey(1))).toMatchObject({ names: ['closed', 'limited'], seen: ['X-Hearth-Key-Name', 'key-1'] });
    expect(call(withKey(1))).toMatchObject({ names: ['closed'] });
    expect(call()).toMatchObject({ code: 'api_key_required' });
    define('open', null);
    expect(call()).toMatchObject({ names: ['open'], seen: [] });
    define('second', policy({ apiKeys: true }), key(2, 'second'));
    expect(call(withKey(2))).toMatchObject({ names: ['open', 'second'] });
  });

  it('counts a key as wrong once, and not when it is that of another function on the event key', () => {
    define('first', policy({ apiKeys: true }), key(1, 'first'));
    define('second', policy({ apiKeys: true }), key(2, 'second'));
    for (let index = 0; index < 30; index++) expect(call(withKey(2)).names).toEqual(['second']);
    for (let index = 0; index < 10; index++) expect(call(withKey(2, WRONG)).code).toBe('api_key_invalid');
    expect(call(withKey(2, WRONG)).code).toBe('rate_limited');
  });

  it('forgets a function that is gone', () => {
    define('echo', policy({ apiKeys: true }), key(1, 'echo'));
    policies.remove('echo');
    policies.put((targets[0] as RouteTarget).version);
    expect(call(withKey(1)).code).toBe('api_key_invalid');
  });
});
