import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { type AddressInfo, connect } from 'node:net';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createBundles } from '../../../src/bundles/bundles.ts';
import { definition } from '../registry/make-registry.ts';
import { temporaryFolder } from '../store/temporary-store.ts';
import { makeApi, type TestApi } from './make-api.ts';

describe('the control plane as an HTTP server', () => {
  let api: TestApi;

  beforeEach(async () => {
    api = await makeApi();
  });
  afterEach(() => api.close());

  it('describes itself in a document that is valid OpenAPI 3.1', async () => {
    const document = (await api.request('GET', '/openapi.json')).json();
    const result = await new Validator().validate(structuredClone(document));
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
    expect(document.openapi).toBe('3.1.0');
  });

  it('shows the documentation, and leads to it where there is no dashboard', async () => {
    const root = await api.request('GET', '/');
    expect([root.statusCode, root.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(root.body).toContain('scripts/setup');
    expect(root.body).toContain('href="/docs"');
    const docs = await api.request('GET', '/docs');
    expect(docs.statusCode).toBe(200);
    expect(docs.headers['content-type']).toMatch(/^text\/html/);
  });

  it('tells balancers whether it takes calls, and who works together', async () => {
    expect((await api.request('GET', '/ready')).json()).toEqual({ status: 'up' });
    await api.nodes.drain();
    const refused = await api.request('GET', '/ready');
    expect([refused.statusCode, refused.json().code, refused.headers['retry-after']]).toEqual([503, 'draining', '1']);
    expect((await api.request('GET', '/health')).statusCode).toBe(200);
    const { nodes, as_of: asOf } = (await api.request('GET', '/nodes')).json();
    expect(nodes).toMatchObject([
      { name: 'alone', state: 'draining', self: true, gateway_url: 'http://127.0.0.1:9', cores: 2, instances: 3, functions: 4 },
    ]);
    expect(asOf).toBeGreaterThanOrEqual(nodes[0].started_at);
  });

  it('is alive', async () => {
    expect((await api.request('GET', '/health')).json()).toEqual({ status: 'ok' });
    const head = await api.request('HEAD', '/health');
    expect([head.statusCode, head.body]).toEqual([200, '']);
  });

  it.for([
    ['/functions', 'GET, HEAD, POST, OPTIONS'],
    ['/functions/trigger', 'POST, OPTIONS'],
    ['/functions/instances?all=true', 'GET, HEAD, OPTIONS'],
    ['/functions/echo', 'DELETE, GET, HEAD, OPTIONS'],
    ['/functions/echo/traffic', 'DELETE, GET, HEAD, PUT, OPTIONS'],
    ['/functions/echo/rollback', 'POST, OPTIONS'],
    ['/layers/science', 'DELETE, OPTIONS'],
  ])('tells the methods of %s', async ([url, allow]) => {
    const options = await api.request('OPTIONS', url as string);
    expect([options.statusCode, options.headers.allow, options.body]).toEqual([204, allow, '']);
    expect(options.headers['access-control-allow-origin']).toBeUndefined();
    const other = await api.request('PATCH', url as string);
    expect([other.statusCode, other.headers.allow, other.json().code]).toEqual([405, allow, 'method_not_allowed']);
  });

  const json = { 'content-type': 'application/json' };

  it.for([
    ['malformed_request', 400, { url: '/functions', payload: '{"a":', headers: json }],
    ['malformed_request', 400, { url: '/functions', payload: '{"__proto__": {"a": 1}}', headers: json }],
    ['invalid_request', 422, { url: '/functions', payload: '', headers: json }],
    ['unsupported_media_type', 415, { url: '/functions', payload: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
    ['unsupported_media_type', 415, { url: '/functions', payload: '{}', headers: { 'content-type': 'text/plain' } }],
    ['body_too_large', 413, { url: '/functions', payload: JSON.stringify({ a: 'x'.repeat(8 * 1024 * 1024) }), headers: json }],
    ['not_found', 404, { url: '/nowhere' }],
    ['malformed_request', 400, { url: '/%zz' }],
  ] as const)('answers %s as a problem (%i)', async ([code, status, request]) => {
    const response = await api.app.inject({ method: 'POST', ...request });
    expect([response.statusCode, response.json().code, response.json().status]).toEqual([status, code, status]);
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
  });

  it('keeps to itself what broke inside, and logs it under the id that it tells', async () => {
    await api.close();
    const secret = new Error('the secret of the house');
    api = await makeApi({
      trigger: async () => {
        throw secret;
      },
    });
    const trigger = { http_header: '', http_body: '', http_path: '/', http_verb: 'GET' };
    const response = await api.request('POST', '/functions/trigger', trigger);
    expect(response.statusCode).toBe(500);
    expect(response.body).not.toContain('secret');
    const { correlation_id } = response.json();
    const line = api.logged.find((entry) => entry.correlationId === correlation_id);
    expect(JSON.stringify(line)).toContain('the secret of the house');
  });

  it('answers 503 as a problem when the store is gone, and stays alive', async () => {
    await api.store.close();
    const response = await api.request('GET', '/invocations');
    expect([response.statusCode, response.json().code]).toEqual([503, 'store_unavailable']);
    expect((await api.request('GET', '/health')).statusCode).toBe(200);
  });

  it('breaks off requests that are still under way some time after it is told to close', async () => {
    await api.close();
    const reached = Promise.withResolvers<void>();
    const never = new Promise<never>(() => {});
    const trigger = () => {
      reached.resolve();
      return never;
    };
    api = await makeApi({ trigger }, { closeGraceMs: 10 });
    const origin = await api.app.listen({ host: '127.0.0.1', port: 0 });
    const body = JSON.stringify({ http_header: '', http_body: '', http_path: '/', http_verb: 'GET' });
    const answer = fetch(`${origin}/functions/trigger`, { method: 'POST', headers: json, body });
    const broken = expect(answer).rejects.toThrow();
    await reached.promise;
    await api.app.close();
    await broken;
  });

  describe('listening', () => {
    let origin: string;
    let folder: string;

    beforeEach(async () => {
      await api.close();
      folder = await temporaryFolder();
      api = await makeApi({ bundles: await createBundles(folder, { maxUploadBytes: 1024 * 1024, maxBytes: 1024 * 1024, maxFiles: 10 }) });
      origin = await api.app.listen({ host: '127.0.0.1', port: 0 });
    });
    afterEach(() => rm(folder, { recursive: true, force: true }));

    it("takes the seed's own requests over a real connection", async () => {
      const headers = { accept: 'application/json', 'Content-Type': 'application/json' };
      const created = await fetch(`${origin}/functions`, { method: 'POST', headers, body: JSON.stringify(definition()) });
      expect([created.status, await created.json()]).toEqual([200, expect.objectContaining({ status: 'ok' })]);
      const listed = await fetch(`${origin}/functions`);
      expect(await listed.json()).toMatchObject({ 'http|POST|/echo': [{ function_name: 'echo' }] });
      const deleted = await fetch(`${origin}/functions/echo`, { method: 'DELETE', headers });
      expect(await deleted.json()).toEqual({ status: 'ok', deleted: true });
    });

    async function raw(text: string): Promise<string> {
      const socket = connect((api.app.server.address() as AddressInfo).port, '127.0.0.1');
      let answer = '';
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        answer += chunk;
      });
      // The server may reset a connection whose request it did not read to the end.
      socket.on('error', () => {});
      socket.write(text);
      await once(socket, 'close');
      return answer;
    }

    it('answers what is no HTTP as a problem, and too many headers', async () => {
      const garbage = await raw('these are not the droids\r\n\r\n');
      expect(garbage).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
      expect(JSON.parse(garbage.slice(garbage.indexOf('\r\n\r\n') + 4))).toMatchObject({ code: 'malformed_request' });
      const large = await raw(`GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`);
      expect(large).toMatch(/^HTTP\/1\.1 431 /);
      expect(large).toContain('headers_too_large');
    });

    /** Sends all before it reads anything, as simple clients do. @returns the answer; null when the connection was reset first */
    async function sendAll(head: string, body: string): Promise<string | null> {
      const { port, address } = api.app.server.address() as AddressInfo;
      const socket = connect(port, address);
      // An error ends it, and what was written last is told so too.
      const closed = once(socket, 'close').catch(() => undefined);
      try {
        await new Promise<void>((resolve, reject) => {
          socket.once('error', reject);
          socket.write(`POST ${head}\r\nHost: ${address}:${port}\r\n\r\n`);
          socket.write(body, () => resolve());
        });
        const [answer] = (await once(socket.setEncoding('utf8'), 'data')) as [string];
        return answer;
      } catch {
        return null;
      } finally {
        socket.destroy();
        await closed;
      }
    }

    const size = 12 * 1024 * 1024;
    const spaces = ' '.repeat(size);
    it.for([
      ['413', '/functions', 'application/json'],
      ['415', '/functions', 'text/plain'],
      ['413', '/bundles', 'application/gzip'],
    ] as const)('lets who sends what it does not take have the answer: %s to %s of %s', async ([status, path, type]) => {
      const answer = await sendAll(`${path} HTTP/1.1\r\nContent-Type: ${type}\r\nContent-Length: ${size}`, spaces);
      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    });

    it('lets who sends too much in chunks have the answer', async () => {
      const head = '/functions HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked';
      expect(await sendAll(head, `${size.toString(16)}\r\n${spaces}\r\n0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 413 /);
    });

    it('reads a body that nobody wants for a moment only', async () => {
      const socket = connect((api.app.server.address() as AddressInfo).port, '127.0.0.1');
      const ended = new Promise((resolve) => socket.once('close', resolve));
      socket.on('error', () => {});
      socket.resume().write(`POST /nowhere HTTP/1.1\r\nHost: ${new URL(origin).host}\r\nContent-Length: 1000000000000\r\n\r\n`);
      const pour = setInterval(() => socket.write('x'), 10);
      await ended;
      clearInterval(pour);
    });
  });
});
