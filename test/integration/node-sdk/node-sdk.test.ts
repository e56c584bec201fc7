import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Hearth } from '../../support/hearth.ts';
import { HANDLERS, WRONG } from './handlers.ts';

const run = promisify(execFile);
const fileOf = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('the Node.js SDK on a developer’s machine', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-node-sdk-'));
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', folder, fileOf('runtimes/node')], { cwd: folder });
    await run('npm', ['install', '--offline', '--no-audit', '--no-fund', join(folder, stdout.trim())], { cwd: folder });
    await mkdir(join(folder, 'node_modules/@types'));
    await symlink(fileOf('node_modules/@types/node'), join(folder, 'node_modules/@types/node'));
    await writeFile(join(folder, 'handlers.ts'), HANDLERS);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('installs by npm, and calls handlers without the platform', async () => {
    const { stdout, stderr } = await run(process.execPath, ['handlers.ts'], { cwd: folder });
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      ['handler', 201, ['X-Id', '36', 'X-Key', 'k', 'Content-Type', 'application/json'], { text: 'Hello Ada', traces: { traceparent } }],
      ['invoked', { name: 'greeting', payload: { name: 'Ada' }, mode: 'sync' }, { name: 'notify', payload: null, mode: 'async' }],
      ['web', 202, 'GET http://localhost/a%20b?q=1', false],
      ['stream', 200, ['a', 'é'], 'text/plain; charset=utf-8', true],
      ['web stream', ['one', 'two'], true],
      ['bytes', [255, 0]],
      ['type', 'queue', 'http'],
      ['not allowed', 'invoke_not_allowed', 403],
      ['status', 'status', 418, { short: 'stout' }],
      ['thrown', 'RangeError: no luck'],
      ['aborted', true],
      ['upload', { pieces: ['one', '2'], body: null }],
      ['web upload', 'ab'],
      ['socket', 'HELLO', [1, 2], 900_000, 'chat', '7', { code: 4000, reason: '' }, 101],
      ['closed', 1011, 'RangeError: as told'],
      ['refused', 403, 'no'],
      ['not offered', true],
      ['web socket', '/web', { code: 1000, reason: '' }],
      ['at a time', ['1', '2', '3']],
      ['outside', true],
      ['required', 'function'],
    ]);
    expect(stderr).toMatch(/^INFO asked for \/hello by Bob\nWARN \{ of: 'the module' \}\n$/);
  });

  it('is passed over where functions run, for the copy that has the platform behind it', async () => {
    await writeFile(join(folder, 'uses.js'), "export { invoke } from '@hearth/sdk';\nexport { call } from '@hearth/sdk/testing';\n");
    const show = `
      const [{ addResolution }, { invoke }, { call }] = await Promise.all(['load', 'hearth', 'testing'].map((name) => import('${fileOf('runtimes/node/agent')}/' + name + '.mjs')));
      if (process.argv[1] === 'sandbox') addResolution(['${folder}'], null);
      const used = await import('${folder}/uses.js');
      console.log(used.invoke === invoke, used.call === call);`;
    const sameAs = async (place: string) => (await run(process.execPath, ['--input-type=module', '-e', show, place], { cwd: folder })).stdout;
    expect([await sameAs('sandbox'), await sameAs('elsewhere')]).toEqual(['true true\n', 'false false\n']);
  });

  it('has types that the compiler accepts, and holds handlers to', async () => {
    await writeFile(join(folder, 'wrong.ts'), WRONG.map(({ code }) => code).join('\n'));
    // Types of libraries are checked too: ours is one.
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', 'handlers.ts', 'wrong.ts'];
    const tsc = run(process.execPath, [fileOf('node_modules/typescript/bin/tsc'), ...options], { cwd: folder });
    const failure = (await tsc.catch((error: unknown) => error)) as { stdout: string };
    const lines = [...failure.stdout.matchAll(/^(\S+)\((\d+),\d+\): error (TS\d+)/gm)].map(([, file, line, code]) => [file, Number(line), code]);
    expect(lines, failure.stdout).toEqual(WRONG.flatMap(({ error }, index) => (error === null ? [] : [['wrong.ts', index + 1, error]])));
  });
});

describe('the Node.js SDK in a sandbox', () => {
  let hearth: Hearth;

  beforeAll(async () => {
    hearth = await Hearth.start();
  });
  afterAll(() => hearth?.[Symbol.asyncDispose]());

  const define = (name: string, code: string) => hearth.define(name, code, { runtime: 'nodejs', invokes: ['greeting'] });

  it('is there by itself for ES modules in TypeScript: invoke, logger and trace', async () => {
    await define('greeting', "export const handler = ({ body, headers }) => ({ text: 'Hello ' + body.name, trace: headers.traceparent });");
    await define(
      'typed',
      `import { type Handler, InvokeError, invoke, logger, traceHeaders } from '@hearth/sdk';
       export const handler: Handler<{ name: string }> = async (message, context) => {
         context.logger.warn('of the context, %d', 1);
         logger.info('of the module');
         const refused: unknown = await invoke('other').catch((error) => error);
         const code = refused instanceof InvokeError ? refused.code : refused;
         return { greeting: await invoke('greeting', message.body), code, traces: [traceHeaders(), context.trace_headers()] };
       };`,
    );
    const response = await hearth.call('/typed', { method: 'POST', headers: { traceparent }, body: '{"name": "Ada"}' });
    expect([response.status, await response.json()]).toEqual([
      200,
      { greeting: { text: 'Hello Ada', trace: traceparent }, code: 'invoke_not_allowed', traces: [{ traceparent }, { traceparent }] },
    ]);
    expect((await hearth.record(response)).logs).toBe('WARN of the context, 1\nINFO of the module\n');
  });

  it('is there for CommonJS, for scripts, and for tests that run in functions', async () => {
    await define(
      'common',
      `const { invoke, traceHeaders } = require('@hearth/sdk');
       const { call } = require('@hearth/sdk/testing');
       module.exports = async (message) => {
         const tested = await call(() => invoke('inner'), { invokes: { inner: () => 'stand-in' } });
         return [tested.text, (await invoke('greeting', { name: 'Bob' })).text, traceHeaders(), (await import('hearth')).invoke === invoke];
       };`,
    );
    const response = await hearth.call('/common', { headers: { traceparent } });
    expect([response.status, await response.json()]).toEqual([200, ['stand-in', 'Hello Bob', { traceparent }, true]]);
    await define(
      'script',
      `import { invoke, logger, traceHeaders } from '@hearth/sdk';
       logger.error((await invoke('greeting', { name: 'Eve' })).text, traceHeaders().traceparent);`,
    );
    const run = await hearth.call('/script', { headers: { traceparent } });
    expect([run.status, (await hearth.record(run)).logs]).toEqual([204, `ERROR Hello Eve ${traceparent}\n`]);
  });
});
