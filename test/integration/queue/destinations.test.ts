import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Hearth, json, sleep, until } from '../../support/hearth.ts';

interface Delivery {
  kind: string;
  to: { function?: string; url?: string; secret?: string };
  state: string;
  attempts: number;
  error: string | null;
  due_at: number | null;
}

interface Wire {
  id: string;
  state: string;
  function_name: string;
  dead_reason: string | null;
  deliveries: Delivery[];
  callback: { state: string } | null;
  result: { body: string } | null;
}

interface Event {
  type: string;
  timestamp: string;
  data: {
    invocation: { id: string; function_name: string; condition: string; attempts: number };
    request: { body: unknown; verb: string };
    response: { status: number; body: unknown } | null;
    error: { code: string; message: string } | null;
  };
}

const KEY = Buffer.from('the key of the test, and of no one else');
const SECRET = `whsec_${KEY.toString('base64')}`;

/** As a receiver does it that knows nothing but the specification. */
function isSigned({ headers, body }: Received, key: Buffer): boolean {
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'];
  const signature = headers['webhook-signature'];
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signature !== 'string') return false;
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) return false;
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest();
  return signature.split(' ').some((one) => {
    const [version, text = ''] = one.split(',');
    const given = Buffer.from(text, 'base64');
    return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected);
  });
}

interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

