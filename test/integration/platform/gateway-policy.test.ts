import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FunctionDefinition } from '../../../src/schemas/function.ts';
import { Hearth, json, until } from '../../support/hearth.ts';

const run = promisify(execFile);
const BIN = fileURLToPath(new URL('../../../bin/hearth.js', import.meta.url));
const APP = 'https://app.example';
/** Answers with the headers that it got. */
const ECHO = 'def handler(message, context):\n    return {"headers": {k.lower(): v for k, v in message["headers"].items()}}';

let hearth: Hearth;

beforeAll(async () => {
  hearth = await Hearth.start();
});

afterAll(async () => {
  await hearth?.[Symbol.asyncDispose]();
});

interface Created {
  id: string;
  key: string;
  warnings: string[];
}

async function createKey(functionName: string, members: Record<string, unknown> = { name: 'app' }, on = hearth): Promise<Created> {
  const response = await on.post(`/functions/${functionName}/keys`, members);
  const body = await response.json();
  expect(response.status, JSON.stringify(body)).toBe(200);
  return body as Created;
}

/** `hk_`, 16 digits and `_` come before it. */
function secretOf(key: string): string {
  return key.slice(20);
}

function revoke(functionName: string, key: string): Promise<Response> {
  return fetch(`${hearth.api}/functions/${functionName}/keys/${key}`, { method: 'DELETE' });
}

const bearer = (key: string) => ({ headers: { Authorization: `Bearer ${key}` } });
const apiKey = (key: string, headers: Record<string, string> = {}) => ({ headers: { 'X-API-Key': key, ...headers } });

async function outcome(path: string, init?: RequestInit): Promise<[status: number, code: unknown]> {
  const response = await hearth.call(path, init);
  const text = await response.text();
  return [response.status, response.ok ? undefined : (JSON.parse(text) as { code: string }).code];
}

function headersOf(body: Record<string, unknown>): Record<string, string> {
  return body.headers as Record<string, string>;
}

const KEYED: Partial<FunctionDefinition> = { access: { api_keys: true } };

