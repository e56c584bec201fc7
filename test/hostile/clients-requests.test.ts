import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Hearth } from '../support/hearth.ts';
import { readCorpus } from './support/corpus.ts';
import { defineMirror, reachedMirror } from './support/mirror.ts';
import { exchange, parseAnswers, whole } from './support/raw-connection.ts';

let hearth: Hearth;
beforeAll(async () => {
  hearth = await Hearth.start();
  await defineMirror(hearth);
});
afterAll(async () => hearth[Symbol.asyncDispose]());

describe.each(['framing.txt', 'targets.txt'])('%s', (file) => {
  it.each(readCorpus(file))('$name: $statuses', async ({ bytes, statuses }) => {
    await reachedMirror(hearth);
    const refused = (statuses.at(-1) as number) >= 400;
    // A refusal ends the connection; after answers it stays, and what came is told by their number.
    const answers = parseAnswers(await exchange(hearth.gateway, bytes, refused ? undefined : whole(statuses.length)));
    expect(answers.map(({ status }) => status)).toEqual(statuses);
    const reached = await reachedMirror(hearth);
    expect(reached.length).toBe(statuses.filter((status) => status === 200).length);
    expect(reached.map(({ path }) => path)).not.toContain('/smuggled');
    if (!refused) return;
    expect(answers.at(-1)?.headers).toMatchObject({ connection: 'close', 'content-type': 'application/problem+json' });
    expect(JSON.parse(answers.at(-1)?.body ?? '')).toMatchObject({ status: statuses.at(-1) });
  });
});

describe('one canonical path', () => {
  it.each([
    ['/%61%2fb', '/a%2Fb'],
    ['/a%252e%252e/b', '/a%252e%252e/b'],
    ['/a"<>^`{|}b', '/a%22%3C%3E%5E%60%7B%7C%7Db'],
    ['//a//b', '//a//b'],
    ['http://elsewhere/x%7Ey?z', '/x~y'],
  ])('of %s is %s', async (target, path) => {
    const [answer] = parseAnswers(await exchange(hearth.gateway, `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`, whole(1)));
    expect(JSON.parse(answer?.body ?? '')).toMatchObject({ path });
  });

  it('chooses the function, whatever the spelling', async () => {
    await hearth.register({ event_type: 'http|GET|/ad~min', function_name: 'admin', function_code: 'def handler(m, c): return "admin"' });
    for (const target of ['/ad~min', '/%61d%7emin', 'http://b/ad%7Emin']) {
      const [answer] = parseAnswers(await exchange(hearth.gateway, `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`, whole(1)));
      expect(answer?.body).toBe('admin');
    }
  });
});

describe('an absolute target', () => {
  it('brings its own host, whatever the Host header says', async () => {
    const [answer] = parseAnswers(await exchange(hearth.gateway, 'GET http://right:81/ HTTP/1.1\r\nHost: wrong\r\n\r\n', whole(1)));
    expect(JSON.parse(answer?.body ?? '').headers).toMatchObject({ Host: 'right:81' });
  });
});

describe('trailers', () => {
  it('reach no function', async () => {
    const request = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nAuthorization: evil\r\nHost: evil\r\n\r\n';
    const [answer] = parseAnswers(await exchange(hearth.gateway, request, whole(1)));
    expect(answer?.status).toBe(200);
    expect(answer?.body).not.toContain('evil');
  });
});

describe('pipelined requests', () => {
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

  it('are answered in their order', async () => {
    const paths = Array.from({ length: 20 }, (_, index) => `/p${index}`);
    const answers = parseAnswers(await exchange(hearth.gateway, paths.map(get).join(''), whole(20)));
    expect(answers.map(({ body }) => JSON.parse(body).path)).toEqual(paths);
  });

  it.each([
    ['garbage', ' GARBAGE\r\n\r\n'],
    ['a body that can not be read', 'POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\n'],
    ['two Hosts', 'GET /bad HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['CONNECT', 'CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ])('before %s get their answers, those behind it none', async (_name, bad) => {
    await reachedMirror(hearth);
    const answers = parseAnswers(await exchange(hearth.gateway, get('/one') + get('/two') + bad + get('/three')));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 400]);
    expect((await reachedMirror(hearth)).map(({ path }) => path)).toEqual(['/one', '/two']);
  });
});
