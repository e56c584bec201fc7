import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FunctionDefinition } from '../../../src/schemas/function.ts';
import { Hearth, json } from '../../support/hearth.ts';
import { hearthCommand } from '../../support/hearth-command.ts';

/** Exports `answer`, a function that gives 42. */
const WASM = Buffer.from('0061736d010000000105016000017f03020100070a0106616e7377657200000a06010400412a0b', 'hex');

const MODULES = {
  'package.json': '{"type": "module", "imports": {"#words": "./lib/words.js"}}',
  'src/app.js': `import { readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import data from '../data.json' with { type: 'json' };
import { join } from '#words';
import { price } from '../lib/price.ts';
import shout from 'shout';
const { default: late } = await import('../lib/late.cjs');
export const handler = async () => {
  const { instance } = await WebAssembly.instantiate(await readFile(new URL('../answer.wasm', import.meta.url)));
  const modes = await Promise.all(['data.json', 'bin/tool'].map(async (file) => ((await stat(file)).mode & 0o777).toString(8)));
  const required = createRequire(import.meta.url)('../data.json').word;
  return { url: import.meta.url, here: process.cwd(), data: data.word, required, joined: join('a', 'b'), price: price(2), loud: shout('x'), late, wasm: instance.exports.answer(), modes };
};
`,
  'lib/words.js': 'export const join = (...words) => words.join("-");\n',
  'lib/price.ts': 'export function price(count: number): number {\n  return count * 21;\n}\n',
  'lib/late.cjs': 'module.exports = require("./late.json");\n',
  'lib/late.json': '["late"]',
  'node_modules/shout/package.json': '{"name": "shout", "main": "main.js"}',
  'node_modules/shout/main.js': 'module.exports = (text) => text.toUpperCase();\n',
  'data.json': '{"word": "forty-two"}',
  'answer.wasm': { base64: WASM.toString('base64') },
  'bin/tool': { base64: '', executable: true },
};

let hearth: Hearth;

beforeAll(async () => {
  hearth = await Hearth.start({ settings: { HEARTH_SANDBOX_NETWORK: 'none' } });
});
afterAll(() => hearth?.[Symbol.asyncDispose]());

const definition = (name: string, files: FunctionDefinition['files'], settings: Partial<FunctionDefinition> = {}) =>
  ({ event_type: `http|*|/${name}`, function_name: name, runtime: 'nodejs', files, ...settings }) as FunctionDefinition;
const define = (...args: Parameters<typeof definition>) => hearth.register(definition(...args));
const refusal = async (files: FunctionDefinition['files'], settings: Partial<FunctionDefinition> = {}) =>
  json(await hearth.post('/functions', definition('refused', files, settings)));

