import { describe, expect, it } from 'vitest';
import { HearthError } from '../errors.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import { canonicalPath } from './canonical-path.ts';
import { parseEventKey } from './event-key.ts';
import { Router } from './router.ts';

const version = (functionName: string, eventKey: string): FunctionVersion => ({ functionName, eventKey, number: 1 }) as FunctionVersion;

function routerOf(...entries: [name: string, key: string][]): Router {
  const router = new Router();
  for (const [name, key] of entries) router.put(version(name, key));
  return router;
}

function lookUp(router: Router, verb: string, path: string): unknown {
  const match = router.match(verb, path);
  if (match.kind === 'found') return match.targets.map((target) => [target.version.functionName, { ...target.params }]);
  return match.kind === 'other_methods' ? { allow: match.allow } : undefined;
}

describe('Router', () => {
  it('finds an exact path and method', () => {
    const router = routerOf(['echo', 'http|POST|/echo'], ['root', 'http|GET|/']);
    expect(lookUp(router, 'POST', '/echo')).toEqual([['echo', {}]]);
    expect(lookUp(router, 'GET', '/')).toEqual([['root', {}]]);
    expect(lookUp(router, 'POST', '/echo/')).toBeUndefined();
    expect(lookUp(router, 'POST', '/Echo')).toBeUndefined();
  });

  it('names the methods that a path has when the one asked for is missing', () => {
    const router = routerOf(['a', 'http|POST|/x'], ['b', 'http|GET|/x'], ['c', 'http|PUT|/:any']);
    expect(lookUp(router, 'DELETE', '/x')).toEqual({ allow: ['GET', 'HEAD', 'POST', 'PUT'] });
    expect(lookUp(router, 'DELETE', '/y/z')).toBeUndefined();
  });

  it('prefers exact paths to parameters and parameters to a trailing star', () => {
    const router = routerOf(['exact', 'http|GET|/cats/new'], ['param', 'http|GET|/cats/:id'], ['rest', 'http|GET|/cats/*'], ['all', 'http|GET|/*']);
    expect(lookUp(router, 'GET', '/cats/new')).toEqual([['exact', {}]]);
    expect(lookUp(router, 'GET', '/cats/7')).toEqual([['param', { id: '7' }]]);
    expect(lookUp(router, 'GET', '/cats/7/tail')).toEqual([['rest', { '*': '7/tail' }]]);
    expect(lookUp(router, 'GET', '/dogs')).toEqual([['all', { '*': 'dogs' }]]);
  });

  it('falls back to a less specific path that has the method', () => {
    const router = routerOf(['exact', 'http|GET|/a/b'], ['param', 'http|POST|/a/:x'], ['deep', 'http|GET|/a/:x/c'], ['rest', 'http|GET|/a/*']);
    expect(lookUp(router, 'POST', '/a/b')).toEqual([['param', { x: 'b' }]]);
    expect(lookUp(router, 'GET', '/a/b/c')).toEqual([['deep', { x: 'b' }]]);
    expect(lookUp(router, 'GET', '/a/b/d')).toEqual([['rest', { '*': 'b/d' }]]);
  });

  it('decodes parameters, and passes on bytes that are no UTF-8', () => {
    const router = routerOf(['one', 'http|GET|/f/:name']);
    expect(lookUp(router, 'GET', '/f/caf%C3%A9%2Fx')).toEqual([['one', { name: 'café/x' }]]);
    expect(lookUp(router, 'GET', '/f/%FF')).toEqual([['one', { name: '%FF' }]]);
  });

  it('gives every function of one key, each with the names it chose', () => {
    const router = routerOf(['a', 'http|GET|/x/:id'], ['b', 'http|GET|/x/:key']);
    expect(lookUp(router, 'GET', '/x/1')).toEqual([
      ['a', { id: '1' }],
      ['b', { key: '1' }],
    ]);
  });

  it('answers HEAD by the functions of GET and any method by a starred one', () => {
    const router = routerOf(['get', 'http|GET|/x'], ['any', 'http|*|/y']);
    expect(lookUp(router, 'HEAD', '/x')).toEqual([['get', {}]]);
    expect(lookUp(router, 'PURGE', '/y')).toEqual([['any', {}]]);
  });

  it('replaces a function by its new version and moves it to a new key', () => {
    const router = routerOf(['f', 'http|GET|/old'], ['g', 'http|GET|/old']);
    router.put(version('f', 'http|GET|/new'));
    expect(lookUp(router, 'GET', '/old')).toEqual([['g', {}]]);
    expect(lookUp(router, 'GET', '/new')).toEqual([['f', {}]]);
    router.remove('g');
    router.remove('never there');
    expect(lookUp(router, 'GET', '/old')).toBeUndefined();
  });
});

describe('parseEventKey', () => {
  it('accepts the keys of the seed and makes them canonical', () => {
    expect(parseEventKey('http|get|/request/to/github')).toMatchObject({ verb: 'GET', path: '/request/to/github' });
    expect(parseEventKey('http|GET|/caf%c3%a9/%7euser')).toMatchObject({ path: '/caf%C3%A9/~user' });
    expect(parseEventKey('http|GET|/café')).toMatchObject({ path: '/caf%C3%A9' });
  });

  it('takes a cron key apart, and leaves its meaning to others', () => {
    expect(parseEventKey('cron|*/5 * * * *')).toEqual({ kind: 'cron', expression: '*/5 * * * *', timezone: 'UTC' });
    expect(parseEventKey('cron| TZ=Europe/Berlin  0  9 * *  MON-FRI ')).toEqual({
      kind: 'cron',
      expression: '0 9 * * MON-FRI',
      timezone: 'Europe/Berlin',
    });
    expect(parseEventKey('cron|@hourly')).toMatchObject({ expression: '@hourly' });
    expect(parseEventKey('cron|')).toMatchObject({ expression: '' });
  });

  it.each([
    '',
    'http',
    'http|GET',
    'http|GET|',
    'http|GET|echo',
    'http|G T|/x',
    'http|GET|/a b',
    'http|GET|/a?x=1',
    'http|GET|/../x',
    'http|GET|/%zz',
    'ftp|GET|/x',
    'http|GET|/*/x',
    'http|GET|/:a/:a',
    'http|GET|/:1',
  ])('refuses %j and says why', (key) => {
    expect(() => parseEventKey(key)).toThrow(HearthError);
  });
});

describe('canonicalPath', () => {
  it('leaves an ordinary path as it is', () => {
    expect(canonicalPath('/a/b.c/.hidden')).toBe('/a/b.c/.hidden');
  });

  it('decodes what needs no encoding and keeps an encoded slash', () => {
    expect(canonicalPath('/%41%2fb%2E')).toBe('/A%2Fb.');
  });

  it.each(['/a/../b', '/./a', '/a/..', '/%2e%2e/a', '/%2E/a', '/a%', '/a%0', '/%00'])('refuses %j', (path) => {
    expect(canonicalPath(path)).toBeUndefined();
  });
});
