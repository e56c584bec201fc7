import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Hearth, json, type RecordOnTheWire } from '../../support/hearth.ts';

interface Many {
  invocations: { id: string; state: string }[];
}

describe('a batch of invocations', () => {
  let hearth: Hearth;

  beforeAll(async () => {
    hearth = await Hearth.start();
    await hearth.define('echo', 'def handler(m, c):\n    return {"body": m["body"], "kind": m["headers"].get("X-Kind")}\n');
    await hearth.define('never', 'def handler(m, c):\n    return 1\n', { async: 'never' });
    await hearth.define('idle', 'def handler(m, c):\n    return 1\n');
  });
  afterAll(async () => {
    await hearth?.[Symbol.asyncDispose]();
  });

  const post = (lines: unknown[] | string | Buffer, name = 'echo', type = 'application/x-ndjson') =>
    fetch(`${hearth.api}/functions/${name}/invocations`, {
      method: 'POST',
      headers: { 'Content-Type': type },
      body: Array.isArray(lines) ? lines.map((line) => JSON.stringify(line)).join('\n') : (lines as string),
    });
  const many = async (response: Response): Promise<string[]> => {
    const body = (await response.json()) as Many;
    expect(response.status, JSON.stringify(body)).toBe(202);
    return body.invocations.map(({ id }) => id);
  };
  const record = async (id: string) => (await hearth.get(`/invocations/${id}?wait=30s`)) as RecordOnTheWire & Record<string, unknown>;
  const count = async (name: string) =>
    ((await hearth.get(`/invocations?function=${name}&limit=1000`)) as { invocations: unknown[] }).invocations.length;

  it('is accepted as a whole, with ids in the order of its lines, and run', async () => {
    const ids = await many(await post([{ body: 'a' }, { body: { b: 1 }, headers: { 'X-Kind': 'second' } }, { body_base64: 'AAE=' }, {}]));
    expect(new Set(ids).size).toBe(4);
    const results = await Promise.all(ids.map(async (id) => (await record(id)).result as { body: string }));
    expect(results.map(({ body }) => JSON.parse(body) as unknown)).toEqual([
      { body: 'a', kind: null },
      { body: { b: 1 }, kind: 'second' },
      { body: '\u0000\u0001', kind: null },
      { body: null, kind: null },
    ]);
  });

  it('may have empty lines, a carriage return at their ends, and delays, priorities and keys on each', async () => {
    const line = JSON.stringify({ body: 1, delay_ms: 3600_000, priority: 9, idempotency_key: 'batch 1' });
    const [id, other, again] = (await many(await post(`${line}\r\n\n{"delay_ms": 3600000}\n${line}\n`))) as [string, string, string];
    expect(again).toBe(id);
    expect(other).not.toBe(id);
    expect(await hearth.get(`/invocations/${id}`)).toMatchObject({ state: 'queued', priority: 9 });
    expect(((await hearth.get(`/invocations/${id}`)) as { due_at: number }).due_at).toBeGreaterThan(Date.now() + 3000_000);
    expect(await many(await post(line))).toEqual([id]);
  });

  it.for([
    ['no JSON', '{"body": 1}\n{"body": 2}\n{body: 3}\n', 3],
    ['a member that there is not', '{"body": 1}\n\n{"bodi": 2}\n', 3],
    ['a delay that is none', '{"delay_ms": -1}', 1],
    ['two bodies', '{"body": 1}\n{"body": 1, "body_base64": "AA=="}', 2],
    ['a list', '[]', 1],
  ] as const)('with %s in one line is refused as a whole, and the line is named', async ([, text, line]) => {
    const response = await post(text, 'idle');
    const problem = await json(response);
    expect(response.status).toBe(400);
    expect(problem).toMatchObject({ code: 'malformed_request', line, detail: expect.stringContaining(`Line ${line}: `) });
    expect(await count('idle')).toBe(0);
  });

  it('with a key of another request is refused as a whole', async () => {
    await many(await post([{ body: 1, idempotency_key: 'used' }]));
    const before = await count('echo');
    const response = await post([{ body: 'new' }, { body: 2, idempotency_key: 'used' }]);
    expect(response.status).toBe(422);
    expect(await json(response)).toMatchObject({ code: 'idempotency_key_reused', detail: expect.stringContaining('Invocation 2 of 2') });
    expect(await count('echo')).toBe(before);
  });

  it('is refused when it is empty, too long, too large, no text, or nobody takes it', async () => {
    expect((await post('\n\n')).status).toBe(400);
    const long = await post('{}\n'.repeat(10_001), 'idle');
    expect(long.status).toBe(400);
    expect(await json(long)).toMatchObject({ line: 10_001 });
    expect((await post(JSON.stringify({ body: 'x'.repeat(8 * 1024 * 1024) }))).status).toBe(413);
    expect((await post(Buffer.from([0x7b, 0xff, 0x7d]))).status).toBe(400);
    expect((await post([{}], 'nothing')).status).toBe(404);
    expect((await post([{}], 'never')).status).toBe(409);
    expect(await count('idle')).toBe(0);
    // No other route takes the type.
    const elsewhere = await fetch(`${hearth.api}/functions`, { method: 'POST', headers: { 'Content-Type': 'application/x-ndjson' }, body: '{}' });
    expect(elsewhere.status).toBe(415);
    expect((await post([{}], 'echo', 'text/plain')).status).toBe(415);
  });

  it('of ten thousand is one commit, and outlives the platform', async () => {
    const ids = await many(await post(Array.from({ length: 10_000 }, (_, index) => ({ body: index, delay_ms: 3600_000 }))));
    expect(new Set(ids).size).toBe(10_000);
    const { dataFolder } = hearth;
    await hearth.stop('SIGKILL');
    await using next = await Hearth.start({ dataFolder });
    for (const id of [ids[0], ids[5000], ids[9999]]) expect(await next.get(`/invocations/${id}`)).toMatchObject({ state: 'queued' });
  }, 60_000);

  it('is in the description of the API', async () => {
    await using fresh = await Hearth.start();
    const { paths } = (await fresh.get('/openapi.json')) as { paths: Record<string, { post: { requestBody: { content: object } } }> };
    expect(Object.keys(paths['/functions/{function_name}/invocations']?.post.requestBody.content ?? {})).toEqual([
      'application/json',
      'application/x-ndjson',
    ]);
  }, 60_000);
});
