import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Hearth, json, until } from '../../support/hearth.ts';
import { Postgres } from '../../support/postgres.ts';

/** Two platforms as their operator starts them, on one real PostgreSQL and without a broker. */
describe('two nodes of one database', { timeout: 120_000 }, () => {
  let database: Postgres;
  let a: Hearth;
  let b: Hearth;

  beforeAll(async () => {
    database = await Postgres.start();
    [a, b] = (await Promise.all(
      ['a', 'b'].map((name) => Hearth.startNode(database.url, { settings: { HEARTH_NODE_NAME: name, HEARTH_LOG_LEVEL: 'warn' } })),
    )) as [Hearth, Hearth];
  });
  afterAll(async () => {
    await Promise.all([a?.[Symbol.asyncDispose](), b?.[Symbol.asyncDispose]()]);
    await database?.[Symbol.asyncDispose]();
  });

  const answering = (text: string) => `def handler(message, context):\n    return {"is": ${text}}\n`;
  const put = (node: Hearth, path: string, body: unknown) =>
    fetch(node.api + path, { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  /** Once that node answers so. */
  const answers = (node: Hearth, path: string, status: number, body?: unknown, init?: RequestInit) =>
    until(async () => {
      const response = await node.call(path, init);
      const text = await response.text();
      return response.status === status && (body === undefined || (JSON.parse(text) as { is: unknown }).is === body);
    });

  it('serve what either of them registers, replaces, splits and deletes', async () => {
    await a.define('shared', answering('1'));
    await answers(b, '/shared', 200, 1);
    await b.define('shared', answering('2'));
    await answers(a, '/shared', 200, 2);
    expect((await put(a, '/functions/shared/traffic', { weights: { 1: 100 } })).status).toBe(200);
    await answers(b, '/shared', 200, 1);
    expect((await fetch(`${b.api}/functions/shared/traffic`, { method: 'DELETE' })).status).toBe(200);
    await answers(a, '/shared', 200, 2);
    expect((await b.post('/functions/shared/rollback', { version: 1 })).status).toBe(200);
    await answers(a, '/shared', 200, 1);
    expect((await fetch(`${a.api}/functions/shared`, { method: 'DELETE' })).status).toBe(200);
    await answers(b, '/shared', 404);
  });

  it('let in by the keys that either of them makes', async () => {
    await a.define('locked', answering('"in"'), { access: { api_keys: true } });
    await answers(b, '/locked', 401);
    const { key } = (await json(await a.post('/functions/locked/keys', { name: 'web' }))) as { key: string };
    const withKey = { headers: { 'X-API-Key': key } };
    const keysOf = async (node: Hearth) => ((await node.get('/functions/locked/keys')) as { keys: unknown[] }).keys.length;
    // Wrong keys are counted: it is not tried by calls whether it is known yet.
    await until(async () => (await keysOf(b)) === 1);
    await answers(b, '/locked', 200, 'in', withKey);
    expect((await fetch(`${b.api}/functions/locked/keys/web`, { method: 'DELETE' })).status).toBe(200);
    await until(async () => (await keysOf(a)) === 0);
    await answers(a, '/locked', 401, undefined, withKey);
  });

  it('give functions the secrets that either of them is told', async () => {
    expect((await put(a, '/secrets/WORD', { value: 'one' })).status).toBe(200);
    await until(async () => JSON.stringify(await b.get('/secrets')).includes('WORD'));
    await b.define('teller', `import os\n${answering('os.environ["WORD"]')}`, { secrets: ['WORD'] });
    await answers(a, '/teller', 200, 'one');
    expect((await put(b, '/secrets/WORD', { value: 'two' })).status).toBe(200);
    await answers(a, '/teller', 200, 'two');
  });

  it('run bundles that either of them was given', async () => {
    const files = { 'app.py': `import words\n${answering('words.WORD')}`, 'words.py': 'WORD = "bundled"\n' };
    await a.register({ event_type: 'http|*|/bundled', function_name: 'bundled', files, entry: 'app.py' });
    await answers(b, '/bundled', 200, 'bundled');
  });

  it('know of each other, and of the asynchronous work of both', async () => {
    const names = async (node: Hearth) => ((await node.get('/nodes')) as { nodes: { name: string; state: string }[] }).nodes;
    for (const node of [a, b]) {
      await until(async () => (await names(node)).filter(({ state }) => state === 'up').length === 2);
      expect((await names(node)).map(({ name }) => name).sort()).toEqual(['a', 'b']);
    }
    await a.define('later', answering('"done"'));
    const accepted = await a.call('/later', { method: 'POST', headers: { Prefer: 'respond-async' } });
    expect(accepted.status).toBe(202);
    const id = accepted.headers.get('x-correlation-id');
    expect(await b.get(`/invocations/${id}?wait=60s`)).toMatchObject({ id, state: 'succeeded' });
  });

  it('go on with what they know while the database is away, say so of the rest, and go on as one when it is back', async () => {
    await a.define('known', answering('"known"'));
    await answers(b, '/known', 200, 'known');
    await database.kill();
    const definition = { event_type: 'http|*|/new', function_name: 'new', function_code: answering('"new"') };
    const refused = await a.post('/functions', definition);
    expect([refused.status, (await json(refused)).code]).toEqual([503, 'store_unavailable']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    for (const node of [a, b]) expect(await (await node.call('/known')).json()).toEqual({ is: 'known' });
    expect((await a.call('/known', { method: 'POST', headers: { Prefer: 'respond-async' } })).status).toBe(503);
    await database.restart();
    await until(async () => (await a.post('/functions', definition)).status === 200);
    await answers(b, '/new', 200, 'new');
  });
});
