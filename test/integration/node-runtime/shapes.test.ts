import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FunctionDefinition } from '../../../src/schemas/function.ts';
import { Hearth, json } from '../../support/hearth.ts';

let hearth: Hearth;
beforeAll(async () => {
  hearth = await Hearth.start({ settings: { HEARTH_SANDBOX_NETWORK: 'none' } });
});
afterAll(() => hearth?.[Symbol.asyncDispose]());

const define = (code: string, settings: Partial<FunctionDefinition> = {}) => hearth.define('theirs', code, { runtime: 'nodejs', ...settings });
const post = (body: string, type = 'application/json', path = '/theirs?q=1') =>
  hearth.call(path, { method: 'POST', body, headers: { 'Content-Type': type } });
const style = async () => ((await hearth.get('/functions/theirs')) as { style: string }).style;

describe("functions for OpenFaaS' Node.js templates", () => {
  it.each([
    [
      'say it by their context',
      `'use strict';
       module.exports = async (event, context) => context.status(201).headers({ 'X-Who': 'faas' }).succeed({ event });`,
    ],
    [
      'return it',
      `module.exports = async (event, context) => {
         context.status(201);
         context.headers({ 'X-Who': 'faas' });
         return { event };
       };`,
    ],
    [
      'call back',
      `module.exports = (event, context, callback) => {
         context.status(201).headers({ 'X-Who': 'faas' });
         setImmediate(() => callback(undefined, { event }));
       };`,
    ],
  ])('%s', async (_, code) => {
    await define(code);
    const response = await post('{"n": 1}');
    expect([response.status, response.headers.get('x-who')]).toEqual([201, 'faas']);
    const { event } = (await response.json()) as { event: Record<string, unknown> };
    expect(event).toMatchObject({
      body: { n: 1 },
      method: 'POST',
      path: '/theirs',
      query: { q: '1' },
      headers: { 'content-type': 'application/json' },
    });
  });

  it('are given text, forms and bytes as what they are', async () => {
    await define('module.exports = async ({ body }, context) => context.succeed([typeof body, Buffer.isBuffer(body), body.a ?? String(body)]);');
    expect(await (await post('hi', 'text/plain')).json()).toEqual(['string', false, 'hi']);
    expect(await (await post('a=b+c', 'application/x-www-form-urlencoded')).json()).toEqual(['object', false, 'b c']);
    expect(await (await post('raw', 'application/octet-stream')).json()).toEqual(['object', true, 'raw']);
  });

  it('fail by their context with 500, or the status that they set, and by an exception with 502', async () => {
    await define('module.exports = async ({ body }, context) => { if (body.status) context.status(body.status); context.fail(new Error("no")); };');
    const plain = await post('{}');
    expect([plain.status, await plain.text()]).toEqual([500, 'Error: no']);
    expect((await post('{"status": 409}')).status).toBe(409);
    await define('module.exports = async (event, context) => { throw new TypeError("oh"); context.succeed(1); };');
    expect(await json(await post('{}'))).toMatchObject({ status: 502, code: 'function_failed' });
  });
});

describe("OpenWhisk's actions", () => {
  it.each([
    ['that only define main', 'function main({ name = "you", q, __ow_method: verb }) {\n  return { hello: name, q, verb };\n}'],
    [
      'that export it',
      "'use strict';\nconst main = async ({ name = 'you', q, __ow_method: verb }) => ({ hello: name, q, verb });\nexports.main = main;",
    ],
    ['that export it among others', 'const main = ({ name, q, __ow_method: verb }) => ({ hello: name, q, verb });\nmodule.exports = { main };'],
    [
      'that are ES modules',
      'import { basename } from "node:path";\nexport function main({ name, q, __ow_method: verb }) { return { hello: basename(name), q, verb }; }',
    ],
    [
      'in TypeScript',
      'function main(args: { name: string; q: string; __ow_method: string }) { return { hello: args.name, q: args.q, verb: args.__ow_method }; }',
    ],
  ])('%s', async (_, code) => {
    await define(code);
    const response = await post('{"name": "Ada"}');
    expect(await response.json()).toEqual({ hello: 'Ada', q: '1', verb: 'post' });
    expect(response.headers.get('content-type')).toBe('application/json');
  });

  it('see the request, and answer with status, headers and base64', async () => {
    await define(
      `function main(args) {
         if (args.error) return { error: args.error };
         return { statusCode: '201', headers: { 'Content-Type': 'image/x' }, body: Buffer.from(args.__ow_path + args.__ow_query + args.__ow_body).toString('base64') };
       }`,
      { event_type: 'http|*|/theirs/*' },
    );
    const response = await post('\u00ff', 'application/octet-stream', '/theirs/a/b?x=y');
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([201, 'image/x', '/a/bx=yw78=']);
    expect(await json(await post('{"error": "no luck"}', 'application/json', '/theirs/x'))).toMatchObject({ status: 502, code: 'function_failed' });
    expect((await post('{"error": {"statusCode": 404}}', 'application/json', '/theirs/x')).status).toBe(404);
  });

  it('are scripts when the file calls main itself, and when it is said so', async () => {
    await define('async function main(args) { console.log("ran"); }\nmain({});');
    expect(await style()).toBe('script');
    expect((await post('{}')).status).toBe(204);
    await define('function main(args) { throw new Error("never called"); }', { style: 'script' });
    expect((await post('{}')).status).toBe(204);
  });
});
