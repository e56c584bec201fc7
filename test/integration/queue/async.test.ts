import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Hearth, json, sleep, until } from '../../support/hearth.ts';

interface Wire {
  id: string;
  state: string;
  mode: string;
  attempt: number;
  attempts: { number: number; outcome: string; status: number | null; logs: string | null; error_code: string | null }[];
  result: { status: number; headers: string[][]; body: string | null; body_base64: string | null } | null;
  dead_reason: string | null;
  replay_of: string | null;
  version: number;
  logs: string | null;
  callback: { url: string; state: string; attempts: number } | null;
}

describe('asynchronous invocations', () => {
  let hearth: Hearth;
  let sink: Server;
  let sinkHost = '';
  /** What callback URLs were sent; answers are taken from the front. */
  const delivered: Wire[] = [];
  const answers: number[] = [];

  beforeAll(async () => {
    sink = createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      request.on('end', () => {
        delivered.push(JSON.parse(text) as Wire);
        response.writeHead(answers.shift() ?? 204).end();
      });
    });
    await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
    sinkHost = `127.0.0.1:${(sink.address() as AddressInfo).port}`;
    hearth = await Hearth.start({ settings: { HEARTH_QUEUE_CALLBACK_HOSTS: sinkHost } });
    await hearth.define(
      'echo',
      'def handler(m, c):\n    print("seen", m["body"])\n    return {"statusCode": 201, "headers": {"X-Told": "yes"}, "body": {"got": m["body"]}}\n',
    );
    await hearth.define('count', 'n = 0\ndef handler(m, c):\n    global n\n    n += 1\n    return n\n');
    await hearth.define('broken', 'def handler(m, c):\n    raise ValueError("no")\n', { retry: { attempts: 2, min_backoff_ms: 5 } });
    await hearth.define('teapot', 'def handler(m, c):\n    return {"statusCode": 418, "body": "short and stout"}\n');
    await hearth.define('always', 'def handler(m, c):\n    return "later"\n', { async: 'always' });
    await hearth.define('never', 'def handler(m, c):\n    return "now"\n', { async: 'never' });
    await hearth.define('sleepy', 'import time\ndef handler(m, c):\n    time.sleep(float(m["body"]))\n    return "slept"\n');
    await hearth.define(
      'pika',
      'import os, json\nprint(os.environ["HTTP_VERB"], json.loads(os.environ["HTTP_BODY"]))\n', // answers nothing: 204
    );
  });
  afterAll(async () => {
    await hearth?.[Symbol.asyncDispose]();
    sink?.close();
  });

  const later = (path: string, init: RequestInit = {}) =>
    hearth.call(path, { method: 'POST', body: '"hello"', ...init, headers: { Prefer: 'respond-async', ...init.headers } });
  const record = async (id: string, query = '?wait=30s') => (await hearth.get(`/invocations/${id}${query}`)) as Wire;
  const accepted = async (response: Response): Promise<string> => {
    expect(response.status).toBe(202);
    return (await json(response)).id as string;
  };

  it('are answered by 202 with the place of their record, which has the result and what was printed', async () => {
    const response = await later('/echo?x=1');
    expect(response.status).toBe(202);
    const { id, status_url: url, state } = await json(response);
    expect(state).toBe('queued');
    expect(url).toBe(`${hearth.api}/invocations/${id}`);
    expect(response.headers.get('location')).toBe(url);
    expect(response.headers.get('preference-applied')).toBe('respond-async');
    expect(response.headers.get('x-correlation-id')).toBe(id);
    const found = (await (await fetch(`${url}?wait=30s`)).json()) as Wire;
    expect(found).toMatchObject({ id, state: 'succeeded', mode: 'async', attempt: 1, dead_reason: null });
    expect(found.attempts).toMatchObject([{ number: 1, outcome: 'succeeded', status: 201 }]);
    expect(found.logs).toContain('seen hello');
    expect(found.result).toMatchObject({ status: 201, body: '{"got": "hello"}' });
    expect(found.result?.headers).toContainEqual(['X-Told', 'yes']);
    const { invocations } = (await hearth.get('/invocations?function=echo&state=succeeded')) as { invocations: Wire[] };
    expect(invocations.map((one) => one.id)).toContain(id);
  });

  it('run scripts too', async () => {
    const found = await record(await accepted(await later('/pika')));
    expect(found).toMatchObject({ state: 'succeeded', result: { status: 204 } });
    expect(found.logs).toContain("POST {'body': 'hello'}");
  });

  it('of a function that is always so need no header; of one that never is, the wish is not heard', async () => {
    const response = await hearth.call('/always', { method: 'POST' });
    expect(response.headers.get('preference-applied')).toBeNull();
    expect(await record(await accepted(response))).toMatchObject({ state: 'succeeded', result: { body: 'later' } });
    const now = await later('/never');
    expect(now.status).toBe(200);
    expect(await now.text()).toBe('now');
    expect((await hearth.post('/functions/never/invocations', { mode: 'async' })).status).toBe(409);
  });

  it('of a function that there is not are refused when they come', async () => {
    expect((await later('/nothing')).status).toBe(404);
    expect((await hearth.post('/functions/nothing/invocations', {})).status).toBe(404);
    expect((await hearth.post('/functions/echo/invocations', { version: 99 })).status).toBe(404);
  });

  it('answer at once what is done within the preferred wait', async () => {
    const response = await later('/echo', { headers: { Prefer: 'respond-async, wait=20' } });
    expect(response.status).toBe(201);
    expect(await response.text()).toBe('{"got": "hello"}');
    await accepted(await later('/sleepy', { body: '"2"', headers: { Prefer: 'respond-async, wait=1' } }));
  });

  it('may be asked for at the control plane, with JSON or bytes, and waited for', async () => {
    const response = await hearth.post('/functions/echo/invocations', { body: { a: 1 }, headers: { 'X-Mine': 'b' }, path: '/echo?q=2' });
    const id = await accepted(response);
    expect(response.headers.get('location')).toBe(`/invocations/${id}`);
    expect((await record(id)).result?.body).toBe('{"got": {"a": 1}}');
    const waited = await hearth.post('/functions/echo/invocations', { mode: 'sync', body_base64: Buffer.from('bytes').toString('base64') });
    expect(waited.status).toBe(200);
    expect(await json(waited)).toMatchObject({ state: 'succeeded', mode: 'sync', result: { body: '{"got": "bytes"}' } });
  });

  it('that fail are tried again, then dead letters: listed, looked at with their input, redriven, deleted', async () => {
    const id = await accepted(await later('/broken', { body: '{"n":1}' }));
    expect(await record(id)).toMatchObject({
      state: 'failed',
      dead_reason: 'attempts_exhausted',
      attempts: [
        { number: 1, outcome: 'failed', error_code: 'function_failed' },
        { number: 2, outcome: 'failed', status: 502 },
      ],
    });
    const listed = (await hearth.get('/dead-letters?function=broken')) as { dead_letters: Wire[] };
    expect(listed.dead_letters.map((one) => one.id)).toEqual([id]);
    expect(await hearth.get(`/dead-letters/${id}`)).toMatchObject({ id, input: { verb: 'POST', path: '/broken', body: '{"n":1}' } });

    expect(await json(await hearth.post(`/dead-letters/${id}/redrive`, undefined))).toEqual({ status: 'ok', id });
    await until(async () => (await record(id)).attempt === 4 && (await record(id)).state === 'failed');
    expect(await json(await hearth.post('/dead-letters/redrive?function=broken', undefined))).toEqual({ status: 'ok', redriven: 1 });
    await until(async () => (await record(id)).attempt === 6 && (await record(id)).state === 'failed');
    expect((await fetch(`${hearth.api}/dead-letters/${id}`, { method: 'DELETE' })).status).toBe(200);
    expect((await fetch(`${hearth.api}/invocations/${id}`)).status).toBe(404);
    expect((await hearth.post(`/dead-letters/${id}/redrive`, undefined)).status).toBe(404);
  });

  it('whose function answers 4xx have succeeded in being delivered', async () => {
    expect(await record(await accepted(await later('/teapot')))).toMatchObject({ state: 'succeeded', attempt: 1, result: { status: 418 } });
  });

  it('stay with their version, and die with their function', async () => {
    await hearth.define('pinned', 'def handler(m, c):\n    return "first"\n');
    const delayed = await accepted(await later('/pinned', { headers: { 'X-Hearth-Delay': '600ms' } }));
    await hearth.define('pinned', 'def handler(m, c):\n    return "second"\n');
    expect(await record(await accepted(await later('/pinned')))).toMatchObject({ version: 2, result: { body: 'second' } });
    expect(await record(delayed)).toMatchObject({ version: 1, result: { body: 'first' } });
    const orphan = await accepted(await later('/pinned', { headers: { 'X-Hearth-Delay': '300ms' } }));
    await fetch(`${hearth.api}/functions/pinned`, { method: 'DELETE' });
    expect(await record(orphan)).toMatchObject({ state: 'failed', dead_reason: 'version_gone', attempts: [] });
  });

  it('can be cancelled while they wait and while they run', async () => {
    const waiting = await accepted(await later('/echo', { headers: { 'X-Hearth-Delay': '1h' } }));
    const running = await accepted(await later('/sleepy', { body: '"60"' }));
    await until(async () => (await record(running, '')).state === 'running');
    for (const id of [waiting, running]) {
      const response = await fetch(`${hearth.api}/invocations/${id}`, { method: 'DELETE' });
      expect(await json(response)).toMatchObject({ id, state: 'cancelled' });
      expect((await fetch(`${hearth.api}/invocations/${id}`, { method: 'DELETE' })).status).toBe(409);
    }
    expect((await fetch(`${hearth.api}/invocations/none`, { method: 'DELETE' })).status).toBe(404);
  });

  it('have records like those that somebody waits for, which can be seen and cancelled while they run as well', async () => {
    await hearth.define('stream', 'import time\ndef handler(m, c):\n    for n in range(600):\n        yield str(n)\n        time.sleep(0.1)\n');
    const response = await hearth.call('/stream', { method: 'POST' });
    const id = response.headers.get('x-correlation-id') as string;
    expect(await record(id, '')).toMatchObject({ mode: 'sync', state: 'running', attempts: [{ number: 1 }], result: null });
    const body = response.text().then(
      () => 'whole',
      () => 'broken off',
    );
    expect(await json(await fetch(`${hearth.api}/invocations/${id}`, { method: 'DELETE' }))).toMatchObject({ id, state: 'cancelled' });
    expect(await body).toBe('broken off');
    await until(async () => (await record(id, '')).attempts[0]?.outcome === 'cancelled');
    const waited = await hearth.call('/echo', { method: 'POST', body: '"x"' });
    const over = waited.headers.get('x-correlation-id') as string;
    expect(await record(over, '')).toMatchObject({ mode: 'sync', state: 'succeeded', attempt: 1, result: null });
    expect((await fetch(`${hearth.api}/invocations/${over}`, { method: 'DELETE' })).status).toBe(409);
  });

  it('let those who wait go first', async () => {
    await hearth.define('one-by-one', 'import time\ndef handler(m, c):\n    time.sleep(0.1)\n    return m["body"]\n', {
      max_instances: 1,
      concurrency: 1,
    });
    const ids = await Promise.all(Array.from({ length: 40 }, async () => accepted(await later('/one-by-one'))));
    for (let call = 0; call < 3; call++) expect((await hearth.call('/one-by-one', { method: 'POST', body: '"me"' })).status).toBe(200);
    const states = await Promise.all(ids.map(async (id) => (await record(id, '')).state));
    // In one line with all of them the callers would have come last.
    expect(states).toContain('queued');
    for (const id of ids) expect(await record(id)).toMatchObject({ state: 'succeeded', attempt: 1 });
  });

  it('have all of their time, however long they stood in the line', async () => {
    await hearth.define('tight', 'import time\ndef handler(m, c):\n    time.sleep(0.7)\n    return 1\n', {
      max_instances: 1,
      concurrency: 1,
      timeout_ms: 1100,
      retry: { attempts: 1 },
    });
    const ids = await Promise.all(Array.from({ length: 4 }, async () => accepted(await later('/tight'))));
    for (const id of ids) expect(await record(id)).toMatchObject({ state: 'succeeded', attempt: 1 });
  });

  it('come in the order of their priority', async () => {
    await hearth.define('order', 'import time\ndef handler(m, c):\n    time.sleep(float(m["body"]))\n    return time.time()\n', {
      max_instances: 1,
      concurrency: 1,
    });
    const first = await accepted(await later('/order', { body: '"4"' }));
    await until(async () => (await record(first, '')).state === 'running');
    const ids: [number, string][] = [];
    for (let index = 0; index < 16; index++) {
      const priority = index % 2 === 0 ? 1 : 8;
      ids.push([priority, await accepted(await later('/order', { body: '"0.01"', headers: { 'X-Hearth-Priority': String(priority) } }))]);
    }
    // All of them were there to choose from.
    expect((await record(first, '')).state).toBe('running');
    const times = await Promise.all(ids.map(async ([priority, id]) => [priority, Number((await record(id)).result?.body)] as const));
    const order = times.toSorted((a, b) => a[1] - b[1]).map(([priority]) => priority);
    // But for the few that were taken ahead as they came.
    expect(order.slice(-5)).toEqual([1, 1, 1, 1, 1]);
  });

  it('run again with the same input when replayed', async () => {
    const id = await accepted(await later('/echo', { body: '"again"' }));
    await record(id);
    const replayed = await accepted(await hearth.post(`/invocations/${id}/replay`, undefined));
    expect(replayed).not.toBe(id);
    expect(await record(replayed)).toMatchObject({ replay_of: id, result: { body: '{"got": "again"}' } });
    const sync = await hearth.call('/echo', { method: 'POST', body: '"x"' });
    expect((await hearth.post(`/invocations/${sync.headers.get('x-correlation-id')}/replay`, undefined)).status).toBe(409);
    expect((await hearth.post('/invocations/none/replay', undefined)).status).toBe(404);
  });

  it('tell of their changes by server-sent events', async () => {
    const id = await accepted(await later('/sleepy', { body: '"0.5"' }));
    const response = await fetch(`${hearth.api}/invocations/${id}`, { headers: { Accept: 'text/event-stream' } });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const text = await response.text();
    const states = [...text.matchAll(/^event: state\ndata: (.*)\n$/gm)].map(([, data]) => (JSON.parse(data as string) as Wire).state);
    expect(states.at(-1)).toBe('succeeded');
    expect(new Set(states).size).toBeGreaterThan(1);
    expect((await fetch(`${hearth.api}/invocations/none`, { headers: { Accept: 'text/event-stream' } })).status).toBe(404);
  });

  it('give up waiting when told to, with what there is', async () => {
    const id = await accepted(await later('/echo', { headers: { 'X-Hearth-Delay': '1h' } }));
    expect((await record(id, '?wait=200ms')).state).toBe('queued');
    expect((await fetch(`${hearth.api}/invocations/${id}?wait=soon`)).status).toBe(422);
    for (const headers of [{ 'X-Hearth-Delay': 'soon' }, { 'X-Hearth-Delay': '31d' }, { 'X-Hearth-Priority': '10' }] as Record<string, string>[]) {
      expect((await later('/echo', { headers })).status).toBe(400);
    }
  });

  describe('with an idempotency key', () => {
    const keyed = (key: string, body = '"a"', headers: Record<string, string> = {}) =>
      hearth.call('/count', { method: 'POST', body, headers: { 'Idempotency-Key': `"${key}"`, ...headers } });

    it('synchronous requests run once and are answered the same', async () => {
      const first = await keyed('one');
      const value = await first.text();
      const second = await keyed('one');
      expect([second.status, await second.text()]).toEqual([200, value]);
      expect(second.headers.get('idempotency-replayed')).toBe('true');
      expect(second.headers.get('x-correlation-id')).toBe(first.headers.get('x-correlation-id'));
      expect((await keyed('one', '"b"')).status).toBe(422);
      expect((await keyed('one', '"a"', { Authorization: 'Bearer somebody-else' })).status).toBe(422);
      expect(Number(await (await keyed('two')).text())).toBe(Number(value) + 1);
      expect((await hearth.call('/count', { method: 'POST', headers: { 'Idempotency-Key': 'with space' } })).status).toBe(400);
    });

    it('a second one is refused while the first runs', async () => {
      const call = () => hearth.call('/sleepy', { method: 'POST', body: '"1"', headers: { 'Idempotency-Key': 'busy' } });
      const first = call();
      await sleep(300);
      const second = await call();
      expect(second.status).toBe(409);
      expect((await json(second)).code).toBe('idempotency_key_in_use');
      expect((await first).status).toBe(200);
      expect((await call()).headers.get('idempotency-replayed')).toBe('true');
    });

    it('asynchronous ones get the same 202 for the same key', async () => {
      const [a, b] = await Promise.all([
        later('/echo', { headers: { 'Idempotency-Key': 'k' } }),
        later('/echo', { headers: { 'Idempotency-Key': 'k' } }),
      ]);
      expect(await accepted(a)).toBe(await accepted(b));
      expect((await later('/echo', { body: '"other"', headers: { 'Idempotency-Key': 'k' } })).status).toBe(422);
    });

    it('a failure is the answer too, without a retry', async () => {
      const call = () => hearth.call('/broken', { method: 'POST', headers: { 'Idempotency-Key': 'f' } });
      const first = await call();
      expect(first.status).toBe(502);
      const second = await call();
      expect([second.status, (await json(second)).correlation_id]).toEqual([502, (await json(first)).correlation_id]);
      expect(await record(first.headers.get('x-correlation-id') as string)).toMatchObject({ mode: 'sync', attempt: 1, dead_reason: null });
    });
  });

  describe('with a callback URL', () => {
    it('are told to it, again until it takes the result', async () => {
      delivered.length = 0;
      answers.push(503);
      const url = `http://${sinkHost}/done`;
      const id = await accepted(await later('/echo', { headers: { 'X-Callback-Url': url } }));
      const state = await until(async () => {
        const { callback } = await record(id);
        return callback?.state === 'delivered' && callback;
      });
      expect(state).toEqual({ url, state: 'delivered', attempts: 2 });
      expect(delivered.map((one) => [one.id, one.state, one.result?.body])).toEqual([
        [id, 'succeeded', '{"got": "hello"}'],
        [id, 'succeeded', '{"got": "hello"}'],
      ]);
    });

    it.for([
      'http://127.0.0.1:1/',
      'http://localhost/',
      'http://[::1]/',
      'http://169.254.169.254/latest',
      'http://[::ffff:10.0.0.1]/',
      'file:///etc/passwd',
      'http://a:b@example.com/',
    ])('refuses %s', async (url) => {
      const response = await later('/echo', { headers: { 'X-Callback-Url': url } });
      expect(response.status).toBe(422);
      expect((await json(response)).detail).toMatch(/callback URL/);
    });
  });

  it('outlive the platform, and are ended by the next one', async () => {
    const settings = { HEARTH_QUEUE_CALLBACK_HOSTS: sinkHost };
    await using first = await Hearth.start({ settings });
    await first.define('sleepy', 'import time\ndef handler(m, c):\n    time.sleep(float(m["body"]))\n    return "slept"\n');
    const ids = await Promise.all(
      ['"1"', '"0.01"', '"30"', '"0.01"'].map(async (body) =>
        accepted(await first.call('/sleepy', { method: 'POST', body, headers: { Prefer: 'respond-async' } })),
      ),
    );
    const cancelled = ids[2] as string;
    await until(async () => ((await first.get(`/invocations/${cancelled}`)) as Wire).state === 'running');
    await first.stop('SIGKILL');
    await using second = await Hearth.start({ dataFolder: first.dataFolder, settings });
    await fetch(`${second.api}/invocations/${cancelled}`, { method: 'DELETE' });
    const states = await Promise.all(ids.map(async (id) => ((await second.get(`/invocations/${id}?wait=30s`)) as Wire).state));
    expect(states).toEqual(['succeeded', 'succeeded', 'cancelled', 'succeeded']);
  });
});
