import { once } from 'node:events';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Hearth, until } from '../../support/hearth.ts';
import { hearthCommand } from '../../support/hearth-command.ts';
import { send, sendJson } from '../../support/send.ts';

const ADMIN = 'an-operators-own-token-of-enough-length';
const RANK = ['open', 'read', 'deploy', 'admin'];

interface Operation {
  'x-hearth-role'?: string;
  security?: object[];
  parameters?: { name: string; in: string }[];
  responses: Record<string, { content?: object }>;
}

describe('the control plane where tokens are needed', () => {
  let hearth: Hearth;
  const tokens: Record<string, string> = {};

  async function make(name: string, role: string, members: object = {}): Promise<{ id: string; token: string }> {
    const made = await sendJson(hearth.api, 'POST', '/tokens', { name, role, ...members }, { token: ADMIN });
    expect(made.status).toBe(200);
    return made.json();
  }

  beforeAll(async () => {
    hearth = await Hearth.start({ settings: { HEARTH_API_AUTH: 'required', HEARTH_API_ADMIN_TOKEN: ADMIN } });
    for (const role of ['read', 'deploy', 'admin']) tokens[role] = (await make(`the-${role}`, role)).token;
  });
  afterAll(() => hearth?.[Symbol.asyncDispose]());

  it('asks for the declared role on every route of its description, and lets that role and higher ones in', async () => {
    const { paths } = (await send(hearth.api, '/openapi.json')).json() as { paths: Record<string, Record<string, Operation>> };
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, operation]) =>
        (method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()]).map((name) => ({ path, method: name, operation })),
      ),
    );
    expect(operations.length).toBeGreaterThan(20);
    for (const { path, method, operation } of operations) {
      const role = operation['x-hearth-role'] ?? 'none declared';
      const name = `${method} ${path} (${role})`;
      expect(RANK, name).toContain(role);
      if (method !== 'GET' && method !== 'HEAD') expect(['deploy', 'admin'], name).toContain(role);
      expect(operation.security, name).toEqual(role === 'open' ? undefined : [{ bearer: [role] }]);
      // A stream would not end: it is asked for what it refuses, once it knows who asks.
      const endless = 'text/event-stream' in (operation.responses['200']?.content ?? {});
      const url = `${path.replace(/\{number\}/g, '1').replace(/\{\w+\}/g, 'nobody')}${endless ? '?after=nothing' : ''}`;
      for (const actor of ['nobody', 'read', 'deploy', 'admin']) {
        const sent = { method, ...(actor === 'nobody' ? {} : { token: tokens[actor] as string }) };
        const writes = method === 'POST' || method === 'PUT';
        const answer = writes ? await sendJson(hearth.api, method, url, {}, sent) : await send(hearth.api, url, sent);
        const allowed = RANK.indexOf(actor) >= RANK.indexOf(role) || role === 'open';
        if (allowed) expect([401, 403], `${name} for ${actor}`).not.toContain(answer.status);
        else expect(answer.status, `${name} for ${actor}`).toBe(actor === 'nobody' ? 401 : 403);
      }
    }
  });

  it('leaves to nobody and to readers what is none of theirs', async () => {
    const { paths } = (await send(hearth.api, '/openapi.json')).json() as { paths: Record<string, Record<string, Operation>> };
    const of = (role: string) =>
      Object.entries(paths)
        .flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => [`${method} ${path}`, operation['x-hearth-role']]))
        .filter(([, declared]) => declared === role)
        .map(([name]) => name)
        .sort();
    expect(of('open')).toEqual(['get /', 'get /health', 'get /openapi.json', 'get /ready']);
    expect(of('admin')).toEqual(['delete /tokens/{id}', 'get /audit', 'get /tokens', 'post /backup', 'post /secrets/rotate-key', 'post /tokens']);
  });

  it('wants a token for what is not there, and shows its documentation without one', async () => {
    for (const path of ['/nowhere', '/functions/../tokens', '//tokens', '/%2e%2e/audit']) {
      expect([401, 404], path).toContain((await send(hearth.api, path)).status);
    }
    expect((await send(hearth.api, '/nowhere')).status).toBe(401);
    expect((await send(hearth.api, '/docs')).status).toBe(200);
    const description = (await send(hearth.api, '/docs/json')).json();
    expect(description.components.securitySchemes).toMatchObject({ bearer: { type: 'http', scheme: 'bearer' } });
  });

  it.for([
    ['nothing', {}, 'Bearer realm="hearth"'],
    ['a token in the query', { query: true }, 'Bearer realm="hearth"'],
    ['another scheme', { Authorization: `Basic ${btoa(`admin:${ADMIN}`)}` }, 'invalid_token'],
    ['no token', { Authorization: 'Bearer' }, 'invalid_token'],
    ['a bare token', { Authorization: ADMIN }, 'invalid_token'],
    ['two tokens', { Authorization: `Bearer ${ADMIN}, Bearer ${ADMIN}` }, 'invalid_token'],
    ['a prefix of the right one', { Authorization: `Bearer ${ADMIN.slice(0, -1)}` }, 'invalid_token'],
    ['another case', { Authorization: `Bearer ${ADMIN.toUpperCase()}` }, 'invalid_token'],
  ] as const)('answers 401 with a challenge for %s', async ([, headers, challenge]) => {
    const query = 'query' in headers;
    const from = '127.0.2.4';
    const answer = await send(hearth.api, query ? `/functions?access_token=${ADMIN}` : '/functions', { headers: query ? {} : headers, from });
    expect([answer.status, answer.json().code]).toEqual([401, 'unauthenticated']);
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer realm="hearth"/);
    expect(answer.headers['www-authenticate']).toContain(challenge);
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(answer.text).not.toContain(ADMIN);
  });

  it('knows a token by every character of it', async () => {
    const text = tokens.read as string;
    const altered = [
      text.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
      text.slice(0, -1),
      `${text}0`,
      text.toUpperCase(),
      text.replace(/_[0-9a-f]{16}_/, '_0000000000000000_'),
    ];
    for (const token of altered) expect((await send(hearth.api, '/functions', { token, from: '127.0.2.1' })).status, token).toBe(401);
    expect((await send(hearth.api, '/functions', { token: text, from: '127.0.2.1' })).status).toBe(200);
  });

  it('refuses a token from its expiry on, and says so to its holder only', async () => {
    const { id, token } = await make('short', 'read', { expires_at: Date.now() + 1500 });
    const from = '127.0.2.2';
    expect((await send(hearth.api, '/functions', { token, from })).status).toBe(200);
    await until(
      async () =>
        Date.now() >
        (((await send(hearth.api, '/tokens', { token: ADMIN })).json().tokens as { id: string; expires_at: number }[]).find((one) => one.id === id)
          ?.expires_at ?? 0),
    );
    const refused = await send(hearth.api, '/functions', { token, from });
    expect([refused.status, refused.json().detail]).toEqual([401, expect.stringContaining('short expired at')]);
    const guessed = await send(hearth.api, '/functions', { token: `hearth_${id}_${'0'.repeat(64)}`, from });
    expect([guessed.status, guessed.json().detail]).toEqual([401, expect.not.stringContaining('expired at')]);
    const past = await sendJson(hearth.api, 'POST', '/tokens', { name: 'past', role: 'read', expires_at: 1 }, { token: ADMIN });
    expect([past.status, past.json().code]).toEqual([422, 'invalid_request']);
  });

  it('refuses a token from the request after its revocation on', async () => {
    const { id, token } = await make('gone', 'admin');
    expect((await send(hearth.api, '/tokens', { token, from: '127.0.2.3' })).status).toBe(200);
    expect((await send(hearth.api, `/tokens/${id}`, { method: 'DELETE', token: ADMIN })).json()).toEqual({ status: 'ok', deleted: true });
    expect((await send(hearth.api, '/tokens', { token, from: '127.0.2.3' })).status).toBe(401);
    expect((await send(hearth.api, `/tokens/${id}`, { method: 'DELETE', token: ADMIN })).json().code).toBe('not_found');
  });

  it('tells of tokens all but their texts and hashes, and notes their use', async () => {
    const { id, token } = await make('used', 'read');
    const find = async () =>
      ((await send(hearth.api, '/tokens', { token: ADMIN })).json().tokens as { id: string; last_used_at: number | null }[]).find(
        (one) => one.id === id,
      );
    expect(await find()).toEqual({ id, name: 'used', role: 'read', created_at: expect.any(Number), expires_at: null, last_used_at: null });
    await send(hearth.api, '/functions', { token });
    await until(async () => (await find())?.last_used_at);
    expect((await sendJson(hearth.api, 'POST', '/tokens', { name: 'used', role: 'admin' }, { token: ADMIN })).json().code).toBe('conflict');
    for (const name of ['local', 'admin_token']) {
      expect((await sendJson(hearth.api, 'POST', '/tokens', { name, role: 'read' }, { token: ADMIN })).json().code).toBe('conflict');
    }
  });

  it('stops guessers by address, and neither others nor the holders of tokens that it made', async () => {
    const guesser = { from: '127.0.3.1' };
    const guess = (n: number) => send(hearth.api, '/functions', { ...guesser, token: `hearth_${'0'.repeat(16)}_${String(n).padStart(64, '0')}` });
    // Ten are free, and one more each six seconds; all at once count as they come.
    const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => guess(n)));
    const refused = answers.filter(({ status }) => status === 401).length;
    expect(refused).toBeGreaterThanOrEqual(10);
    expect(refused).toBeLessThan(30);
    const limited = answers.filter(({ status }) => status === 429);
    expect(limited).toHaveLength(40 - refused);
    for (const answer of limited) {
      expect(answer.json().code).toBe('too_many_failures');
      expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    }
    // What is set by hand may be guessable: not even the right one tells itself from the others now.
    expect((await send(hearth.api, '/functions', { ...guesser, token: ADMIN })).status).toBe(429);
    expect((await send(hearth.api, '/functions', { ...guesser, token: tokens.read as string })).status).toBe(200);
    expect((await send(hearth.api, '/functions', { from: '127.0.3.2', token: ADMIN })).status).toBe(200);
  });

  it('refuses whoever may not before a byte of their body has come', async () => {
    const { hostname, port, host } = new URL(hearth.api);
    const socket = connect(Number(port), hostname);
    socket.write(`POST /functions HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 7000000\r\n\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 401 /);
  });

  it('writes down who changed what, with which outcome, and nothing of what was sent', async () => {
    const code = 'def handler(message, context):\n    return "the-code-of-the-house"\n';
    const definition = {
      event_type: 'http|GET|/audited',
      function_name: 'audited',
      function_code: code,
      environment: { KEY: 'an-environment-of-the-house' },
    };
    const token = tokens.deploy as string;
    const since = Date.now();
    expect((await sendJson(hearth.api, 'POST', '/functions', definition, { token })).status).toBe(200);
    expect((await sendJson(hearth.api, 'POST', '/functions/audited/rollback', { version: 9 }, { token })).status).toBe(404);
    expect((await sendJson(hearth.api, 'PUT', '/secrets/HOUSE', { value: 'a-secret-of-the-house' }, { token })).status).toBe(200);
    const trigger = { http_header: '', http_body: 'a-body-of-the-house', http_path: '/audited?key=a-query-of-the-house', http_verb: 'GET' };
    expect((await sendJson(hearth.api, 'POST', '/functions/trigger', trigger, { token })).status).toBe(200);
    expect((await send(hearth.api, '/functions/audited', { method: 'DELETE', token, from: '127.0.4.1' })).status).toBe(200);
    // None of these is a change.
    expect((await send(hearth.api, '/functions/audited', { method: 'DELETE', token: tokens.read as string })).status).toBe(403);
    expect((await sendJson(hearth.api, 'POST', '/functions', {}, { token })).status).toBe(422);
    expect((await send(hearth.api, '/functions', { token })).status).toBe(200);

    const answer = await send(hearth.api, `/audit?since=${since}`, { token: tokens.admin as string });
    const { entries, next_before } = answer.json();
    const who = { token_id: expect.stringMatching(/^[0-9a-f]{16}$/), name: 'the-deploy' };
    expect(entries).toMatchObject([
      { method: 'DELETE', route: '/functions/:function_name', subject: 'audited', status: 200, actor: who, address: '127.0.4.1' },
      { method: 'POST', route: '/functions/trigger', subject: 'GET /audited', status: 200, actor: who },
      { method: 'PUT', route: '/secrets/:name', subject: 'HOUSE', status: 200, actor: who },
      { method: 'POST', route: '/functions/:function_name/rollback', subject: 'audited', version: null, status: 404, actor: who },
      { method: 'POST', route: '/functions', subject: 'audited', version: 1, status: 200, actor: who, address: '127.0.0.1' },
    ]);
    expect(next_before).toBeNull();
    expect(answer.text).not.toContain('of-the-house');

    const pages: unknown[] = [];
    for (let before = ''; ; ) {
      const page = (await send(hearth.api, `/audit?since=${since}&limit=2${before}`, { token: ADMIN })).json();
      pages.push(...page.entries);
      if (page.next_before === null) break;
      before = `&before=${page.next_before}`;
    }
    expect(pages).toEqual(entries);
  });

  it('takes the token of the command from the environment or a file, and ends with 3 when it is not the right one', async () => {
    const run = (args: string[], token?: string) => hearthCommand([...args, '--api', hearth.api], token === undefined ? {} : { HEARTH_TOKEN: token });
    const none = await run(['layers', 'list']);
    expect([none.code, none.stderr]).toEqual([3, expect.stringMatching(/HEARTH_TOKEN or --token-file.*hearth tokens create/)]);
    const low = await run(['tokens', 'list'], tokens.read);
    expect([low.code, low.stderr]).toEqual([3, expect.stringContaining('hearth tokens create --role admin')]);

    const file = join(hearth.dataFolder, 'token');
    await writeFile(file, `${ADMIN}\n`);
    const made = await run(['tokens', 'create', '--name', 'by-command', '--role', 'read', '--expires', '30d', '--token-file', file], 'wrong');
    expect([made.code, made.stderr]).toEqual([0, expect.stringContaining('expires at')]);
    const token = made.stdout.trim();
    expect(token).toMatch(/^hearth_[0-9a-f]{16}_[0-9a-f]{64}$/);
    expect((await run(['layers', 'list'], token)).code).toBe(0);
    expect((await run(['tokens', 'list'], ADMIN)).stdout).toMatch(/by-command +read/);
    expect((await run(['tokens', 'revoke', 'by-command'], ADMIN)).stdout).toContain('is revoked');
    expect((await run(['layers', 'list'], token)).code).toBe(3);
    expect((await run(['tokens', 'create', '--name', 'x', '--role', 'root'], ADMIN)).code).toBe(2);
    expect((await run(['tokens', 'create', '--name', 'x', '--role', 'read', '--expires', 'soon'], ADMIN)).code).toBe(2);
    await rm(file);
  });

  it('has no token in its log, its answers or its files', async () => {
    const secrets = [ADMIN, ...Object.values(tokens).map((text) => text.slice(-64))];
    for (const secret of secrets) expect(hearth.output).not.toContain(secret);
    for (const entry of await readdir(hearth.dataFolder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const content = await readFile(join(entry.parentPath, entry.name), 'latin1');
      for (const secret of secrets) expect(content.includes(secret), entry.name).toBe(false);
    }
  });

  it('keeps tokens and the audit log when it is killed right after the answer', async () => {
    const { token } = await make('survivor', 'admin');
    await hearth.stop('SIGKILL');
    const { dataFolder } = hearth;
    await using again = await Hearth.start({ dataFolder, settings: { HEARTH_API_AUTH: 'required' } });
    const { entries } = (await send(again.api, '/audit?limit=1', { token })).json();
    expect(entries).toMatchObject([{ method: 'POST', route: '/tokens', subject: 'survivor', status: 200, actor: { token_id: 'admin_token' } }]);
    expect((await send(again.api, '/functions', { token: ADMIN })).status).toBe(401);
  });
});
