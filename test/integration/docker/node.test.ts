import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FunctionDefinition } from '../../../src/schemas/function.ts';
import { Docker, hearthOn } from '../../support/docker.ts';
import { type Hearth, json, until } from '../../support/hearth.ts';
import { hearthCommand } from '../../support/hearth-command.ts';

/** Functions for Node.js in containers of the image that `hearth images build node` makes. The last test kills the platform. */

const echo = createServer((socket) => socket.pipe(socket));
let docker: Docker;
let hearth: Hearth;
let settings: Record<string, string>;

beforeAll(async () => {
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const { NODE_EXTRA_CA_CERTS: certificates } = process.env;
  settings = {
    HEARTH_SERVICES: `cache_service:6379=127.0.0.1:${(echo.address() as { port: number }).port}`,
    // The base image knows the public ones only.
    ...(certificates === undefined ? {} : { NPM_CONFIG_CAFILE: certificates }),
  };
  docker = await Docker.start({ node: true });
  hearth = await hearthOn(docker, settings);
});
afterAll(async () => {
  await hearth?.[Symbol.asyncDispose]();
  await docker?.[Symbol.asyncDispose]();
  echo.close();
});

const define = (name: string, code: string, more: Partial<FunctionDefinition> = {}) =>
  hearth.define(name, code, { runtime: 'nodejs', network: 'none', ...more });
const post = (path: string, body: unknown) =>
  hearth.call(path, { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } });

it('answers by a handler in TypeScript, cold and warm, from a container with the bounds of the function', async () => {
  await define(
    'who',
    `import { readFileSync } from 'node:fs';
    import { hostname } from 'node:os';
    const limits = [...readFileSync('/proc/self/limits', 'utf8').matchAll(/^Max (?:open files|file size) +\\d+ +(\\d+)/gm)].map(([, hard]) => Number(hard));
    interface Body { n: number }
    export const handler = async ({ body }: { body: Body }) =>
      ({ next: body.n + 1, uid: process.getuid?.(), host: hostname(), version: process.versions.node, argv: process.execArgv[0], limits, environment: Object.keys(process.env).sort() });`,
    { memory_mb: 128, cpu: 0.5 },
  );
  const cold = await post('/who', { n: 41 });
  expect(await json(cold)).toEqual({
    next: 42,
    uid: expect.any(Number),
    host: 'fn',
    version: process.versions.node,
    argv: '--max-old-space-size=48',
    limits: [64 << 20, 1024],
    environment: ['HOME', 'LANG', 'PATH', 'PWD', 'TMPDIR', 'UV_USE_IO_URING'],
  });
  const warm = await post('/who', { n: 1 });
  expect([warm.headers.get('x-hearth-start'), (await json(warm)).next]).toEqual(['warm', 2]);
  const name = `hearth-${warm.headers.get('x-serverless-instance-id')}`;
  const { Config, HostConfig } = await docker.api<{ Config: { Image: string }; HostConfig: Record<string, unknown> }>(
    'GET',
    `/containers/${name}/json`,
  );
  expect(Config.Image).toMatch(/^hearth-node:/);
  expect(HostConfig).toMatchObject({ Memory: 128 << 20, MemorySwap: 128 << 20, CpuQuota: 50_000, NetworkMode: 'none', ReadonlyRootfs: true });
});

it('answers as the Web standard has it, and streams', async () => {
  await define(
    'web',
    `export default { async fetch(request) {
      const pieces = [request.method, ' ', await request.text()];
      return new Response(new ReadableStream({ pull(c) { const next = pieces.shift(); if (next === undefined) c.close(); else c.enqueue(new TextEncoder().encode(next)); } }), { status: 202 });
    } };`,
  );
  const response = await post('/web', { n: 1 });
  expect([response.status, await response.text()]).toEqual([202, 'POST {"n":1}']);
});

it('answers by a script that publishes to message_queue with amqplib, in a process of its own for each run', async () => {
  await define(
    'script',
    `const amqp = require('amqplib');
    const id = /^X-Correlation-Id: (.*)$/m.exec(process.env.HTTP_HEADER)[1];
    globalThis.runs = (globalThis.runs ?? 0) + 1;
    (async () => {
      const connection = await amqp.connect('amqp://message_queue');
      const channel = await connection.createChannel();
      channel.sendToQueue(id, Buffer.from(JSON.stringify({ heard: JSON.parse(process.env.HTTP_BODY).body, runs })));
      await channel.close();
      await connection.close();
    })();`,
  );
  for (const word of ['one', 'two']) expect(await json(await post('/script', { word }))).toEqual({ heard: { word }, runs: 1 });
});

