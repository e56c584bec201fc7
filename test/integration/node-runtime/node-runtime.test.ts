import { constants } from 'node:fs';
import { chmod, copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FunctionDefinition } from '../../../src/schemas/function.ts';
import { Hearth, json, sleep } from '../../support/hearth.ts';
import { hearthCommand } from '../../support/hearth-command.ts';

/** Of the archive of ms 2.1.3. */
const MS_INTEGRITY = 'sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA==';

const AMQP_SCRIPT = `
const amqp = require('amqplib');
const headers = Object.fromEntries(process.env.HTTP_HEADER.split('\\n').map((line) => line.split(': ')));
const id = headers['X-Correlation-Id'];
(async () => {
  const connection = await amqp.connect('amqp://message_queue');
  const channel = await connection.createChannel();
  await channel.assertQueue(id);
  const { HTTP_VERB: verb, HTTP_PATH: path, HTTP_QUERY: query, HTTP_BODY: body, GREETING: greeting } = process.env;
  globalThis.runs = (globalThis.runs ?? 0) + 1;
  channel.sendToQueue(id, Buffer.from(JSON.stringify({ verb, path, query, body: JSON.parse(body).body, greeting, runs: globalThis.runs, pid: process.pid })));
  await channel.close();
  await connection.close();
})();
`;

let hearth: Hearth;

const define = (name: string, code: string, settings: Partial<FunctionDefinition> = {}) =>
  hearth.define(name, code, { runtime: 'nodejs', ...settings });
const post = (name: string, body: unknown = {}, headers: Record<string, string> = {}) =>
  hearth.call(`/${name}?a=1&a=2&b=`, { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...headers } });
const refusal = async (code: string, settings: Partial<FunctionDefinition> = {}) =>
  json(
    await hearth.post('/functions', { event_type: 'http|*|/refused', function_name: 'refused', function_code: code, runtime: 'nodejs', ...settings }),
  );
const style = async (name: string) => ((await hearth.get(`/functions/${name}`)) as { style: string }).style;

let folder: string;