describe('a bundle of Node.js', () => {
  it('runs as ES modules, with its packages, TypeScript, data and WebAssembly', async () => {
    expect(await define('modules', MODULES, { entry: 'src/app.js' })).toMatchObject({ style: 'handler', created: true });
    expect(await json(await hearth.call('/modules'))).toEqual({
      ...{ url: 'file:///function/src/app.js', here: '/function', data: 'forty-two', required: 'forty-two', joined: 'a-b', price: 42 },
      ...{ loud: 'X', late: ['late'], wasm: 42, modes: ['444', '555'] },
    });
  });

  it('runs as CommonJS, in which require.main is the entry', async () => {
    const code = `const { word } = require('./lib');
exports.handler = () => ({ word, file: __filename, folder: __dirname, main: require.main === module, argv: process.argv[1], sdk: typeof require('@hearth/sdk').invoke });\n`;
    await define('common', { 'index.js': code, 'lib/index.js': 'exports.word = require("./data.json").word;\n', 'lib/data.json': '{"word": "w"}' });
    const expected = { word: 'w', file: '/function/index.js', folder: '/function', main: true, argv: '/function/index.js', sdk: 'function' };
    expect(await json(await hearth.call('/common'))).toEqual(expected);
  });

  it('is a web function in TypeScript, whose traces show its own files', async () => {
    const code = `import { greet } from './greet.ts';
interface Named { name: string }
export default { async fetch(request: Request): Promise<Response> {
  const { name } = (await request.json()) as Named;
  return new Response(greet(name));
} };
`;
    const greet =
      'type Name = string;\n\nexport function greet(name: Name): string {\n  if (name === "") throw new RangeError("nobody");\n  return name;\n}\n';
    expect(await define('web', { 'index.ts': code, 'greet.ts': greet })).toMatchObject({ style: 'web' });
    const post = (body: string) => hearth.call('/web', { method: 'POST', body });
    expect(await (await post('{"name": "Ada"}')).text()).toBe('Ada');
    const failed = await post('{"name": ""}');
    expect(failed.status).toBe(502);
    expect((await hearth.record(failed)).logs).toMatch(
      /^RangeError: nobody\n {4}at greet \(\/function\/greet\.ts:4:26\)\n {4}at .*\/function\/index\.ts:5:23/,
    );
  });

  it('runs as a script, in a fresh process for every run', async () => {
    const code = `const { strict: assert } = require('node:assert');
const { readFileSync } = require('node:fs');
const count = require('./count');
assert.equal(readFileSync('word.txt', 'utf8'), 'hello');
if (require.main === module) console.log(process.cwd(), __filename, count.next());
if (process.env.HTTP_QUERY === 'fail') throw new Error('asked to');\n`;
    await define('script', { 'index.js': code, 'count.js': 'let n = 0;\nexports.next = () => ++n;\n', 'word.txt': 'hello' });
    for (let run = 0; run < 2; run++) {
      const response = await hearth.call('/script');
      expect([response.status, (await hearth.record(response)).logs]).toEqual([204, '/function /function/index.js 1\n']);
    }
    const failed = await hearth.call('/script?fail');
    expect([failed.status, (await hearth.record(failed)).logs]).toEqual([
      502,
      expect.stringContaining('at Object.<anonymous> (/function/index.js:6:'),
    ]);
  });

  it('runs as a script of ES modules that answers by AMQP', async () => {
    const code = `import amqp from 'amqplib';
import { answer } from './answer.mjs';
const id = process.env.HTTP_HEADER.split('\\n').find((line) => line.startsWith('X-Correlation-Id')).split(': ')[1];
const connection = await amqp.connect('amqp://message_queue');
const channel = await connection.createChannel();
await channel.assertQueue(id);
channel.sendToQueue(id, Buffer.from(JSON.stringify({ answer, url: import.meta.url })));
await channel.close();
await connection.close();\n`;
    expect(await define('amqp', { 'index.mjs': code, 'answer.mjs': 'export const answer = 42;\n' })).toMatchObject({ style: 'script' });
    expect(await json(await hearth.call('/amqp'))).toEqual({ answer: 42, url: 'file:///function/index.mjs' });
  });

  it('is deployed from a folder', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hearth-project-'));
    try {
      const project = 'defaults: { runtime: nodejs, network: none }\nfunctions:\n  deployed:\n    on: http|GET|/deployed\n';
      for (const [path, text] of Object.entries({
        'hearth.yaml': project,
        'index.mts': 'import { words } from "./lib/words.mts";\nexport const handler = (): string => words;\n',
        'lib/words.mts': 'export const words: string = "deployed";\n',
      })) {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await writeFile(join(folder, path), text);
      }
      const { code, stderr } = await hearthCommand(['deploy', folder, '--api', hearth.api, '--gateway', hearth.gateway]);
      expect([code, stderr]).toEqual([0, '']);
      expect(await (await hearth.call('/deployed')).text()).toBe('deployed');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it.each([
    ['an entry that is no module', { 'app.py': 'x' }, { entry: 'app.py' }, 'invalid_bundle', /ends in \.js/],
    ['no entry by a usual name', { 'other.js': 'x' }, {}, 'invalid_bundle', /"index\.mjs"/],
    [
      'a package.json that is no JSON',
      { 'a/index.js': 'x', 'package.json': '{' },
      { entry: 'a/index.js' },
      'invalid_bundle',
      /package\.json.* is no JSON/,
    ],
    ['ES syntax in CommonJS', { 'index.cjs': 'const a = 1;\nexport { a };' }, {}, 'invalid_code', /in line 2/],
    ['CommonJS by its package', { 'index.js': 'await null;', 'package.json': '{"type": "commonjs"}' }, {}, 'invalid_code', /in line 1/],
    ['types in JavaScript', { 'index.mjs': 'const a: number = 1;' }, {}, 'invalid_code', /in line 1/],
    ['TypeScript that can not be stripped', { 'index.ts': '\nenum A { B }' }, {}, 'invalid_code', /in line 2/],
  ])('is refused with %s', async (_, files, settings, code, detail) => {
    expect(await refusal(files as never, settings)).toMatchObject({ status: 422, code, detail: expect.stringMatching(detail) });
  });

  it('says which of its modules does not load', async () => {
    await define('broken', { 'index.mjs': 'import "./part.mjs";\nexport const handler = () => 1;', 'part.mjs': 'export const a = ;\n' });
    expect(await json(await hearth.call('/broken'))).toMatchObject({
      ...{ status: 502, code: 'function_load_failed', detail: expect.stringContaining("SyntaxError: Unexpected token ';'") },
      function_error: { trace: expect.stringMatching(/^\/function\/part\.mjs:1\n/) },
    });
  });
});
