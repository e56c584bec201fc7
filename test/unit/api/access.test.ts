import { basename, join, posix, win32 } from 'node:path';
import fc from 'fast-check';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { afterEach, describe, expect, it } from 'vitest';
import { checkRole } from '../../../src/api/access/roles.ts';
import { TokenName } from '../../../src/api/wire/access.ts';
import { HearthError } from '../../../src/errors.ts';
import { parseEventKey } from '../../../src/router/event-key.ts';
import { LayerName } from '../../../src/schemas/function.ts';
import { FunctionName } from '../../../src/schemas/function-name.ts';
import { SecretName } from '../../../src/schemas/secret.ts';
import { definition } from '../registry/make-registry.ts';
import { makeApi, type TestApi } from './make-api.ts';

describe('roles of routes', () => {
  it('must be declared', () => {
    expect(() => checkRole({ method: 'GET', url: '/new' })).toThrow('The route GET /new declares no role');
    expect(() => checkRole({ method: ['GET', 'POST'], url: '/new', config: {} })).toThrow('GET, POST /new declares no role');
  });

  it('must not let changes through unasked', () => {
    for (const role of ['open', 'read'] as const) {
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'])
        expect(() => checkRole({ method, url: '/new', config: { role } })).toThrow('is for reading');
      checkRole({ method: 'HEAD', url: '/new', config: { role } });
    }
    checkRole({ method: 'POST', url: '/new', config: { role: 'deploy' } });
  });
});

describe('the audit log and a store that fails', () => {
  let api: TestApi;

  afterEach(() => api.close());

  it('keeps a change from being made that can not be written down', async () => {
    api = await makeApi();
    const made = api.registry.list().length;
    await api.store.close();
    const response = await api.request('POST', '/functions', definition());
    expect([response.statusCode, response.json().code]).toEqual([503, 'store_unavailable']);
    expect(api.registry.list()).toHaveLength(made);
    expect((await api.request('GET', '/health')).statusCode).toBe(200);
  });

  it('has an entry without a status while the change is under way', async () => {
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    api = await makeApi({
      trigger: async () => {
        reached.resolve();
        await goOn.promise;
        return { correlationId: 'c', instanceIds: [] };
      },
    });
    const answer = api.request('POST', '/functions/trigger', { http_header: '', http_body: '', http_path: '/a', http_verb: 'GET' });
    await reached.promise;
    expect((await api.request('GET', '/audit')).json().entries).toMatchObject([{ subject: 'GET /a', status: null }]);
    goOn.resolve();
    await answer;
    expect((await api.request('GET', '/audit')).json().entries).toMatchObject([{ subject: 'GET /a', status: 200 }]);
  });
});

describe('names that users choose', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.stringMatching(/^[A-Za-z0-9._@-]{1,12}$/),
    fc
      .array(fc.constantFrom('..', '.', '/', '\\', 'a', '\0', '\n', '%2f', '~', ':', '|', '-', '\u2028'), { maxLength: 8 })
      .map((parts) => parts.join('')),
  );

  it.for<[string, TSchema]>([
    ['function', FunctionName],
    ['layer', LayerName],
    ['secret', SecretName],
    ['token', TokenName],
  ])('are no paths and break no lines: %s', ([, schema]) => {
    const validator = Compile(schema);
    let taken = 0;
    fc.assert(
      fc.property(hostile, (name) => {
        if (!validator.Check(name)) return;
        taken += 1;
        expect(name).toMatch(/^[!-~]+$/);
        expect(basename(name)).toBe(name);
        for (const { dirname, resolve, sep } of [posix, win32]) expect(dirname(resolve(sep, 'data', name))).toBe(resolve(sep, 'data'));
        expect(join('/data', name).startsWith('/data/')).toBe(true);
      }),
      { numRuns: 2000 },
    );
    expect(taken).toBeGreaterThan(50);
  });

  it('are event keys with nothing but visible ASCII in them, or none', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          hostile,
          fc.tuple(hostile, hostile).map(([verb, path]) => `http|${verb}|/${path}`),
          hostile.map((path) => `http|GET|/${path}`),
        ),
        (key) => {
          try {
            const parsed = parseEventKey(key);
            if (parsed.kind !== 'http') return;
            const { verb, path } = parsed;
            expect(`${verb}${path}`).toMatch(/^[!-~]+$/);
            expect(path.split('/')).not.toContain('..');
          } catch (error) {
            expect(error).toBeInstanceOf(HearthError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