describe('API keys', () => {
  it('lets in who has one, by either header, and tells the function whose it is but not the key', async () => {
    await hearth.define('keyed', ECHO, KEYED);
    const { key, warnings } = await createKey('keyed', { name: 'mobile-app' });
    expect(warnings).toEqual([]);
    for (const init of [bearer(key), apiKey(key), apiKey(key, { 'X-Hearth-Key-Name': 'root' })]) {
      const response = await hearth.call('/keyed', init);
      expect(response.status).toBe(200);
      const text = await response.text();
      expect(text).not.toContain(key);
      expect(headersOf(JSON.parse(text))['x-hearth-key-name']).toBe('mobile-app');
    }
  });

  it('is a name that nobody gets by saying it', async () => {
    await hearth.define('open', ECHO);
    const headers = headersOf(
      await json(await hearth.call('/open', { headers: { 'X-Hearth-Key-Name': 'root', 'X-API-Key': "the function's own" } })),
    );
    expect(headers).toMatchObject({ 'x-api-key': "the function's own" });
    expect(headers).not.toHaveProperty('x-hearth-key-name');
  });

  it("leaves a token of the function's own alone when the key comes in X-API-Key", async () => {
    await hearth.define('own-token', ECHO, KEYED);
    const { key } = await createKey('own-token');
    const headers = headersOf(await json(await hearth.call('/own-token', apiKey(key, { Authorization: 'Bearer own.jwt' }))));
    expect(headers).toMatchObject({ authorization: 'Bearer own.jwt', 'x-hearth-key-name': 'app' });
    expect(headers).not.toHaveProperty('x-api-key');
  });

  it('refuses without a key, with a wrong one and with that of another function, before the function runs', async () => {
    await hearth.define('closed', ECHO, KEYED);
    await hearth.define('elsewhere', ECHO, KEYED);
    const { key } = await createKey('closed');
    const other = await createKey('elsewhere');

    const missing = await hearth.call('/closed', { method: 'POST', body: 'x'.repeat(100_000) });
    expect(missing.status).toBe(401);
    expect(missing.headers.get('www-authenticate')).toBe('Bearer realm="hearth"');
    expect(missing.headers.get('content-type')).toBe('application/problem+json');
    expect(await json(missing)).toMatchObject({ code: 'api_key_required', fault: 'caller' });

    const wrong = await hearth.call('/closed', apiKey(`${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`));
    expect(wrong.headers.get('www-authenticate')).toContain('error="invalid_token"');
    expect(await json(wrong)).toMatchObject({ status: 401, code: 'api_key_invalid' });
    expect(await outcome('/closed', apiKey(other.key))).toEqual([401, 'api_key_invalid']);
    expect(await outcome('/closed', { headers: { Authorization: 'Basic YTpi' } })).toEqual([401, 'api_key_required']);
    expect(await hearth.instances('closed')).toEqual([]);
    expect(await outcome('/closed', apiKey(key))).toEqual([200, undefined]);
  });

  it('refuses a revoked key at once, and an expired one', async () => {
    await hearth.define('revoking', ECHO, KEYED);
    const { key, id } = await createKey('revoking', { name: 'first' });
    const expiring = await createKey('revoking', { name: 'expiring', expires_at: Date.now() + 300 });
    const staying = await createKey('revoking', { name: 'staying' });
    expect(await outcome('/revoking', apiKey(key))).toEqual([200, undefined]);
    expect(await json(await revoke('revoking', id))).toMatchObject({ status: 'ok', revoked: { id, name: 'first' } });
    expect(await outcome('/revoking', apiKey(key))).toEqual([401, 'api_key_invalid']);
    expect((await revoke('revoking', id)).status).toBe(404);
    const expired = await until(async () => {
      const response = await hearth.call('/revoking', apiKey(expiring.key));
      return response.status === 401 && json(response);
    });
    expect(expired).toMatchObject({ code: 'api_key_invalid', detail: expect.stringContaining('expired at') });
    expect(await outcome('/revoking', apiKey(staying.key))).toEqual([200, undefined]);
  });

  it('slows down who guesses, and lets their neighbour at the same address in', async () => {
    await hearth.define('guessed', ECHO, KEYED);
    const [target, neighbour] = [await createKey('guessed', { name: 'target' }), await createKey('guessed', { name: 'neighbour' })];
    const guesses: unknown[] = [];
    for (let guess = 0; guess < 12; guess++)
      guesses.push((await outcome('/guessed', apiKey(`hk_${target.id}_${String(guess).padStart(43, 'x')}`)))[0]);
    expect(guesses.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 401));
    expect(guesses.slice(10)).toEqual([429, 429]);
    const refused = await hearth.call('/guessed', apiKey(target.key));
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await json(refused)).toMatchObject({ code: 'rate_limited', reason: 'key_failures' });
    expect(await outcome('/guessed', apiKey(neighbour.key))).toEqual([200, undefined]);
  });

  it('lists keys without secrets, and validates what it is given', async () => {
    await hearth.define('listed', ECHO);
    const created = await createKey('listed', { name: 'app', rate_limit: { requests: 5, per_s: 60 } });
    expect(created.warnings).toEqual([expect.stringContaining('asks for no key')]);
    const response = await fetch(`${hearth.api}/functions/listed/keys`);
    const text = await response.text();
    expect(JSON.parse(text)).toEqual({
      keys: [{ id: created.id, name: 'app', rate_limit: { requests: 5, per_s: 60, burst: 5 }, created_at: expect.any(Number), expires_at: null }],
    });
    expect(text).not.toContain(secretOf(created.key));
    const status = async (name: string, body: unknown) => (await hearth.post(`/functions/${name}/keys`, body)).status;
    expect(await status('listed', { name: 'app' })).toBe(409);
    expect(await status('listed', { name: 'a b' })).toBe(422);
    expect(await status('listed', { name: 'b', secret: 'mine' })).toBe(422);
    expect(await status('nowhere', { name: 'app' })).toBe(404);
    expect(await hearth.get('/functions/listed')).toMatchObject({ access: null, cors: null, rate_limit: null });
  });

  it('goes with the function, and does not come back with its name', async () => {
    await hearth.define('gone', ECHO, KEYED);
    const { key } = await createKey('gone');
    expect(await outcome('/gone', apiKey(key))).toEqual([200, undefined]);
    await hearth.define('gone', `${ECHO}\n# again`, KEYED);
    expect(await outcome('/gone', apiKey(key))).toEqual([200, undefined]);
    await fetch(`${hearth.api}/functions/gone`, { method: 'DELETE' });
    await hearth.define('gone', ECHO, KEYED);
    expect(await outcome('/gone', apiKey(key))).toEqual([401, 'api_key_invalid']);
  });

  it('is made, listed and revoked by the command', async () => {
    await hearth.define('commanded', ECHO, KEYED);
    const hearthKeys = (...args: string[]) => run(process.execPath, [BIN, 'keys', ...args, '--api', hearth.api]);
    const created = await hearthKeys('create', 'commanded', 'app', '--rate', '100/60/10', '--expires', '2099-01-01');
    const key = created.stdout.trim();
    expect(await outcome('/commanded', apiKey(key))).toEqual([200, undefined]);
    const { stdout } = await hearthKeys('list', 'commanded');
    expect(stdout).toMatch(/app +100 in 60 s, 10 at once +\S+Z +2099-01-01T00:00:00Z/);
    await hearthKeys('revoke', 'commanded', 'app');
    expect(await outcome('/commanded', apiKey(key))).toEqual([401, 'api_key_invalid']);
    await expect(hearthKeys('create', 'commanded', 'b', '--rate', 'often')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--rate'),
    });
  });

  it('holds for whatever version a call asks for, and says so when a rollback opens the function', async () => {
    await hearth.define('reopened', ECHO);
    await hearth.define('reopened', ECHO, KEYED);
    const split = await fetch(`${hearth.api}/functions/reopened/traffic`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ weights: { 1: 50, 2: 50 } }),
    });
    expect(split.status).toBe(200);
    for (const number of ['1', '2'])
      expect(await outcome('/reopened', { headers: { 'X-Hearth-Version': number } })).toEqual([401, 'api_key_required']);
    const rollback = await json(await hearth.post('/functions/reopened/rollback', { version: 1 }));
    expect(rollback.warnings).toContainEqual(expect.stringContaining('everybody may call it'));
    expect(await outcome('/reopened')).toEqual([200, undefined]);
  });

  it('can keep its holder with one version of a split', async () => {
    await hearth.define('sticky', 'def handler(m, c):\n    return "v1"', KEYED);
    await hearth.define('sticky', 'def handler(m, c):\n    return "v2"', KEYED);
    const split = await fetch(`${hearth.api}/functions/sticky/traffic`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ weights: { 1: 50, 2: 50 }, sticky_header: 'X-Hearth-Key-Name' }),
    });
    expect(split.status).toBe(200);
    const versions = new Map<string, Set<string>>();
    for (let holder = 0; holder < 12; holder++) {
      const { key } = await createKey('sticky', { name: `holder-${holder}` });
      const seen = new Set<string>();
      for (let call = 0; call < 5; call++) seen.add(await (await hearth.call('/sticky', apiKey(key))).text());
      versions.set(key, seen);
    }
    // Which holder has which is fixed by the hash of its name.
    expect([...versions.values()].map(({ size }) => size)).toEqual(Array.from({ length: 12 }, () => 1));
    expect(new Set([...versions.values()].flatMap((seen) => [...seen]))).toEqual(new Set(['v1', 'v2']));
  });

  it('tells its holder the answer of an idempotency key, and nobody else', async () => {
    await hearth.define('secretive', 'def handler(m, c):\n    return m["headers"]["X-Hearth-Key-Name"]', KEYED);
    const [mine, other] = await Promise.all(['mine', 'other'].map((name) => createKey('secretive', { name })));
    const call = (key: string) => hearth.call('/secretive', apiKey(key, { 'Idempotency-Key': '"order-1"' }));
    expect(await (await call((mine as { key: string }).key)).text()).toBe('mine');
    expect(await (await call((mine as { key: string }).key)).text()).toBe('mine');
    expect(await (await call((other as { key: string }).key)).text()).toBe('other');
  });

  it('is not asked for at the control plane, which has its own authorisation', async () => {
    await hearth.define('triggered', ECHO, { ...KEYED, event_type: 'http|GET|/triggered' });
    const triggered = await hearth.post('/functions/trigger', { http_header: '', http_body: '', http_path: '/triggered', http_verb: 'GET' });
    expect(triggered.status).toBe(200);
  });
});