beforeAll(async () => {
  // Below /tmp, where a sandbox has a /tmp of its own.
  folder = await mkdtemp(join(tmpdir(), 'hearth-node-'));
  await chmod(folder, 0o755);
  const node = join(folder, 'node');
  await copyFile(process.execPath, node, constants.COPYFILE_FICLONE);
  hearth = await Hearth.start({ settings: { HEARTH_SANDBOX_NETWORK: 'none', HEARTH_SANDBOX_NODE: node } });
});
afterAll(async () => {
  await hearth?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe('handlers in Node.js', () => {
  it('see message and context as those in Python do', async () => {
    await define(
      'see',
      'export const handler = (message, context) => ({ message: { ...message, raw_body: message.raw_body.toString() }, context });',
    );
    const { message, context } = (await json(await post('see', { n: 1 }, { 'X-A': 'b' }))) as Record<string, Record<string, unknown>>;
    expect(message).toMatchObject({
      body: { n: 1 },
      raw_body: '{"n":1}',
      verb: 'POST',
      path: '/see',
      raw_path: '/see?a=1&a=2&b=',
      query: { a: '2', b: '' },
      query_all: { a: ['1', '2'], b: [''] },
      params: {},
      message_type: 'http',
      headers: { 'X-A': 'b' },
    });
    expect(Object.keys(context ?? {}).sort()).toEqual(['correlation_id', 'deadline', 'function_name', 'instance_id', 'message_queue_uri']);
  });

  it.each([
    ['an ES module with a default function', 'export default async ({ body }) => body.n + 1', {}],
    ['CommonJS with exports.handler', 'exports.handler = async ({ body }) => body.n + 1', {}],
    ['CommonJS with module.exports', 'module.exports = { handler: ({ body }) => body.n + 1 }', {}],
    ['TypeScript', 'interface Body { n: number }\nexport const handler = (message: { body: Body }): number => message.body.n + 1;', {}],
    ['TypeScript in CommonJS', 'const one: number = 1;\nmodule.exports.handler = (m: any) => m.body.n + one;', {}],
    ['a module that awaits at its top level', 'const one = await Promise.resolve(1);\nexport default (m) => m.body.n + one', {}],
    [
      'a version of Node.js by its number',
      'export default (m) => m.body.n + 1',
      { runtime: `nodejs${process.versions.node.split('.')[0]}` as never },
    ],
  ])('may be %s', async (_, code, settings) => {
    await define('kind', code, settings);
    const response = await post('kind', { n: 41 });
    expect([response.status, await response.text()]).toEqual([200, '42']);
  });

  it.each([
    ['a string', '"héllo"', 200, 'text/plain; charset=utf-8', 'héllo'],
    ['bytes', 'new Uint8Array([104, 105])', 200, 'application/octet-stream', 'hi'],
    ['nothing', 'undefined', 204, null, ''],
    ['an array', '[1, null]', 200, 'application/json', '[1,null]'],
    ['an object with a statusCode', '({ statusCode: 418, headers: { "Content-Type": "text/x" }, body: "tea" })', 418, 'text/x', 'tea'],
    ['base64', '({ statusCode: 200, body: "aGk=", isBase64Encoded: true })', 200, 'application/octet-stream', 'hi'],
    ['a generator', '(function* () { yield "a"; yield "b" })()', 200, 'text/plain; charset=utf-8', 'ab'],
    ['an async generator', '(async function* () { yield "a"; await null; yield new Uint8Array([98]) })()', 200, 'text/plain; charset=utf-8', 'ab'],
    ['a Response', 'new Response("r", { status: 201 })', 201, 'text/plain;charset=UTF-8', 'r'],
  ])('answer with %s', async (_, value, status, type, text) => {
    await define('answers', 'export default (m) => eval(m.body)');
    const response = await post('answers', value);
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([status, type, text]);
  });

  it('keep the state of their module, and serve several calls at a time in one instance', async () => {
    await define(
      'state',
      'let calls = 0, open = [];\nexport default async () => { calls++; if (calls === 5) open.forEach((go) => go()); else await new Promise((go) => open.push(go)); return calls; }',
    );
    const answers = await Promise.all(Array.from({ length: 5 }, async () => (await post('state')).text()));
    expect(answers).toEqual(['5', '5', '5', '5', '5']);
    expect(await hearth.instances('state')).toHaveLength(1);
  });

  it('have what they print in the record of their own call', async () => {
    await define(
      'prints',
      'export default async (m) => { console.log("out", m.body); await null; await new Promise((go) => setTimeout(go, 20)); console.error("err", m.body); }',
    );
    const responses = await Promise.all(['one', 'two'].map((body) => post('prints', body)));
    const logs = await Promise.all(responses.map(async (response) => (await hearth.record(response)).logs));
    expect(logs).toEqual(['out one\nerr one\n', 'out two\nerr two\n']);
  });

  it('fail with type, message and the stack down to their own code', async () => {
    await define(
      'fails',
      'const inner = () => { throw new RangeError("no luck", { cause: new Error("deeper") }); };\nexport default async () => inner();',
    );
    const response = await post('fails');
    const problem = await json(response);
    expect([response.status, problem]).toMatchObject([502, { code: 'function_failed', detail: expect.stringContaining('RangeError: no luck') }]);
    const { logs } = await hearth.record(response);
    expect(logs).toMatch(/^RangeError: no luck\n {4}at inner \(\/function\/fails\.mjs:1:\d+\)/);
    expect(logs).toContain('Caused by: Error: deeper');
    expect(logs).not.toContain('/runtime/');
  });

  it.each([
    ['throw a string', 'throw "bare"', 'bare'],
    ['throw what fights back', 'throw { get message() { throw 1 }, get name() { throw 2 } }', 'function_failed'],
    ['exit', 'process.exit(3)', 'process.exit(3)'],
    ['leave a rejection unheard', 'Promise.reject(new Error("unheard")); return new Promise((go) => setTimeout(go, 5000))', 'unheard'],
    ['throw in a timer', 'setTimeout(() => { throw new Error("late") }, 1); return new Promise(() => {})', 'late'],
    ['return what is no JSON', 'const a = {}; a.a = a; return a', 'JSON'],
    ['yield what is no text', 'return (function* () { yield 1 })()', 'strings or bytes'],
  ])('fail with 502 when they %s', async (_, code, said) => {
    await define('misbehaves', `export default async () => { ${code} }`);
    const response = await post('misbehaves').catch(() => undefined);
    expect(response?.status).toBe(502);
    expect(await response?.text()).toContain(said);
    await define('misbehaves', `export default async () => "well"`);
    expect(await (await post('misbehaves')).text()).toBe('well');
  });

  it('are told when nobody wants the answer any more', async () => {
    await define(
      'cancelled',
      'export default async (m, { signal }) => { await new Promise((go) => signal.addEventListener("abort", go)); console.log("aborted", signal.reason.name); }',
    );
    const abort = new AbortController();
    const gone = hearth.call('/cancelled', { signal: abort.signal }).catch(() => undefined);
    await sleep(300);
    abort.abort();
    await gone;
    const record = await hearth.recordWhere(({ state, logs, id }) => state === 'cancelled' && id !== '' && logs !== '');
    expect(record.state).toBe('cancelled');
  });

  it('see secrets and variables, and invoke others', async () => {
    await fetch(`${hearth.api}/secrets/API_KEY`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body: '{"value":"s3cret-value"}',
    });
    await define('callee', 'export default (m) => ({ twice: m.body.n * 2 })');
    await define('teapot', 'export default () => ({ statusCode: 418, body: { short: true } })');
    await define(
      'caller',
      `import { invoke, InvokeError } from 'hearth';
      export default async (m, c) => {
        const failed = await c.invoke('teapot').catch((error) => ({ is: error instanceof InvokeError, status: error.status, body: error.body }));
        const refused = await invoke('other').catch(({ code }) => code);
        return { answer: await invoke('callee', { n: 4 }), failed, refused, secret: c.secrets.API_KEY === process.env.API_KEY, hidden: JSON.stringify(c.secrets), variable: process.env.PLAIN };
      }`,
      { secrets: ['API_KEY'], environment: { PLAIN: 'x' }, invokes: ['callee', 'teapot'] },
    );
    expect(await json(await post('caller'))).toEqual({
      answer: { twice: 8 },
      failed: { is: true, status: 418, body: { short: true } },
      refused: 'invoke_not_allowed',
      secret: true,
      hidden: '{}',
      variable: 'x',
    });
  });

  it('are ended, and said to be out of memory, when they hold too much', async () => {
    await define(
      'leaks',
      'const kept = [];\nexport default async () => { for (;;) { kept.push(new Array(1e5).fill(Math.random())); await null; } }',
      {
        memory_mb: 96,
      },
    );
    const response = await post('leaks');
    expect(await json(response)).toMatchObject({ code: 'out_of_memory', memory_limit_bytes: 96 * 1024 * 1024 });
  });

  it('are ended by the deadline in an endless loop', async () => {
    await define('loops', 'export default () => { console.log("begun"); for (;;); }', { timeout_ms: 1500 });
    const response = await post('loops');
    expect(response.status).toBe(504);
    expect((await hearth.record(response)).logs).toBe('begun\n');
  });
});

describe('the Web standard style', () => {
  it('takes a Request and gives a Response', async () => {
    await define(
      'web',
      'export default { async fetch(request) { const { method, url } = request; return Response.json({ method, url, text: await request.text(), type: request.headers.get("content-type") }, { status: 202, headers: [["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"]] }); } };',
    );
    const response = await post('web', { n: 1 });
    expect([response.status, response.headers.getSetCookie()]).toEqual([202, ['a=1', 'b=2']]);
    expect(await response.json()).toEqual({ method: 'POST', url: `${hearth.gateway}/web?a=1&a=2&b=`, text: '{"n":1}', type: 'application/json' });
    expect(await style('web')).toBe('web');
  });

  it('is told from handlers by the type or the name of a default function’s parameter', async () => {
    await define('typed', 'export default (request: Request): Response => new Response(request.method);');
    expect([await style('typed'), await (await post('typed')).text()]).toEqual(['web', 'POST']);
    await define('named', 'export default (request) => new Response(request.method);');
    expect([await style('named'), await (await post('named')).text()]).toEqual(['web', 'POST']);
    await define('plain', 'export default (anything) => anything.verb;');
    expect([await style('plain'), await (await post('plain')).text()]).toEqual(['handler', 'POST']);
    await define('said', 'export default (request) => request.verb;', { style: 'handler' });
    expect([await style('said'), await (await post('said')).text()]).toEqual(['handler', 'POST']);
  });

  it('streams a body as it comes, with its head before the first piece', async () => {
    await define(
      'streams',
      'export default { fetch() { let n = 0; return new Response(new ReadableStream({ async pull(c) { await new Promise((go) => setTimeout(go, 30)); if (n === 3) c.close(); else c.enqueue(new TextEncoder().encode("data: " + n++ + "\\n\\n")); } }), { headers: { "Content-Type": "text/event-stream" } }); } };',
    );
    const response = await hearth.call('/streams');
    expect([response.headers.get('content-type'), response.headers.get('content-length')]).toEqual(['text/event-stream', null]);
    expect(await response.text()).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\n');
  });
});

describe('scripts in Node.js', () => {
  it('are a fresh process for every run, and answer with amqplib', async () => {
    await define('script', AMQP_SCRIPT, { environment: { GREETING: 'hi' } });
    expect(await style('script')).toBe('script');
    const first = await json(await post('script', { n: 1 }));
    const second = await json(await post('script', { n: 2 }));
    expect(first).toMatchObject({ verb: 'POST', path: '/script', query: 'a=1&a=2&b=', body: { n: 1 }, greeting: 'hi', runs: 1 });
    expect(second).toMatchObject({ body: { n: 2 }, runs: 1 });
    expect(second.pid).not.toBe(first.pid);
  });

  it('are 204 without an answer, 502 by exit code or exception, and leave no process behind', async () => {
    await define('silent', 'const x: number = 1;\nimport "node:fs";\nconsole.log("ran", x);');
    const silent = await post('silent');
    expect([silent.status, (await hearth.record(silent)).logs]).toEqual([204, 'ran 1\n']);
    await define('throws', 'import "node:fs";\nthrow new Error("boo");');
    const throws = await post('throws');
    expect([throws.status, (await hearth.record(throws)).logs]).toEqual([
      502,
      expect.stringMatching(/^Error: boo\n {4}at .*\/function\/throws\.mjs:2:7/),
    ]);
    await define(
      'daemon',
      'const { spawn } = require("node:child_process");\nif (process.env.HTTP_QUERY.includes("count")) console.log(require("node:fs").readdirSync("/proc").filter((n) => +n > 0).length);\nelse spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { detached: true, stdio: "ignore" }).unref();',
    );
    const count = async () => Number((await hearth.record(await hearth.call('/daemon?count'))).logs);
    const before = await count();
    expect((await hearth.call('/daemon')).status).toBe(204);
    expect(await count()).toBeLessThanOrEqual(before);
  });
});

describe('packages of npm', () => {
  it('are installed by npm into a layer, which ES modules and CommonJS find', async () => {
    const description = { dependencies: { ms: '2.1.3' } };
    await define('packaged', 'import ms from "ms";\nexport default () => ms("2 days");', { package_json: description });
    expect(await (await post('packaged')).text()).toBe('172800000');
    await define('required', 'const ms = require("ms");\nmodule.exports = () => ms("1 h");', { package_json: JSON.stringify(description) });
    expect(await (await post('required')).text()).toBe('3600000');
    const layers = ['packaged', 'required'].map(async (name) => ((await hearth.get(`/functions/${name}`)) as { layers: string[] }).layers);
    const [first, second] = await Promise.all(layers);
    expect(first).toHaveLength(1);
    expect(second).toEqual(first);
  });

  it('may be a layer with a name, which functions ask for by it', async () => {
    const description = { dependencies: { ms: '2.1.3' } };
    const lock = { lockfileVersion: 3, packages: { '': description, 'node_modules/ms': { version: '2.1.3', integrity: MS_INTEGRITY } } };
    const built = await hearth.post('/layers', { name: 'times', package_json: description, package_lock: JSON.stringify(lock) });
    expect(await json(built)).toMatchObject({ name: 'times', state: 'ready', runtime: `nodejs${process.versions.node.split('.')[0]}` });
    await define('named', 'import ms from "ms";\nexport default () => ms("3 h");', { layers: ['times'] });
    expect(await (await post('named')).text()).toBe('10800000');

    await writeFile(join(folder, 'package.json'), JSON.stringify(description));
    const { code, stdout, stderr } = await hearthCommand([
      'layers',
      'build',
      'other',
      '--package-json',
      join(folder, 'package.json'),
      '--api',
      hearth.api,
    ]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^The layer other is ready: [0-9a-f]{32}\.\n$/)]);
    expect(stderr).toContain('as long as npm does');
    expect((await hearthCommand(['layers', 'list', '--api', hearth.api])).stdout).toMatch(/other +nodejs\d+ +ready/);
  });

  it('are refused where they are named by functions of another language', async () => {
    const refusals = [
      await refusal('1', { layers: ['default'] }),
      await refusal('def handler(message, context): pass', { runtime: 'python', layers: ['times'] }),
    ];
    expect(refusals).toMatchObject([
      {
        status: 422,
        code: 'invalid_request',
        detail: expect.stringContaining('the layer default holds libraries of python, and the function runs on nodejs'),
      },
      {
        status: 422,
        code: 'invalid_request',
        detail: expect.stringMatching(/the layer times holds libraries of nodejs\d+, and the function runs on python/),
      },
    ]);
  });

  it.each([
    [{}, 'requirements'],
    [{ requirements: 'six', package_json: {} }, 'requirements'],
    [{ requirements: 'six', runtime: 'nodejs' }, 'requirements'],
    [{ requirements: 'six', package_lock: {} }, 'package_lock'],
    [{ package_json: {}, runtime: 'python' }, 'package_json'],
    [{ package_json: { dependencies: { ms: 'file:/etc' } } }, 'package_json'],
    [{ package_json: {}, runtime: 'nodejs1' }, 'runtime'],
  ])('are refused as a layer of %j', async (definition, field) => {
    const response = await hearth.post('/layers', { name: 'wrong', ...definition });
    expect([response.status, await json(response)]).toMatchObject([422, { code: 'invalid_request', errors: [{ field }] }]);
  });

  it('are refused in words when npm can not install them', async () => {
    const dependencies = { ms: '2.1.3' };
    const lock = { lockfileVersion: 3, packages: { '': {} } };
    expect(await refusal('1', { package_json: { dependencies }, package_lock: lock })).toMatchObject({
      code: 'layer_build_failed',
      detail: expect.stringContaining('package_lock does not fit package_json'),
    });
    expect(await refusal('1', { package_json: { dependencies: { ms: 'file:/etc' } } })).toMatchObject({ status: 422, code: 'invalid_request' });
    expect(await refusal('1', { package_lock: lock })).toMatchObject({ status: 422, code: 'invalid_request' });
  });
});

describe('registration of Node.js functions', () => {
  it.each([
    ['const a = 1;\nconst b = ;', 2],
    ['export const a = 1;\n\nenum X { A }', 3],
    ['export default (m: Message) => {\n  return m +;\n}', 2],
    ['export let a = 1;\nlet a = 2;', 2],
  ])('refuses %j and names the line', async (code, line) => {
    expect(await refusal(code)).toMatchObject({ status: 422, code: 'invalid_code', line });
  });

  it('refuses what is for other runtimes, and versions that are not there', async () => {
    expect(await refusal('1', { runtime: 'nodejs1' as never })).toMatchObject({
      code: 'invalid_request',
      detail: expect.stringContaining('it has python, nodejs'),
    });
    expect(await refusal('1', { requirements: 'requests' })).toMatchObject({ code: 'invalid_request' });
    expect(await refusal('x = 1', { runtime: 'python', style: 'web' })).toMatchObject({ code: 'invalid_request' });
  });

  it('says what is missing when code of style handler exports nothing to call', async () => {
    await define('empty', 'export const other = 1;', { style: 'handler' });
    expect(await json(await post('empty'))).toMatchObject({
      status: 502,
      code: 'function_load_failed',
      detail: expect.stringContaining('It exports other'),
    });
  });
});
