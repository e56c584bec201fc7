import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ApiKeys, createApiKeys } from '../../../src/registry/api-keys.ts';
import type { Registry } from '../../../src/registry/registry.ts';
import { type ApiKey, hashSecret, parseApiKeyToken } from '../../../src/schemas/api-key.ts';
import type { FunctionDefinition } from '../../../src/schemas/function.ts';
import { openTemporaryStore } from '../store/temporary-store.ts';
import { definition, makeRegistry } from './make-registry.ts';
import { MemoryLayers } from './memory-layers.ts';

let opened: Awaited<ReturnType<typeof openTemporaryStore>>;
let registry: Registry;

beforeEach(async () => {
  opened = await openTemporaryStore();
  registry = makeRegistry(opened.store, new MemoryLayers());
  await registry.start();
});
afterEach(() => opened.destroy());

describe('the policy of a version', () => {
  it('decides what a definition leaves open', async () => {
    const { version } = await registry.register(
      definition({ access: { api_keys: true }, cors: { allow_origins: ['https://a.example'] }, rate_limit: { requests: 10, per_s: 60, by: 'key' } }),
    );
    expect(version.policy).toEqual({
      apiKeys: true,
      cors: {
        origins: ['https://a.example'],
        methods: null,
        headers: ['Content-Type', 'Authorization', 'X-API-Key'],
        expose: ['X-Correlation-Id', 'X-Request-Id', 'Retry-After', 'RateLimit', 'RateLimit-Policy'],
        credentials: false,
        maxAgeS: null,
      },
      rateLimit: { requests: 10, perS: 60, burst: 10, by: 'key' },
    });
    expect(await opened.store.currentVersions()).toEqual([version]);
  });

  it('is null when nothing is asked of callers', async () => {
    const { version } = await registry.register(definition());
    expect(version.policy).toBeNull();
    const again = await registry.register(definition({ access: { api_keys: false } }));
    expect(again).toMatchObject({ created: false, version: { policy: null } });
  });

  it('makes a new version when it changes', async () => {
    await registry.register(definition());
    expect((await registry.register(definition({ access: { api_keys: true } }))).version.number).toBe(2);
    expect((await registry.register(definition({ access: { api_keys: true } }))).created).toBe(false);
  });

  it('says so when a new version, or a rollback, lets in callers without a key', async () => {
    await registry.register(definition());
    expect((await registry.register(definition({ access: { api_keys: true } }))).warnings).toEqual([]);
    expect((await registry.rollback('echo')).warnings).toEqual([expect.stringContaining('everybody may call it')]);
    await registry.register(definition({ access: { api_keys: true } }));
    expect((await registry.register(definition())).warnings).toEqual([expect.stringContaining('everybody may call it')]);
  });

  const refused: [field: string, members: Partial<FunctionDefinition>][] = [
    ['rate_limit.by', { rate_limit: { requests: 1, per_s: 1, by: 'key' } }],
    ['rate_limit.by', { access: { api_keys: false }, rate_limit: { requests: 1, per_s: 1, by: 'key' } }],
    ['cors.allow_origins', { cors: { allow_origins: ['*'], allow_credentials: true } }],
    ['cors.allow_methods', { cors: { allow_origins: ['https://a.example'], allow_methods: ['*'], allow_credentials: true } }],
    ['cors.allow_headers', { cors: { allow_origins: ['https://a.example'], allow_headers: ['*'], allow_credentials: true } }],
    ['cors.expose_headers', { cors: { allow_origins: ['https://a.example'], expose_headers: ['*'], allow_credentials: true } }],
    ['cors.allow_methods.1', { cors: { allow_origins: ['*'], allow_methods: ['PUT', 'P T'] } }],
    ['cors.allow_headers.0', { cors: { allow_origins: ['*'], allow_headers: ['X-A\r\nSet-Cookie: a=b'] } }],
    ['cors.expose_headers.0', { cors: { allow_origins: ['*'], expose_headers: ['X-A, X-B'] } }],
    ...[
      'https://a.example/',
      'https://A.example',
      'https://a.example:443',
      'https://*.example',
      'https://u@a.example',
      'a.example',
      'null',
      'https://a.example\r\nX: y',
      'https://',
      'app://a b',
    ].map((origin): [string, Partial<FunctionDefinition>] => ['cors.allow_origins.0', { cors: { allow_origins: [origin] } }]),
  ];
  it.each(refused)('refuses %s of %j, and names it', async (field, members) => {
    await expect(registry.register(definition(members))).rejects.toMatchObject({ code: 'invalid_request', extra: { errors: [{ field }] } });
    expect(registry.list()).toEqual([]);
  });

  it.each(['https://a.example', 'http://localhost:5173', 'http://[::1]:8080', 'capacitor://localhost', 'chrome-extension://abcdefgh', '*'])(
    'takes the origin %s',
    async (origin) => {
      const { version } = await registry.register(definition({ cors: { allow_origins: [origin] } }));
      expect(version.policy?.cors?.origins).toEqual([origin]);
    },
  );

  it('tells how a browser would write an origin that is misspelt', async () => {
    await expect(registry.register(definition({ cors: { allow_origins: ['https://A.example/app'] } }))).rejects.toThrow(
      'Browsers write "https://a.example".',
    );
  });
});

