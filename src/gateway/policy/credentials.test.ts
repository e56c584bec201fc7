import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { dropKeyName, presentedKey, replaceKey } from './credentials.ts';

describe('presentedKey', () => {
  it('takes X-API-Key, else a bearer token, whatever the case of the scheme', () => {
    expect(presentedKey({ 'x-api-key': 'hk_1', authorization: 'Bearer jwt' })).toBe('hk_1');
    expect(presentedKey({ authorization: 'bEARER  hk_2' })).toBe('hk_2');
  });

  it.each([
    {},
    { authorization: '' },
    { authorization: 'Basic aGtfMTpoa18y' },
    { authorization: 'hk_1' },
    { authorization: 'Bearer' },
    { authorization: 'Bearer a b' },
  ])('finds none in %j', (headers) => {
    expect(presentedKey(headers)).toBeUndefined();
  });
});

describe('replaceKey', () => {
  const requestOf = (...raw: string[]) =>
    ({
      rawHeaders: raw,
      headers: Object.fromEntries(raw.flatMap((name, at) => (at % 2 === 0 ? [[name.toLowerCase(), raw[at + 1]]] : []))),
    }) as never as IncomingMessage;

  it("takes out keys wherever they stand, puts the name there, and leaves the function's own tokens", () => {
    const request = requestOf('x-API-key', 'hk_1', 'Authorization', 'Bearer jwt', 'Accept', '*/*');
    replaceKey(request, 'app');
    expect(request.rawHeaders).toEqual(['Authorization', 'Bearer jwt', 'Accept', '*/*', 'X-Hearth-Key-Name', 'app']);
    expect(request.headers).toEqual({ authorization: 'Bearer jwt', accept: '*/*', 'x-hearth-key-name': 'app' });
    const bearer = requestOf('authorization', 'bearer  HK_2', 'Authorization', 'Bearer hk_3', 'A', 'b');
    replaceKey(bearer, null);
    expect([bearer.rawHeaders, bearer.headers]).toEqual([['A', 'b'], { a: 'b' }]);
  });

  it('drops every header by which a caller names its key', () => {
    const request = requestOf('X-Hearth-Key-Name', 'root', 'A', 'b', 'x-hearth-KEY-name', 'admin');
    dropKeyName(request);
    expect([request.rawHeaders, request.headers]).toEqual([['A', 'b'], { a: 'b' }]);
  });
});
