import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Hearth } from '../../support/hearth.ts';
import { hearthCommand } from '../../support/hearth-command.ts';
import { type Sent, send, sendJson } from '../../support/send.ts';

const definition = (name: string, members: object = {}) => ({
  event_type: `http|GET|/${name}`,
  function_name: name,
  function_code: 'def handler(message, context):\n    return "ok"\n',
  ...members,
});
const json = { 'Content-Type': 'application/json' };

describe('the control plane on loopback', () => {
  let hearth: Hearth;
  let port: string;

  beforeAll(async () => {
    hearth = await Hearth.start({ settings: { PIP_NO_INDEX: '1' } });
    ({ port } = new URL(hearth.api));
  });
  afterAll(() => hearth?.[Symbol.asyncDispose]());

  /** Sends bytes as they are; @returns all that comes back until the connection ends */
  const raw = (...parts: (string | Buffer)[]): Promise<string> =>
    new Promise((resolve) => {
      let answer = '';
      const socket = connect(Number(port), '127.0.0.1', () => {
        for (const part of parts) socket.write(part);
      });
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        answer += chunk;
      });
      // The server may reset a connection whose request it did not read to the end.
      socket.on('error', () => undefined).on('close', () => resolve(answer));
    });

  const list = async () => JSON.stringify((await send(hearth.api, '/functions')).json());

  it('needs no token, but checks one that is given, and holds to its role', async () => {
    const made = await sendJson(hearth.api, 'POST', '/tokens', { name: 'reader', role: 'read' });
    const { token } = made.json();
    expect((await send(hearth.api, '/functions', { token })).status).toBe(200);
    expect((await send(hearth.api, '/functions/nobody', { method: 'DELETE', token })).status).toBe(403);
    expect((await send(hearth.api, '/functions', { token: 'wrong' })).status).toBe(401);
    expect((await send(hearth.api, '/functions/nobody', { method: 'DELETE' })).status).toBe(200);
    const { entries } = (await send(hearth.api, '/audit')).json();
    expect(entries).toMatchObject([
      { method: 'DELETE', actor: { token_id: null, name: 'local' } },
      { route: '/tokens', subject: 'reader', actor: { token_id: null, name: 'local' } },
    ]);
    expect((await send(hearth.api, '/openapi.json')).text).not.toContain('"security":');
  });

  it.for([
    ['127.0.0.1:PORT', true],
    ['localhost:PORT', true],
    ['LOCALHOST:PORT', true],
    ['127.9.9.9:PORT', true],
    ['[::1]:PORT', true],
    ['localhost', false],
    ['localhost:1', false],
    ['localhost.:PORT', false],
    ['evil.example', false],
    ['evil.example:PORT', false],
    ['localhost.evil.example:PORT', false],
    ['127.0.0.1.evil.example:PORT', false],
    ['evil.example@localhost:PORT', false],
    ['localhost:PORT@evil.example', false],
    ['localhost:PORT,evil.example', false],
    ['10.0.0.1:PORT', false],
    ['0.0.0.0:PORT', false],
    ['[::ffff:10.0.0.1]:PORT', false],
    ['2130706433:PORT', false],
  ] as const)('addressed as %s: %s', async ([host, ours]) => {
    const headers = { Host: host.replace('PORT', port) };
    for (const path of ['/functions', '/health', '/docs', '/nowhere']) {
      const { status, text } = await send(hearth.api, path, { headers });
      if (ours) expect(status, path).not.toBe(421);
      else expect([status, JSON.parse(text).code], path).toEqual([421, 'host_not_allowed']);
    }
  });

  it('takes no request with two hosts, none, or another one in its target', async () => {
    const own = `localhost:${port}`;
    expect(await raw(`GET /functions HTTP/1.1\r\nHost: ${own}\r\nHost: evil.example\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 4(00|21) /);
    expect(await raw('GET /functions HTTP/1.1\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await raw('GET /functions HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 4(00|21) /);
    expect(await raw('GET /functions HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 421 /);
    const inTarget = (target: string) => raw(`GET ${target} HTTP/1.1\r\nHost: ${own}\r\nConnection: close\r\n\r\n`);
    expect(await inTarget(`http://${own}/functions`)).toMatch(/^HTTP\/1\.1 200 /);
    for (const target of ['http://evil.example/functions', `http://evil.example@${own}/functions`, `http://127.0.0.1:${port}/functions`]) {
      expect(await inTarget(target), target).toMatch(/^HTTP\/1\.1 4(00|21) /);
    }
  });

  it.for([
    [{ Origin: 'http://evil.example' }, false],
    [{ Origin: 'https://evil.example:PORT' }, false],
    [{ Origin: 'null' }, false],
    [{ Origin: '' }, false],
    [{ Origin: 'http://localhost:1' }, false],
    [{ Origin: 'http://localhost' }, false],
    [{ Origin: 'http://localhost:PORT.evil.example' }, false],
    [{ Origin: 'http://evil.example@localhost:PORT' }, false],
    [{ Origin: 'http://127.0.0.1:PORT' }, false],
    [{ Origin: 'file://' }, false],
    [{ Origin: 'chrome-extension://localhost:PORT' }, false],
    [{ 'Sec-Fetch-Site': 'cross-site' }, false],
    [{ 'Sec-Fetch-Site': 'same-site' }, false],
    [{ Origin: 'http://localhost:PORT', 'Sec-Fetch-Site': 'cross-site' }, false],
    [{ Origin: 'http://localhost:PORT' }, true],
    [{ Origin: 'http://localhost:PORT', 'Sec-Fetch-Site': 'same-origin' }, true],
    [{ 'Sec-Fetch-Site': 'none' }, true],
    [{}, true],
  ] as const)('asked for a change with %j: %s', async ([headers, ours]) => {
    const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.replace('PORT', port)]));
    const sent: Sent = { headers: { Host: `localhost:${port}`, ...own } };
    const before = await list();
    const answers = [
      await sendJson(hearth.api, 'POST', '/functions', definition('from-a-page'), sent),
      await send(hearth.api, '/functions/from-a-page/rollback', { method: 'POST', ...sent }),
      await send(hearth.api, '/functions/from-a-page', { method: 'DELETE', ...sent }),
    ];
    for (const answer of answers) {
      if (ours) expect([403, 421]).not.toContain(answer.status);
      else expect([answer.status, answer.json().code]).toEqual([403, 'cross_origin']);
    }
    expect(await list()).toBe(before);
  });

  it.for(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/plain; application/json', ''])(
    'reads no body of the type "%s"',
    async (type) => {
      const body = JSON.stringify(definition('simple'));
      const { status } = await send(hearth.api, '/functions', { method: 'POST', headers: type === '' ? {} : { 'Content-Type': type }, body });
      expect(status).toBe(415);
      expect(await list()).not.toContain('simple');
    },
  );

  it('gives no page of another origin leave to read its answers', async () => {
    const headers = { Origin: 'http://evil.example', 'Access-Control-Request-Method': 'DELETE' };
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST']) {
      const answer = await send(hearth.api, '/functions', { method, headers });
      expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
      expect(answer.headers).toMatchObject({ 'cross-origin-resource-policy': 'same-origin', 'x-content-type-options': 'nosniff' });
    }
  });

  it.for<[what: string, body: () => string | Buffer, status: number, code: string]>([
    ['a million levels', () => '['.repeat(1_000_000) + ']'.repeat(1_000_000), 422, 'invalid_request'],
    ['a million levels inside', () => `{"environment":${'{"a":'.repeat(1_000_000)}1${'}'.repeat(1_000_000)}}`, 422, 'invalid_request'],
    ['an unfinished million', () => '{"a":'.repeat(1_000_000), 400, 'malformed_request'],
    ['a prototype', () => '{"__proto__":{"admin":true}}', 400, 'malformed_request'],
    ['an escaped prototype', () => '{"\\u005f_proto__":{"admin":true}}', 400, 'malformed_request'],
    ['a prototype inside', () => JSON.stringify(definition('x')).replace('}', ',"environment":{"__proto__":"x"}}'), 400, 'malformed_request'],
    ["a constructor's prototype", () => '{"constructor":{"prototype":{"admin":true}}}', 400, 'malformed_request'],
    ['an unknown member', () => JSON.stringify(definition('x', { admin: true })), 422, 'invalid_request'],
    ['a number for a name', () => JSON.stringify({ ...definition('x'), function_name: 7 }), 422, 'invalid_request'],
    ['a list', () => '[]', 422, 'invalid_request'],
    ['null', () => 'null', 422, 'invalid_request'],
    ['not a number', () => '{"timeout_ms":NaN}', 400, 'malformed_request'],
    ['no UTF-8', () => Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), 422, 'invalid_request'],
    ['a UTF-16 text', () => Buffer.from('{}', 'utf16le'), 400, 'malformed_request'],
  ])('refuses %s, and answers the next request', async ([, body, status, code]) => {
    const answer = await send(hearth.api, '/functions', { method: 'POST', headers: { ...json, Connection: 'close' }, body: body() });
    expect([answer.status, answer.json().code]).toEqual([status, code]);
    expect(answer.text.length).toBeLessThan(10_000);
    expect((await send(hearth.api, '/health')).status).toBe(200);
  });

  it('takes no body of ten megabytes, announced or not', async () => {
    const head = `POST /functions HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Type: application/json\r\n`;
    expect(await raw(`${head}Content-Length: ${10 * 1024 * 1024}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 413 .*body_too_large/s);
    const chunk = `100000\r\n${'x'.repeat(1024 * 1024)}\r\n`;
    expect(await raw(`${head}Transfer-Encoding: chunked\r\n\r\n`, ...Array<string>(10).fill(chunk))).toMatch(/^HTTP\/1\.1 413 .*body_too_large/s);
    expect((await send(hearth.api, '/health')).status).toBe(200);
  });

  it('answers a hundred thousand unknown members, and one of a megabyte, with a short text', async () => {
    const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`member_${index}`, 1]));
    for (const body of [many, { ['m'.repeat(1024 * 1024)]: 1 }]) {
      const answer = await sendJson(hearth.api, 'POST', '/functions', body);
      expect(answer.status).toBe(422);
      expect(answer.text.length).toBeLessThan(10_000);
    }
  });

  it('takes the last of doubled members, and names the same one in the audit log', async () => {
    const body = JSON.stringify(definition('second')).replace('{', '{"function_name":"first",');
    expect((await send(hearth.api, '/functions', { method: 'POST', headers: json, body })).json()).toMatchObject({ function_name: 'second' });
    expect((await send(hearth.api, '/audit?limit=1')).json().entries).toMatchObject([{ subject: 'second', status: 200 }]);
    await send(hearth.api, '/functions/second', { method: 'DELETE' });
  });

  it('makes no file whose name a user has chosen', async () => {
    const mark = `mark${Date.now()}`;
    const folder = await mkdtemp(join(tmpdir(), 'hearth-names-'));
    const everywhere = async () => [
      ...(await readdir(hearth.dataFolder, { recursive: true })),
      ...(await readdir(tmpdir())),
      ...(await readdir(process.cwd())),
      ...(await readdir('/')),
    ];
    try {
      // Good names are taken, and are no paths either.
      expect((await sendJson(hearth.api, 'POST', '/functions', definition(`${mark}.py`, { environment: { [mark]: 'x' } }))).status).toBe(200);
      expect((await hearth.call(`/${mark}.py`)).status).toBe(200);
      // Fails after it was begun, for want of an index.
      const built = await sendJson(hearth.api, 'POST', '/layers', { name: `${mark}.layer`, requirements: 'six==1.17.0\n' });
      expect(built.json().code).toBe('layer_build_failed');
      expect((await sendJson(hearth.api, 'PUT', `/secrets/${mark}`, { value: 'x' })).status).toBe(200);
      expect((await sendJson(hearth.api, 'POST', '/tokens', { name: `${mark}.token`, role: 'read' })).status).toBe(200);
      for (const climb of [
        `../${mark}`,
        `../../../../${folder}/${mark}`,
        `${folder}/${mark}`,
        `..\\${mark}`,
        `${mark}/..`,
        `${mark}\0.py`,
        `${mark}\n`,
        `.${mark}`,
        `${mark}%2f..`,
        '..',
        '.',
      ]) {
        expect((await sendJson(hearth.api, 'POST', '/functions', { ...definition('x'), function_name: climb })).status, climb).toBe(422);
        expect((await sendJson(hearth.api, 'POST', '/layers', { name: climb, requirements: '# nothing\n' })).status, climb).toBe(422);
        expect((await sendJson(hearth.api, 'POST', '/functions', definition('x', { layers: [climb] }))).status, climb).toBe(422);
        expect((await sendJson(hearth.api, 'POST', '/tokens', { name: climb, role: 'read' })).status, climb).toBe(422);
        const encoded = encodeURIComponent(climb);
        if (climb !== '..' && climb !== '.') {
          expect((await sendJson(hearth.api, 'PUT', `/secrets/${encoded}`, { value: 'x' })).status, climb).toBe(422);
          expect((await send(hearth.api, `/functions/${encoded}`)).status, climb).toBe(404);
          expect((await send(hearth.api, `/layers/${encoded}`, { method: 'DELETE' })).status, climb).toBe(404);
        }
      }
      expect((await everywhere()).filter((name) => name.includes(mark))).toEqual([]);
      expect(await readdir(folder)).toEqual([]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('keeps line breaks and escapes of clients out of its log', async () => {
    for (const name of ['x\nlevel=admin', 'x\r\n{"level":"admin"}', '\u001b[2J', '\u2028x']) {
      await send(hearth.api, `/functions/${encodeURIComponent(name)}`, { method: 'DELETE' });
      await sendJson(hearth.api, 'POST', '/functions', { ...definition('x'), event_type: `http|GET|/${name}` });
    }
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is the question
    expect(hearth.output).not.toMatch(/level=admin|\u001b|^\{"level":"admin"/m);
  });
});

describe('the control plane for others to reach', () => {
  async function refusal(settings: Record<string, string>): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'hearth-data-'));
    try {
      const { code, stdout, stderr } = await hearthCommand(['up'], {
        HEARTH_DATA_DIR: folder,
        HEARTH_GATEWAY_PORT: '0',
        HEARTH_API_PORT: '0',
        ...settings,
      });
      expect(code).toBe(1);
      expect(stdout).not.toContain('is up');
      return stderr;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  it.for([
    [{ HEARTH_API_HOST: '0.0.0.0' }, /HEARTH_API_ADMIN_TOKEN.*hearth tokens create --name me --role admin/],
    [{ HEARTH_API_HOST: '::' }, /HEARTH_API_ADMIN_TOKEN/],
    [{ HEARTH_API_AUTH: 'required' }, /HEARTH_API_ADMIN_TOKEN/],
    [{ HEARTH_API_ALLOWED_HOSTS: 'hearth.example' }, /HEARTH_API_ADMIN_TOKEN/],
    [{ HEARTH_API_HOST: '0.0.0.0', HEARTH_API_AUTH: 'off' }, /Leave HEARTH_API_AUTH away/],
    [{ HEARTH_API_HOST: '0.0.0.0', HEARTH_API_ADMIN_TOKEN: 'short' }, /32 characters or more.*openssl rand -hex 32/],
    [{ HEARTH_API_HOST: '0.0.0.0', HEARTH_API_ADMIN_TOKEN_FILE: '/nonexistent/token' }, /\/nonexistent\/token.*can't be read/],
    [{ HEARTH_API_AUTH: 'sometimes' }, /HEARTH_API_AUTH/],
  ] as const)('does not start with %j, and says what to do', async ([settings, advice]) => {
    const text = await refusal(settings);
    expect(text).toMatch(advice);
    expect(text).not.toContain('at file:');
  });

  it('starts with a token from a file, asks for it, and knows itself by addresses and the names that are listed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hearth-token-'));
    const token = 'f'.repeat(64);
    await writeFile(join(folder, 'token'), `${token}\n`);
    try {
      const settings = {
        HEARTH_API_HOST: '0.0.0.0',
        HEARTH_API_ADMIN_TOKEN_FILE: join(folder, 'token'),
        HEARTH_API_ALLOWED_HOSTS: 'Hearth.example,other.example:81',
      };
      await using hearth = await Hearth.start({ settings });
      expect((await send(hearth.api, '/functions')).status).toBe(401);
      expect((await send(hearth.api, '/functions', { token })).status).toBe(200);
      const statusAs = async (host: string, origin?: string) =>
        (
          await send(hearth.api, '/functions/nobody', {
            method: 'DELETE',
            token,
            headers: { Host: host, ...(origin === undefined ? {} : { Origin: origin }) },
          })
        ).status;
      expect(await statusAs('10.0.0.1:9000')).toBe(200);
      expect(await statusAs('hearth.example')).toBe(200);
      expect(await statusAs('hearth.example:8443')).toBe(200);
      expect(await statusAs('other.example:81')).toBe(200);
      expect(await statusAs('other.example')).toBe(421);
      expect(await statusAs('evil.example')).toBe(421);
      expect(await statusAs('hearth.example', 'https://hearth.example')).toBe(200);
      expect(await statusAs('10.0.0.1:9000', 'https://hearth.example')).toBe(200);
      expect(await statusAs('hearth.example', 'https://hearth.example:8443')).toBe(403);
      expect(await statusAs('hearth.example', 'http://localhost:3000')).toBe(403);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