it('installs packages of npm into a layer, which a function finds that reaches services by name and no network', async () => {
  await define(
    'packaged',
    `import { connect } from 'node:net';
    import ms from 'ms';
    const reach = (port, host) => new Promise((resolve) => {
      const socket = connect(port, host, () => socket.write('hello')).on('data', (data) => resolve(String(data))).on('error', ({ code }) => resolve(code));
    });
    export default async () => [ms('2 days'), await reach(6379, 'cache_service'), await reach(80, '169.254.169.254')];`,
    { package_json: { dependencies: { ms: '2.1.3' } } },
  );
  expect(await json(await hearth.call('/packaged'))).toEqual([172800000, 'hello', 'ENETUNREACH']);
});

it('shuts the host to functions with the network egress', async () => {
  const { Gateway } = (await docker.api<{ IPAM: { Config: { Gateway: string }[] } }>('GET', '/networks/cloud_net')).IPAM.Config[0] as {
    Gateway: string;
  };
  await define(
    'outward',
    `import { connect } from 'node:net';
    export default async ({ body }) => new Promise((resolve) => connect(80, body.host).on('connect', () => resolve('connected')).on('error', ({ code }) => resolve(code)));`,
    { network: 'egress' },
  );
  expect(await (await post('/outward', { host: Gateway })).text()).toBe('EHOSTUNREACH');
});

it.each([
  ['in the heap', 'new Array(1e5).fill(Math.random())'],
  ['outside of it', 'Buffer.alloc(1 << 22, 1)'],
])('ends what takes more memory than it may %s, and says so', async (where, piece) => {
  await define('hungry', `// ${where}\nconst kept = [];\nexport default async () => { for (;;) { kept.push(${piece}); await null; } }`, {
    memory_mb: 96,
  });
  expect(await json(await hearth.call('/hungry'))).toMatchObject({ code: 'out_of_memory', memory_limit_bytes: 96 << 20 });
});

it('runs programs written for Node.js: HTTP servers, and runtimes of AWS Lambda', async () => {
  await define(
    'server',
    `import { createServer } from 'node:http';
    createServer((request, response) => {
      let text = '';
      request.on('data', (piece) => { text += piece; }).on('end', () => response.end(request.method + ' ' + request.url + ' ' + text + ' ' + process.versions.node));
    }).listen(process.env.PORT, '127.0.0.1');`,
    { style: 'server', event_type: 'http|*|/server/*' },
  );
  for (const n of [1, 2]) expect(await (await post('/server/x?a=1', { n })).text()).toBe(`POST /server/x?a=1 {"n":${n}} ${process.versions.node}`);
  await define(
    'lambda',
    `const api = 'http://' + process.env.AWS_LAMBDA_RUNTIME_API + '/2018-06-01/runtime/invocation/';
    for (;;) {
      const next = await fetch(api + 'next');
      const { rawPath } = await next.json();
      await fetch(api + next.headers.get('lambda-runtime-aws-request-id') + '/response', { method: 'POST', body: JSON.stringify({ rawPath }) });
    }`,
    { style: 'lambda', event_type: 'http|*|/lambda/*' },
  );
  expect(await json(await hearth.call('/lambda/y'))).toEqual({ rawPath: '/lambda/y' });
});

it('is told by hearth doctor, and images that the operator has named must be there', async () => {
  const named = { HEARTH_DOCKER_NODE_IMAGES: 'auto,absent:1' };
  const { code, stdout } = await hearthCommand(['doctor'], { ...docker.settings, ...named });
  expect(stdout).toMatch(new RegExp(`^ok {3} node image: hearth-node:[0-9a-f]+: Node\\.js ${process.versions.node}, npm \\d`, 'm'));
  expect(stdout).toMatch(/^FAIL {2}node image absent:1: .*`hearth images build`/m);
  expect([code, stdout]).toEqual([0, expect.stringContaining('Isolation: full')]);
  await expect(hearthOn(docker, named)).rejects.toThrow(/node image absent:1: The Docker Engine has no image absent:1/);
});

it('ends a container at the deadline of an endless loop, and all of them with the platform, also when that is killed', async () => {
  await define('loops', 'export default () => { for (;;); }', { timeout_ms: 1000 });
  const late = await hearth.call('/loops');
  expect([late.status, (await json(late)).code]).toEqual([504, 'deadline_exceeded']);
  const name = `/hearth-${late.headers.get('x-serverless-instance-id')}`;
  await until(async () => !(await docker.containers()).includes(name));
  const states = () => docker.api<{ Names: string[]; State: string }[]>('GET', '/containers/json?all=true');
  const { dataFolder } = hearth;
  await hearth.stop('SIGKILL');
  const left = (await states()).flatMap(({ Names }) => Names);
  expect(left.length).toBeGreaterThan(3);
  await until(async () => (await states()).every(({ State }) => State === 'exited'));
  hearth = await hearthOn(docker, settings, { dataFolder });
  expect((await docker.containers()).filter((one) => left.includes(one))).toEqual([]);
  expect((await json(await post('/who', { n: 1 }))).next).toBe(2);
  expect(await hearth.stop()).toBe(0);
  expect(await docker.containers()).toEqual([]);
});