describe('API keys', () => {
  let keys: ApiKeys;
  let told: Map<string, readonly ApiKey[]>;
  let now: number;

  function open(): ApiKeys {
    told = new Map();
    return createApiKeys({
      store: opened.store,
      get: registry.get,
      clock: () => now,
      onChanged: (name, all) => {
        told.set(name, all);
      },
    });
  }

  beforeEach(async () => {
    now = 1000;
    await registry.register(definition({ access: { api_keys: true } }));
    keys = open();
  });

  it('gives out the key once, and keeps its hash', async () => {
    const { key, token, warnings } = await keys.create('echo', { name: 'app', rate_limit: { requests: 5, per_s: 1 }, expires_at: 2000 });
    const parsed = parseApiKeyToken(token);
    expect(parsed?.id).toBe(key.id);
    expect(key).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{16}$/),
      functionName: 'echo',
      name: 'app',
      secretHash: hashSecret(parsed?.secret ?? ''),
      rateLimit: { requests: 5, perS: 1, burst: 5 },
      createdAt: 1000,
      expiresAt: 2000,
    });
    expect(warnings).toEqual([]);
    expect(told.get('echo')).toEqual([key]);
    expect(JSON.stringify(await opened.store.apiKeys())).not.toContain(parsed?.secret);
  });

  it('is there after a restart', async () => {
    const { key: web } = await keys.create('echo', { name: 'web' });
    const { key: app } = await keys.create('echo', { name: 'app' });
    keys = open();
    await keys.start();
    expect(keys.list('echo')).toEqual([app, web]);
    expect(told.get('echo')).toEqual([app, web]);
  });

  it('is in force on another node once that one is told, and gone there with its revocation', async () => {
    const other = open();
    const { key } = await keys.create('echo', { name: 'app' });
    await other.refresh('echo');
    expect([other.list('echo'), told.get('echo')]).toEqual([[key], [key]]);
    await expect(other.create('echo', { name: 'app' })).rejects.toMatchObject({ code: 'conflict' });
    await other.revoke('echo', 'app');
    await keys.refresh('echo');
    expect(keys.list('echo')).toEqual([]);
  });

  it('is revoked by id or name, and its name is free then', async () => {
    const { key: app } = await keys.create('echo', { name: 'app' });
    await keys.create('echo', { name: 'web' });
    expect(await keys.revoke('echo', app.id)).toEqual(app);
    await keys.create('echo', { name: 'app' });
    await keys.revoke('echo', 'app');
    await keys.revoke('echo', 'web');
    expect(told.get('echo')).toEqual([]);
    expect(await opened.store.apiKeys()).toEqual([]);
    await expect(keys.revoke('echo', 'web')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('refuses a name twice, even when both are asked for at once', async () => {
    const both = await Promise.allSettled([keys.create('echo', { name: 'app' }), keys.create('echo', { name: 'app' })]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(both[1]).toMatchObject({ reason: { code: 'conflict' } });
  });

  it('refuses an end that is past, and functions that are not there', async () => {
    await expect(keys.create('echo', { name: 'app', expires_at: 1000 })).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(keys.create('other', { name: 'app' })).rejects.toMatchObject({ code: 'not_found' });
    expect(() => keys.list('other')).toThrow('There is no function "other"');
    await expect(keys.revoke('other', 'app')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('says that a key locks nobody out of a function that asks for none', async () => {
    await registry.register(definition());
    expect((await keys.create('echo', { name: 'app' })).warnings).toEqual([expect.stringContaining('asks for no key')]);
  });

  it('outlives versions, and goes with the function', async () => {
    const { key } = await keys.create('echo', { name: 'app' });
    await registry.register(definition({ function_code: 'print(2)', access: { api_keys: true } }));
    expect(keys.list('echo')).toEqual([key]);
    await registry.remove('echo');
    keys.forget('echo');
    await registry.register(definition({ access: { api_keys: true } }));
    expect(keys.list('echo')).toEqual([]);
    expect(told.get('echo')).toEqual([]);
    expect(await opened.store.apiKeys()).toEqual([]);
  });
});