describe('destinations', () => {
  let hearth: Hearth;
  let receiver: Server;
  let host = '';
  let received: Received[] = [];
  /** Statuses, taken from the front; 0: no answer at all. */
  let answers: number[] = [];

  beforeAll(async () => {
    receiver = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      request.on('end', () => {
        received.push({ path: request.url ?? '', headers: request.headers, body });
        const status = answers.shift() ?? 204;
        if (status === 0) return;
        response.writeHead(status, status === 302 ? { Location: `http://${host}/elsewhere` } : {}).end();
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    host = `127.0.0.1:${(receiver.address() as AddressInfo).port}`;
    hearth = await Hearth.start({ settings: { HEARTH_QUEUE_CALLBACK_HOSTS: host } });
    await fetch(`${hearth.api}/secrets/HOOK`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ value: SECRET }),
    });
    await hearth.define('told', 'def handler(m, c):\n    return m["body"]\n');
    await hearth.define('good', 'import os\ndef handler(m, c):\n    return {"ok": m["body"], "secret": os.environ.get("HOOK")}\n', {
      destinations: { on_success: { url: `http://${host}/good`, secret: 'HOOK' }, on_failure: { function: 'told' }, callback_secret: 'HOOK' },
    });
    await hearth.define('bad', 'def handler(m, c):\n    raise ValueError("no luck")\n', {
      retry: { attempts: 2, min_backoff_ms: 1 },
      destinations: { on_success: { url: `http://${host}/never` }, on_failure: { function: 'told' } },
    });
  });
  beforeEach(() => {
    received = [];
    answers = [];
  });
  afterAll(async () => {
    await hearth?.[Symbol.asyncDispose]();
    receiver?.closeAllConnections();
    receiver?.close();
  });

  const later = async (name: string, members: object = {}): Promise<string> => {
    const response = await hearth.post(`/functions/${name}/invocations`, { body: 'x', ...members });
    const body = await json(response);
    expect(response.status, JSON.stringify(body)).toBe(202);
    return body.id as string;
  };
  const record = async (id: string) => (await hearth.get(`/invocations/${id}?wait=30s`)) as Wire;
  const settled = (id: string) =>
    until(async () => {
      const found = await record(id);
      return found.deliveries.length > 0 && found.deliveries.every(({ state }) => state !== 'pending') ? found : undefined;
    });
  const of = async (name: string) =>
    ((await hearth.get(`/invocations?function=${name}&limit=1000`)) as { invocations: Wire[] }).invocations.filter(
      ({ function_name }) => function_name === name,
    );

  it('get the outcome, signed as Standard Webhooks has it', async () => {
    const id = await later('good', { body: { a: 'ü' } });
    const { deliveries, callback } = await settled(id);
    expect(deliveries).toEqual([
      { kind: 'on_success', to: { url: `http://${host}/good`, secret: 'HOOK' }, state: 'delivered', attempts: 1, error: null, due_at: null },
    ]);
    expect(callback).toBeNull();
    const [one] = received as [Received];
    expect(received).toHaveLength(1);
    expect(one.path).toBe('/good');
    expect(isSigned(one, KEY)).toBe(true);
    expect(isSigned({ ...one, body: `${one.body} ` }, KEY)).toBe(false);
    expect(isSigned(one, Buffer.from('another key'))).toBe(false);
    expect(one.headers['webhook-id']).not.toContain('.');
    expect(JSON.parse(one.body)).toMatchObject({
      type: 'invocation.succeeded',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      data: {
        invocation: { id, function_name: 'good', version: 1, condition: 'succeeded', attempts: 1 },
        request: { verb: 'POST', content_type: 'application/json', body: { a: 'ü' } },
        // The function isn't given what signs.
        response: { status: 200, body: { ok: { a: 'ü' }, secret: null } },
        error: null,
      },
    });
  });

  it('sign callbacks too, if they name a secret for it', async () => {
    const { deliveries } = await settled(await later('good', { callback_url: `http://${host}/callback` }));
    expect(deliveries.map(({ kind, state }) => `${kind} ${state}`)).toEqual(['callback delivered', 'on_success delivered']);
    const callback = received.find(({ path }) => path === '/callback') as Received;
    expect(isSigned(callback, KEY)).toBe(true);
    const { callback: unsigned } = await settled(await later('told', { callback_url: `http://${host}/unsigned` }));
    expect(unsigned).toMatchObject({ state: 'delivered' });
    expect(received.at(-1)?.headers).toMatchObject({ 'webhook-id': expect.any(String), 'webhook-timestamp': expect.any(String) });
    expect(received.at(-1)?.headers).not.toHaveProperty('webhook-signature');
  });

  it('are tried again until they take it, under the same id', async () => {
    answers = [500, 503];
    const { deliveries } = await settled(await later('good'));
    expect(deliveries).toMatchObject([{ state: 'delivered', attempts: 3, error: null }]);
    expect(received).toHaveLength(3);
    expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(received.every((one) => isSigned(one, KEY))).toBe(true);
    expect(new Set(received.map(({ body }) => body)).size).toBe(1);
  }, 60_000);

  it('are not tried again when they are gone for good, and never at another address than theirs', async () => {
    answers = [410];
    expect((await settled(await later('good'))).deliveries).toMatchObject([{ state: 'failed', attempts: 1, error: expect.stringContaining('410') }]);
    answers = [302];
    expect((await settled(await later('good'))).deliveries).toMatchObject([{ state: 'delivered', attempts: 2 }]);
    expect(received.map(({ path }) => path)).toEqual(['/good', '/good', '/good']);
  }, 60_000);

  it('are functions that get the outcome of what failed for good, once', async () => {
    const before = (await of('told')).length;
    const id = await later('bad', { body: 7 });
    const found = await settled(id);
    expect(found).toMatchObject({ state: 'failed', dead_reason: 'attempts_exhausted' });
    expect(found.deliveries).toMatchObject([{ kind: 'on_failure', to: { function: 'told' }, state: 'delivered', attempts: 1 }]);
    const [told, ...others] = await of('told');
    expect(others).toHaveLength(before);
    const event = JSON.parse((await record(told?.id as string)).result?.body as string) as Event;
    expect(event).toMatchObject({
      type: 'invocation.failed',
      data: {
        invocation: { id, function_name: 'bad', condition: 'attempts_exhausted', attempts: 2 },
        request: { body: 7 },
        response: null,
        error: { code: 'function_failed', message: expect.stringContaining('no luck') },
      },
    });
    expect(told).toMatchObject({ trigger: 'function', mode: 'async' });
    // Another outcome of the same invocation is told again.
    expect((await hearth.post(`/dead-letters/${id}/redrive`, {})).ok).toBe(true);
    await until(async () => ((await of('told')).length === before + 2 ? true : undefined));
  });

  it('are named to the function by the platform, and by no caller', async () => {
    await hearth.define('named', 'def handler(m, c):\n    return {"by": m["headers"].get("X-Hearth-Destination")}\n');
    await hearth.define('naming', 'def handler(m, c):\n    return 1\n', { destinations: { on_success: { function: 'named' } } });
    const forged = { 'X-Hearth-Destination': 'on_success; invocation=other' };
    expect(await (await hearth.call('/named', { headers: forged })).text()).toBe('{"by": null}');
    const id = await later('naming');
    const told = await until(async () =>
      (await of('named')).find((one) => (one as unknown as { trigger: string }).trigger === 'function' && one.state === 'succeeded'),
    );
    expect((await record(told.id)).result?.body).toContain(`on_success; invocation=${id}`);
    expect((await record(await later('named', { headers: forged }))).result?.body).toBe('{"by": null}');
  });

  it('are not told of what was cancelled, nor of what somebody waits for', async () => {
    const id = await later('good', { delay: '1h' });
    await fetch(`${hearth.api}/invocations/${id}`, { method: 'DELETE' });
    expect(await record(id)).toMatchObject({ state: 'cancelled', deliveries: [] });
    const waited = (await json(await hearth.post('/functions/good/invocations', { mode: 'sync', body: 1 }))) as unknown as Wire;
    expect(await record(waited.id)).toMatchObject({ state: 'succeeded', deliveries: [] });
    await hearth.call('/good', { method: 'POST', body: '1' });
    await sleep(200);
    expect(received).toEqual([]);
  });

  it('that go round in a circle end', async () => {
    await hearth.define('circle', 'def handler(m, c):\n    return 1\n', { destinations: { on_success: { function: 'circle' } } });
    await later('circle');
    const last = await until(async () => {
      const all = await Promise.all((await of('circle')).map(({ id }) => record(id)));
      return all.find(({ deliveries }) => deliveries[0]?.state === 'failed');
    });
    expect(last.deliveries[0]?.error).toContain('circle');
    expect(await of('circle')).toHaveLength(9);
  }, 60_000);

  it.for([
    'http://127.0.0.1:1/',
    'http://localhost/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[2002:7f00:1::]/',
    'http://169.254.169.254/latest/meta-data/',
    'http://10.0.0.1/',
    'http://[fd00::1]/',
  ])('%s is inside, and nothing is sent there', async (url) => {
    const refused = await hearth.post('/functions/told/invocations', { body: 1, callback_url: url });
    expect(refused.status).toBe(422);
    await hearth.define('inward', 'def handler(m, c):\n    return 1\n', { destinations: { on_success: { url } } });
    const { deliveries } = await settled(await later('inward'));
    expect(deliveries).toMatchObject([{ state: 'failed', attempts: 1, error: expect.stringMatching(/inside the platform/) }]);
  });

  it('whose name leads inside are not connected to', async () => {
    // Their own host's name resolves to a loopback address, or to none at all.
    const url = `http://localhost.:${host.split(':')[1]}/by-name`;
    await hearth.define('by-name', 'def handler(m, c):\n    return 1\n', { destinations: { on_success: { url } } });
    const id = await later('by-name');
    await until(async () => ((await record(id)).deliveries[0]?.error ? true : undefined));
    expect(received).toEqual([]);
  });

  it('must be known, and of one kind', async () => {
    const refusal = async (destinations: object) => {
      const response = await hearth.post('/functions', {
        event_type: 'http|GET|/d',
        function_name: 'd',
        function_code: 'def handler(m, c): pass',
        destinations,
      });
      expect(response.status).toBe(422);
      return (await json(response)).detail;
    };
    expect(await refusal({ on_success: { exchange: 'orders', routing_key: 'x' } })).toContain('HEARTH_AMQP_URL');
    expect(await refusal({ on_success: {} })).toContain('one of the members');
    expect(await refusal({ on_success: { function: 'told', url: 'http://a.example/' } })).toContain('one of the members');
    expect(await refusal({ on_success: { function: 'told', secret: 'HOOK' } })).toContain('on_success.secret');
    expect(await refusal({ on_failure: { url: 'ftp://a.example/' } })).toContain('http or https');
    expect(await refusal({ on_failure: { url: 'http://u:p@a.example/' } })).toContain('user or password');
    expect(await refusal({ on_failure: { url: 'http://a.example/', secret: 'NOBODYS' } })).toContain('NOBODYS');
    expect((await fetch(`${hearth.api}/secrets/HOOK`, { method: 'DELETE' })).status).toBe(409);
    const { warnings } = await hearth.register({
      event_type: 'http|GET|/w',
      function_name: 'w',
      function_code: 'def handler(m, c): pass',
      destinations: { on_success: { function: 'nobody' }, on_failure: { function: 'w' } },
      invokes: ['none', 'told'],
    });
    expect(warnings).toEqual([expect.stringContaining('"nobody"'), expect.stringContaining('"none"')]);
    expect(await hearth.get('/functions/bad')).toMatchObject({
      destinations: { on_success: { url: `http://${host}/never` }, on_failure: { function: 'told' }, callback_secret: null },
      invokes: [],
    });
  });

  it('are told after kill -9 between the outcome and the telling', async () => {
    answers = [0];
    const id = await later('good');
    await until(() => Promise.resolve(received.length === 1 ? true : undefined));
    expect(await record(id)).toMatchObject({ state: 'succeeded', deliveries: [{ state: 'pending', attempts: 0 }] });
    const { dataFolder } = hearth;
    await hearth.stop('SIGKILL');
    const next = await Hearth.start({ dataFolder, settings: { HEARTH_QUEUE_CALLBACK_HOSTS: host } });
    try {
      const found = await until(async () => {
        const one = (await next.get(`/invocations/${id}`)) as Wire;
        return one.deliveries[0]?.state === 'delivered' ? one : undefined;
      });
      expect(found.state).toBe('succeeded');
      expect(received).toHaveLength(2);
      expect(received[1]?.headers['webhook-id']).toBe(received[0]?.headers['webhook-id']);
      expect(isSigned(received[1] as Received, KEY)).toBe(true);
    } finally {
      await next[Symbol.asyncDispose]();
    }
  }, 60_000);
});
