import { describe, expect, it } from 'vitest';
import type { RouteMatch, RouteTarget } from '../../router/router.ts';
import type { CorsPolicy } from '../../schemas/policy.ts';
import { corsOf, preflightAnswer, withCors } from './cors.ts';

const settings = (members: Partial<CorsPolicy> = {}): CorsPolicy => ({
  origins: ['https://a.example', 'https://b.example:8443'],
  methods: null,
  headers: ['Content-Type'],
  expose: ['X-Correlation-Id'],
  credentials: false,
  maxAgeS: null,
  ...members,
});

function target(functionName: string, cors: CorsPolicy | null): RouteTarget {
  return { version: { functionName, policy: cors && { apiKeys: false, cors, rateLimit: null } }, chooser: null, params: {} } as never;
}

const found =
  (...targets: RouteTarget[]) =>
  (): RouteMatch => ({ kind: 'found', targets });

const asking = (origin: string, method = 'PUT') => ({ origin, 'access-control-request-method': method });

describe('preflightAnswer', () => {
  it('names what an origin that is allowed may do, and nothing to another', () => {
    const match = found(target('echo', settings({ maxAgeS: 600, credentials: true })));
    expect(preflightAnswer(asking('https://b.example:8443'), match)).toEqual({
      Vary: 'Origin, Access-Control-Request-Method',
      'Access-Control-Allow-Origin': 'https://b.example:8443',
      'Access-Control-Allow-Methods': 'PUT',
      'Access-Control-Allow-Headers': 'Content-Type',
      'Access-Control-Allow-Credentials': 'true',
      'Access-Control-Max-Age': '600',
    });
    for (const origin of ['https://a.example.evil', 'http://a.example', 'https://a.example:443', 'null', '']) {
      expect(preflightAnswer(asking(origin), match)).toEqual({ Vary: 'Origin, Access-Control-Request-Method' });
    }
  });

  it('asks for the function of the method that the page wants to use', () => {
    const asked: string[] = [];
    const match = (verb: string): RouteMatch => {
      asked.push(verb);
      return verb === 'DELETE' ? { kind: 'found', targets: [target('echo', settings())] } : { kind: 'none' };
    };
    expect(preflightAnswer(asking('https://a.example', 'DELETE'), match)).not.toBeNull();
    expect(preflightAnswer(asking('https://a.example', 'PUT'), match)).toBeNull();
    expect(asked).toEqual(['DELETE', 'PUT']);
  });

  it('leaves to the function what is no preflight, and what has no settings', () => {
    const match = found(target('echo', settings()));
    expect(preflightAnswer({ origin: 'https://a.example' }, match)).toBeNull();
    expect(preflightAnswer({ 'access-control-request-method': 'PUT' }, match)).toBeNull();
    expect(preflightAnswer(asking('https://a.example', 'PUT\r\nX: y'), match)).toBeNull();
    expect(preflightAnswer(asking('https://a.example'), found(target('echo', null)))).toBeNull();
  });

  it('gives the methods of the settings whatever is asked for, since the browser compares', () => {
    const match = found(target('echo', settings({ methods: ['PUT', 'PATCH'] })));
    expect(preflightAnswer(asking('https://a.example', 'DELETE'), match)).toMatchObject({ 'Access-Control-Allow-Methods': 'PUT, PATCH' });
  });
});

describe('withCors', () => {
  it("puts the settings in the place of the function's own headers and keeps the rest", () => {
    const head = ['Vary', 'Accept', 'access-control-allow-origin', '*', 'Access-Control-Max-Age', '5', 'X-A', '1'];
    expect(withCors(head, settings(), 'https://a.example')).toEqual([
      ...['Vary', 'Accept', 'X-A', '1', 'Vary', 'Origin'],
      ...['Access-Control-Allow-Origin', 'https://a.example', 'Access-Control-Expose-Headers', 'X-Correlation-Id'],
    ]);
    expect(withCors(head, settings(), 'https://evil.example')).toEqual(['Vary', 'Accept', 'X-A', '1', 'Vary', 'Origin']);
    expect(withCors(head, settings(), undefined)).toEqual(['Vary', 'Accept', 'X-A', '1', 'Vary', 'Origin']);
  });

  it('tells everybody the same when every origin is allowed, so that caches need not tell them apart', () => {
    const open = settings({ origins: ['*'], expose: [] });
    expect(withCors([], open, 'https://x.example')).toEqual(['Access-Control-Allow-Origin', '*']);
    expect(withCors([], open, undefined)).toEqual(['Access-Control-Allow-Origin', '*']);
  });
});

describe('corsOf', () => {
  it('takes the settings of the first by name that has any', () => {
    const [a, b] = [settings({ origins: ['https://a.example'] }), settings({ origins: ['https://b.example'] })];
    expect(corsOf([target('z', a), target('b', b), target('a', null)])).toBe(b);
    expect(corsOf([target('a', null)])).toBeNull();
  });
});