describe('a restart', () => {
  it('keeps keys, and their secrets are in no file', async () => {
    await using first = await Hearth.start();
    await first.define('kept', ECHO, { ...KEYED, rate_limit: { requests: 1000, per_s: 1, by: 'key' } });
    const { key } = await createKey('kept', { name: 'app' }, first);
    expect((await first.call('/kept', apiKey(key))).status).toBe(200);
    // What is queued is written to the disk, with the caller's headers.
    expect((await first.call('/kept', bearer(key))).status).toBe(200);
    expect((await first.call('/kept', apiKey(key, { Prefer: 'respond-async' }))).status).toBe(202);
    expect((await first.call('/kept', apiKey(key, { 'Idempotency-Key': '"once"' }))).status).toBe(200);
    await first.stop();
    const secret = secretOf(key);
    const files = (await readdir(first.dataFolder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    const databases = files.filter(({ name }) => /\.db(-wal)?$/.test(name));
    expect(databases.length).toBeGreaterThan(1);
    for (const { parentPath, name } of files) expect((await readFile(join(parentPath, name))).includes(secret), name).toBe(false);
    expect(first.output).not.toContain(secret);
    await using second = await Hearth.start({ dataFolder: first.dataFolder });
    expect((await second.call('/kept', apiKey(key))).status).toBe(200);
    expect((await second.call('/kept')).status).toBe(401);
  });
});

describe('CORS settings', () => {
  const CORS: Partial<FunctionDefinition> = {
    cors: { allow_origins: [APP], allow_headers: ['Content-Type', 'X-API-Key'], expose_headers: ['X-Mine'], allow_credentials: true, max_age_s: 600 },
  };
  const from = (origin: string, init: RequestInit = {}) => ({ ...init, headers: { Origin: origin, ...(init.headers as object) } });
  const preflight = (path: string, origin: string, method: string) =>
    hearth.call(path, {
      method: 'OPTIONS',
      headers: { Origin: origin, 'Access-Control-Request-Method': method, 'Access-Control-Request-Headers': 'x-api-key' },
    });
  const corsHeaders = (response: Response) => Object.fromEntries([...response.headers].filter(([name]) => name.startsWith('access-control-')));

  it('answers a browser: preflight without a key and without the function, then the call, then what failed', async () => {
    const code =
      'def handler(m, c):\n    return {"statusCode": 200, "headers": {"Vary": "Accept", "Access-Control-Allow-Origin": "*", "X-Mine": "1"}, "body": "hi"}';
    await hearth.define('browsed', code, {
      ...KEYED,
      ...CORS,
      event_type: 'http|PUT|/browsed',
    });
    const asked = await preflight('/browsed', APP, 'PUT');
    expect(asked.status).toBe(204);
    expect(asked.headers.get('vary')).toContain('Origin');
    expect(corsHeaders(asked)).toEqual({
      'access-control-allow-origin': APP,
      'access-control-allow-methods': 'PUT',
      'access-control-allow-headers': 'Content-Type, X-API-Key',
      'access-control-allow-credentials': 'true',
      'access-control-max-age': '600',
    });
    expect(await hearth.instances('browsed')).toEqual([]);

    const readable = { 'access-control-allow-origin': APP, 'access-control-allow-credentials': 'true', 'access-control-expose-headers': 'X-Mine' };
    const { key } = await createKey('browsed');
    const answer = await hearth.call('/browsed', from(APP, { method: 'PUT', body: '{}', ...apiKey(key, { Origin: APP }) }));
    expect([answer.status, await answer.text()]).toEqual([200, 'hi']);
    expect(corsHeaders(answer)).toEqual(readable);
    expect(answer.headers.get('vary')).toBe('Accept, Origin');

    const refused = await hearth.call('/browsed', from(APP, { method: 'PUT', body: '{}' }));
    expect(refused.status).toBe(401);
    expect(corsHeaders(refused)).toEqual(readable);
  });

  it('stands on every kind of failure, so that a page can read why', async () => {
    await hearth.define('failing', 'def handler(m, c):\n    raise ValueError("no")', { ...CORS, timeout_ms: 5000 });
    await hearth.define('slow', 'import time\ndef handler(m, c):\n    time.sleep(30)', { ...CORS, timeout_ms: 300 });
    await hearth.define('streamed', 'def handler(m, c):\n    yield "a"\n    yield "b"', CORS);
    const responses = [
      await hearth.call('/failing', from(APP)),
      await hearth.call('/slow', from(APP)),
      await hearth.call('/failing', from(APP, { headers: { 'X-Hearth-Version': '99' } })),
      await hearth.call('/failing', from(APP, { method: 'POST', body: 'x'.repeat(7 * 1024 * 1024) })),
      await hearth.call('/streamed', from(APP)),
    ];
    expect(responses.map(({ status }) => status)).toEqual([502, 504, 404, 413, 200]);
    for (const response of responses) expect(response.headers.get('access-control-allow-origin')).toBe(APP);
  });

  it('allows nothing to other origins, tells caches, and runs the function all the same', async () => {
    await hearth.define('choosy', ECHO, CORS);
    const asked = await preflight('/choosy', 'https://evil.example', 'GET');
    expect([asked.status, corsHeaders(asked)]).toEqual([204, {}]);
    const answer = await hearth.call('/choosy', from('https://evil.example'));
    expect([answer.status, corsHeaders(answer), answer.headers.get('vary')]).toEqual([200, {}, 'Origin']);
    const plain = await hearth.call('/choosy');
    expect([plain.status, corsHeaders(plain), plain.headers.get('vary')]).toEqual([200, {}, 'Origin']);
  });

  it('passes everything through untouched where there are none', async () => {
    const code =
      'def handler(m, c):\n    return {"statusCode": 204 if m["verb"] == "OPTIONS" else 200, "headers": {"Access-Control-Allow-Origin": "https://own.example", "X-Verb": m["verb"]}}';
    await hearth.define('own-cors', code);
    const asked = await preflight('/own-cors', APP, 'PUT');
    expect([asked.status, asked.headers.get('x-verb'), corsHeaders(asked)]).toEqual([
      204,
      'OPTIONS',
      { 'access-control-allow-origin': 'https://own.example' },
    ]);
    const answer = await hearth.call('/own-cors', from(APP));
    expect([corsHeaders(answer), answer.headers.get('vary')]).toEqual([{ 'access-control-allow-origin': 'https://own.example' }, null]);
  });

  it('refuses credentials for everybody, and origins that no browser sends', async () => {
    const register = (cors: FunctionDefinition['cors']) =>
      hearth.post('/functions', { event_type: 'http|GET|/bad', function_name: 'bad', function_code: ECHO, cors });
    for (const cors of [{ allow_origins: ['*'], allow_credentials: true }, { allow_origins: ['https://app.example/'] }, { allow_origins: [] }]) {
      const response = await register(cors);
      expect([response.status, (await json(response)).code]).toEqual([422, 'invalid_request']);
    }
  });
});

describe('rate limits', () => {
  it('refuses with all that a client needs to wait, and a reason of its own', async () => {
    await hearth.define('limited', ECHO, { rate_limit: { requests: 2, per_s: 3600, by: 'client' }, cors: { allow_origins: ['*'] } });
    const first = await hearth.call('/limited');
    expect([first.status, first.headers.get('ratelimit-policy'), first.headers.get('ratelimit')]).toEqual([
      200,
      '"client";q=2;w=3600',
      '"client";r=1;t=1800',
    ]);
    await hearth.call('/limited');
    const refused = await hearth.call('/limited');
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(1700);
    expect(refused.headers.get('ratelimit')).toMatch(/^"client";r=0;t=\d+$/);
    expect(refused.headers.get('access-control-allow-origin')).toBe('*');
    expect(refused.headers.get('access-control-expose-headers')).toContain('RateLimit');
    expect(await json(refused)).toMatchObject({
      code: 'rate_limited',
      reason: 'client_rate',
      limit: { requests: 2, per_s: 3600, burst: 2 },
    });
    // Nothing of it ran.
    const { invocations } = (await hearth.get('/invocations?limit=1000')) as { invocations: { function_name: string }[] };
    expect(invocations.filter(({ function_name: name }) => name === 'limited').length).toBeLessThanOrEqual(2);
  });

  it("counts each key apart, and takes a key's own limit for it", async () => {
    await hearth.define('per-key', ECHO, { ...KEYED, rate_limit: { requests: 1, per_s: 3600, by: 'key' } });
    const [one, two] = [await createKey('per-key', { name: 'one' }), await createKey('per-key', { name: 'two' })];
    const three = await createKey('per-key', { name: 'three', rate_limit: { requests: 3, per_s: 3600 } });
    const statuses: unknown[] = [];
    for (const { key } of [one, one, two, three, three, three, three]) statuses.push((await outcome('/per-key', apiKey(key)))[0]);
    expect(statuses).toEqual([200, 429, 200, 200, 200, 200, 429]);
  });

  it('goes on counting when the function is registered again', async () => {
    const limit: Partial<FunctionDefinition> = { rate_limit: { requests: 1, per_s: 3600, by: 'all' } };
    await hearth.define('counting', ECHO, limit);
    expect(await outcome('/counting')).toEqual([200, undefined]);
    await hearth.define('counting', `${ECHO}\n# again`, limit);
    expect(await outcome('/counting')).toEqual([429, 'rate_limited']);
  });

  it('leaves out, of several functions on one event key, those that refuse', async () => {
    const on = (name: string, settings: Partial<FunctionDefinition>) =>
      hearth.define(name, `def handler(m, c):\n    return "${name}"`, { event_type: 'http|GET|/shared', ...settings });
    await on('shared-closed', KEYED);
    await on('shared-limited', { rate_limit: { requests: 1, per_s: 3600, by: 'all' } });
    const { key } = await createKey('shared-closed');
    expect(await (await hearth.call('/shared')).text()).toBe('shared-limited');
    expect(await outcome('/shared')).toEqual([401, 'api_key_required']);
    const admitted = await hearth.call('/shared', apiKey(key));
    expect([admitted.status, await admitted.text()]).toEqual([200, 'shared-closed']);
  });
});
