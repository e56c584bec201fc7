import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FunctionDefinition } from '../../../src/schemas/function.ts';
import { Hearth, json } from '../../support/hearth.ts';

/** The oldest one that functions may have (docs/nodejs.md). */
const OLDEST = '22.15.0';
const CACHE = fileURLToPath(new URL('../../../.cache/', import.meta.url));

const OWN = process.versions.node.split('.')[0];

/** From npm, once: the package that holds the binary itself. */
async function oldestNode(): Promise<string> {
  const folder = join(CACHE, `node-${OLDEST}`);
  const node = join(folder, 'node_modules/.bin/node');
  if (existsSync(node)) return node;
  await mkdir(folder, { recursive: true });
  const options = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  await promisify(execFile)('npm', ['install', '--prefix', folder, ...options, `node-linux-${process.arch}@${OLDEST}`]);
  return node;
}

describe('a platform with two versions of Node.js', () => {
  let hearth: Hearth;

  const answer = async (code: string | undefined, settings: Partial<FunctionDefinition>): Promise<string> => {
    await hearth.register({
      event_type: 'http|*|/versioned',
      function_name: 'versioned',
      ...(code === undefined ? {} : { function_code: code }),
      ...settings,
    });
    const response = await hearth.call('/versioned', { method: 'POST', body: '{"n":41}', headers: { 'Content-Type': 'application/json' } });
    return `${response.status} ${await response.text()}`;
  };

  beforeAll(async () => {
    hearth = await Hearth.start({ settings: { HEARTH_SANDBOX_NETWORK: 'none', HEARTH_SANDBOX_NODE: `auto,${await oldestNode()}` } });
  });
  afterAll(() => hearth?.[Symbol.asyncDispose]());

  it('runs a function on the one that it names', async () => {
    const code = 'export default async () => process.version;';
    expect(await answer(code, { runtime: 'nodejs' })).toBe(`200 ${process.version}`);
    expect(await answer(code, { runtime: `nodejs${OWN}` as 'nodejs' })).toBe(`200 ${process.version}`);
    expect(await answer(code, { runtime: 'nodejs22' })).toBe(`200 v${OLDEST}`);
  });

  it.each([
    ['CommonJS', 'exports.handler = async ({ body }) => body.n + 1;'],
    ['TypeScript', 'interface Body { n: number }\nexport const handler = (message: { body: Body }): number => message.body.n + 1;'],
    ['the SDK', "import { logger } from '@hearth/sdk';\nexport const handler = async ({ body }) => { logger.info('seen'); return body.n + 1; };"],
    ['the Web standard', 'export default { async fetch(request) { return Response.json((await request.json()).n + 1); } };'],
    [
      'a script',
      `import amqp from 'amqplib';
      const id = /^X-Correlation-Id: (.*)$/m.exec(process.env.HTTP_HEADER)[1];
      const connection = await amqp.connect('amqp://message_queue');
      const channel = await connection.createChannel();
      channel.sendToQueue(id, Buffer.from(String(JSON.parse(process.env.HTTP_BODY).body.n + 1)));
      await channel.close();
      await connection.close();`,
    ],
  ])('runs all there is on the oldest one: %s', async (_, code) => {
    expect(await answer(code, { runtime: 'nodejs22' })).toBe('200 42');
  });

  it('takes the types out of a bundle’s files on it, and names the one that does not load', async () => {
    const index = "import { one } from './lib/one.ts';\nexport default async ({ body }: { body: { n: number } }): Promise<number> => body.n + one;";
    const files = { 'index.ts': index, 'lib/one.ts': 'export const one: number = 1;' };
    expect(await answer(undefined, { runtime: 'nodejs22', files })).toBe('200 42');
    const broken = await answer(undefined, {
      runtime: 'nodejs22',
      files: { ...files, 'index.mjs': "import './lib/bad.mjs';\nexport default () => 1;", 'lib/bad.mjs': '\nconst a = ;' },
    });
    expect(broken).toMatch(/^502 .*"trace":"\/function\/lib\/bad\.mjs:2\\nSyntaxError/);
  });

  it('has layers of its own', async () => {
    expect((await hearth.post('/layers', { name: 'blank', package_json: {}, runtime: 'nodejs22' })).status).toBe(200);
    const settings = { event_type: 'http|*|/layered', function_name: 'layered', function_code: 'export default () => 1', layers: ['blank'] };
    expect((await hearth.post('/functions', { ...settings, runtime: 'nodejs22' })).status).toBe(200);
    const refused = await hearth.post('/functions', { ...settings, runtime: 'nodejs' });
    expect([refused.status, await json(refused)]).toMatchObject([422, { detail: expect.stringContaining('holds libraries of nodejs22') }]);
  });

  it('runs a program on it', async () => {
    const code = "require('node:http').createServer((request, response) => response.end(process.version)).listen(process.env.PORT);";
    expect(await answer(code, { runtime: 'nodejs22', style: 'server' })).toBe(`200 v${OLDEST}`);
  });

  it('refuses one that is not there, and says which are', async () => {
    const response = await hearth.post('/functions', {
      event_type: 'http|*|/absent',
      function_name: 'absent',
      function_code: 'export default () => 1',
      runtime: 'nodejs99',
    });
    expect([response.status, JSON.stringify(await json(response))]).toEqual([422, expect.stringMatching(new RegExp(`nodejs${OWN}.*nodejs22`))]);
  });
});
