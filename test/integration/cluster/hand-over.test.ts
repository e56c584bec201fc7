import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { STREAM_WINDOW_BYTES } from '../../../src/cluster/hand-over/frame.ts';
import { HearthError } from '../../../src/errors.ts';
import type { Invocation } from '../../../src/scheduler/invocation.ts';
import { Hearth, json, until } from '../../support/hearth.ts';
import { Postgres } from '../../support/postgres.ts';
import { RabbitMq } from '../../support/rabbitmq.ts';
import { TestNode } from './hand-over-nodes.ts';

let broker: RabbitMq;

beforeAll(async () => {
  broker = await RabbitMq.start();
});

afterAll(() => broker?.[Symbol.asyncDispose]());

describe('calls that are handed over by a broker', () => {
  let a: TestNode;
  let b: TestNode;
  let calls = 0;

  beforeAll(async () => {
    a = await TestNode.start('a', broker.url);
    b = await TestNode.start('b', broker.url);
  });

  afterAll(async () => {
    await a?.[Symbol.asyncDispose]();
    await b?.[Symbol.asyncDispose]();
  });

  /** B is warm and A is cold, and A knows. */
  beforeEach(async () => {
    for (const { runs, records } of [a, b]) {
      for (const invocation of runs.begun.splice(0)) if (!invocation.over) runs.end(invocation);
      runs.cancelled.length = 0;
      records.length = 0;
    }
    a.runs.free = 0;
    b.runs.free = 100;
    await until(() => handsOver());
  });

  const newId = () => `call-${++calls}`;

  /** Whether a call at A is run by B; the answer is waited for. */
  async function handsOver(): Promise<boolean> {
    const id = newId();
    const { answer, invocation } = a.call(id);
    const run = await until(() => [...a.runs.begun, ...b.runs.begun].find(({ input }) => input.id === id));
    run.sink.reply(run, 200, [], Buffer.alloc(0));
    a.runs.end(run);
    await until(() => answer.ended);
    a.runs.begun.length = 0;
    b.runs.begun.length = 0;
    a.records.length = 0;
    b.records.length = 0;
    return answer.node !== null && invocation.node === 'node b';
  }

  const begunAt = (node: TestNode, id: string): Promise<Invocation> => until(() => node.runs.begun.find(({ input }) => input.id === id));

  test('run where an instance is free, once, and are answered as they would be here', async () => {
    const body = randomBytes(300_000);
    const { answer, invocation } = a.call(newId(), body);
    const run = await begunAt(b, invocation.input.id);
    expect(run.input).toMatchObject({ body, path: '/hello', headers: ['X-Correlation-Id', run.input.id], trigger: 'gateway' });
    expect(run.timeoutMs).toBeLessThanOrEqual(60_000);
    run.sink.reply(run, 201, ['X-Twice', '1', 'X-Twice', '2'], Buffer.from(body));
    run.status = 201;
    b.runs.end(run);
    await until(() => answer.ended);
    expect(answer).toMatchObject({ status: 201, headers: ['X-Twice', '1', 'X-Twice', '2'], node: 'node b', instanceId: run.instanceId, error: null });
    expect(answer.body.equals(body)).toBe(true);
    expect(a.runs.begun).toEqual([]);
    expect(b.records.map(({ id, status }) => ({ id, status }))).toEqual([{ id: invocation.input.id, status: 201 }]);
    expect(a.records).toEqual([]);
  });

  test('stay here when an instance here is free, when they were handed over once, and when their body is large', async () => {
    a.runs.free = 1;
    const here = a.call(newId());
    a.runs.free = 0;
    const large = a.call(newId(), Buffer.alloc(1024 * 1024 + 1));
    expect(a.runs.begun).toEqual([here.invocation, large.invocation]);
    // B is cold when it comes there, and A warm: it is refused, not handed on.
    const { invocation } = a.call(newId());
    b.runs.free = 0;
    b.runs.room = 0;
    await begunAt(a, invocation.input.id);
    b.runs.room = 10;
    expect(b.runs.begun).toEqual([]);
  });

  test('are answered in pieces when the answer is large, and fail as they fail there', async () => {
    const body = randomBytes(5 * 1024 * 1024 + 7);
    const { answer, invocation } = a.call(newId());
    const run = await begunAt(b, invocation.input.id);
    run.sink.reply(run, 200, [], body);
    await until(() => answer.ended);
    expect(answer.body.equals(body)).toBe(true);

    const failing = a.call(newId());
    const failed = await begunAt(b, failing.invocation.input.id);
    failed.sink.fail(failed, new HearthError('function_failed', 'It said no.', { extra: { type: 'ValueError' } }));
    await until(() => failing.answer.ended);
    expect(failing.answer.error).toMatchObject({ code: 'function_failed', message: 'It said no.', extra: { type: 'ValueError' } });
    expect(failing.answer.error?.fault).toBe('function');
  });

  test('stream their answers as they come, no further ahead of the reader than a window', async () => {
    const { answer, invocation } = a.call(newId());
    const run = await begunAt(b, invocation.input.id);
    run.sink.start(run, 200, ['Content-Type', 'text/event-stream']);
    run.sink.write(Buffer.from('first'));
    await until(() => answer.body.toString() === 'first');
    expect(answer).toMatchObject({ status: 200, ended: false });

    answer.stuck = true;
    const chunk = randomBytes(32 * 1024);
    let written = 0;
    while (run.sink.write(chunk)) written++;
    written++;
    expect(written * chunk.length).toBeLessThanOrEqual(STREAM_WINDOW_BYTES + chunk.length);
    let goesOn = false;
    run.sink.onceDrained(() => (goesOn = true));
    await until(() => answer.body.length === 5 + written * chunk.length);
    expect(goesOn).toBe(false);
    answer.read();
    await until(() => goesOn);
    run.sink.write(Buffer.from('last'));
    run.sink.end();
    await until(() => answer.ended);
    expect(answer.body.subarray(-4).toString()).toBe('last');
    expect(answer.body.length).toBe(9 + written * chunk.length);
  });

  test('end there when their caller leaves here', async () => {
    const { invocation } = a.call(newId());
    await begunAt(b, invocation.input.id);
    a.handOvers.invoker.cancel(invocation);
    await until(() => b.runs.cancelled.includes(invocation.input.id));
    expect(b.records).toMatchObject([{ id: invocation.input.id, state: 'cancelled' }]);
  });

  test('run here when the other node does not know the version, and end here when their caller leaves', async () => {
    b.knows = false;
    const { answer, invocation } = a.call(newId());
    const run = await begunAt(a, invocation.input.id);
    run.sink.reply(run, 200, [], Buffer.from('here'));
    expect(answer).toMatchObject({ status: 200, node: null, instanceId: run.instanceId, ended: true });
    expect(invocation).toMatchObject({ instanceId: run.instanceId, status: run.status });
    const left = a.call(newId());
    await begunAt(a, left.invocation.input.id);
    b.knows = true;
    a.handOvers.invoker.cancel(left.invocation);
    expect(a.runs.cancelled).toEqual([left.invocation.input.id]);
  });

  test('fail with an error that says so when their node is lost, and the next ones run here', async () => {
    const { answer, invocation } = a.call(newId());
    await begunAt(b, invocation.input.id);
    b.network.swallow();
    b.network.cut();
    await until(() => answer.ended);
    expect(answer.error).toMatchObject({ code: 'node_lost', status: 502, extra: { node: 'node b' } });
    // Its own broker connection is gone: nobody can be answered, so nothing goes on.
    await until(() => b.runs.cancelled.includes(invocation.input.id));
    const next = a.call(newId());
    expect(a.runs.begun).toEqual([next.invocation]);
    b.network.heal();
    await until(() => handsOver());
  });

  test('run here when the queue of a node that was just there is gone, since they were not begun', async () => {
    b.network.swallow();
    b.network.cut();
    // Until the broker has noticed, it takes calls for that queue, and they go with it.
    await until(async () => !(await broker.queues()).some((name) => name.startsWith('hearth.test.node.b.')));
    // Its last advert is fresh still, unless this machine is slow, and then nothing is handed over at all.
    const { answer, invocation } = a.call(newId());
    const run = await begunAt(a, invocation.input.id);
    run.sink.reply(run, 200, [], Buffer.from('here'));
    expect(answer.body.toString()).toBe('here');
    b.network.heal();
  });

  test('fail when the connection of this node is lost, and end at the other', async () => {
    const { answer, invocation } = a.call(newId());
    await begunAt(b, invocation.input.id);
    a.network.cut();
    await until(() => answer.ended);
    expect(answer.error).toMatchObject({ code: 'broker_lost', status: 502 });
    await until(() => b.runs.cancelled.includes(invocation.input.id));
    expect([a.handOvers.readings.handedOpen, b.handOvers.readings.takenOpen]).toEqual([0, 0]);
  });

  test('are waited for by a node that stops, which takes over no more', async () => {
    const { answer, invocation } = a.call(newId());
    const run = await begunAt(b, invocation.input.id);
    let settled = false;
    const draining = a.handOvers.drain(60_000).then(() => (settled = true));
    await b.handOvers.drain(0);
    const { invocation: next } = a.call(newId());
    await begunAt(a, next.input.id);
    expect(settled).toBe(false);
    run.sink.reply(run, 200, [], Buffer.from('whole'));
    await draining;
    expect(answer.body.toString()).toBe('whole');
    // What the tests before this one have seen, as the metrics tell it.
    const { handed } = a.handOvers.readings;
    for (const outcome of ['answered', 'failed', 'cancelled', 'lost']) expect(handed.warm?.[outcome], outcome).toBeGreaterThan(0);
    for (const outcome of ['answered', 'failed', 'cancelled', 'refused']) expect(b.handOvers.readings.taken[outcome], outcome).toBeGreaterThan(0);
  });
});

/** A start takes longer than any way to another node. */
const CODE = `
import time
time.sleep(1)
def handler(message, context):
    path = message["path"]
    if path.endswith("/endless"):
        return endless()
    if path.endswith("/long"):
        time.sleep(60)
    return message["raw_body"]

def endless():
    yield b"begun"
    while True:
        time.sleep(0.05)
        yield b"."
`;

describe('two nodes that share a database and a broker', () => {
  let database: Postgres;
  const nodes: Record<string, Hearth> = {};
  const at = (name: string): Hearth => nodes[name] as Hearth;
  const other = (name: string): string => (name === 'a' ? 'b' : 'a');

  beforeAll(async () => {
    database = await Postgres.start();
    const shared = {
      HEARTH_AMQP_URL: broker.url,
      HEARTH_DATABASE_URL: database.url,
      HEARTH_SECRETS_KEY: randomBytes(32).toString('base64'),
    };
    await Promise.all(
      ['a', 'b'].map(async (name) => {
        nodes[name] = await Hearth.start({ settings: { ...shared, HEARTH_NODE_NAME: name } });
      }),
    );
    for (const name of ['a', 'b']) await until(async () => /^hearth_nodes_heard 1$/m.test(await (await fetch(`${at(name).api}/metrics`)).text()));
  });

  afterAll(async () => {
    await Promise.all(Object.values(nodes).map((node) => node[Symbol.asyncDispose]()));
    await database?.[Symbol.asyncDispose]();
  });

  /** Registers on one node, and waits until the other has it. */
  async function define(name: string, settings: Parameters<Hearth['define']>[2] = {}): Promise<void> {
    await at('a').register({ event_type: `http|POST|/${name}/*`, function_name: name, function_code: CODE, ...settings });
    await until(async () => (await at('b').call(`/${name}/echo`, { method: 'OPTIONS' })).status !== 404);
  }

  const nodeOf = (response: Response): string => response.headers.get('x-hearth-node') as string;

  /** Has it started, wherever. @returns the node that has an instance of it now */
  async function warm(path: string): Promise<string> {
    const response = await at('a').call(path, { method: 'POST', body: 'x' });
    expect([response.status, await response.text()]).toEqual([200, 'x']);
    return nodeOf(response);
  }

  let warmNode: string;

  test('answer where it is warm what comes where it is cold, byte for byte, and read its record on both', async () => {
    await define('f');
    warmNode = await warm('/f/echo');
    const body = randomBytes(200_000);
    const response = await at(other(warmNode)).call('/f/echo', { method: 'POST', body });
    expect(nodeOf(response)).toBe(warmNode);
    expect(response.headers.get('x-hearth-start')).toBe('warm');
    expect(Buffer.from(await response.arrayBuffer()).equals(body)).toBe(true);
    const instance = response.headers.get('x-serverless-instance-id');
    for (const name of ['a', 'b']) expect(await at(name).record(response)).toMatchObject({ state: 'succeeded', instance_id: instance });
  });

  test('stream answers to one another, and end what nobody reads any more', async () => {
    const leaving = new AbortController();
    const response = await at(other(warmNode)).call('/f/endless', { method: 'POST', signal: leaving.signal });
    expect(nodeOf(response)).toBe(warmNode);
    const { value } = await (response.body as ReadableStream<Uint8Array>).getReader().read();
    expect(Buffer.from(value as Uint8Array).toString()).toMatch(/^begun/);
    leaving.abort();
    expect(await at(warmNode).record(response)).toMatchObject({ state: 'cancelled' });
  });

  test('have the other one run what would wait', async () => {
    await define('one', { max_instances: 1, concurrency: 1 });
    const leaving = new AbortController();
    const long = at('a')
      .call('/one/long', { method: 'POST', signal: leaving.signal })
      .catch(() => null);
    const busy = await until(async () => {
      for (const name of ['a', 'b']) if ((await at(name).instances('one')).some(({ state }) => state === 'busy')) return name;
      return undefined;
    });
    const response = await at(busy).call('/one/echo', { method: 'POST', body: 'y' });
    expect([response.status, await response.text(), nodeOf(response)]).toEqual([200, 'y', other(busy)]);
    leaving.abort();
    await long;
  });

  test('tell the caller of a call that runs on a node that is killed, and go on alone', async () => {
    await define('g');
    const killed = await warm('/g/echo');
    const left = at(other(killed));
    const long = left.call('/g/long', { method: 'POST' });
    await until(async () => (await at(killed).instances('g')).some(({ state }) => state === 'busy'));
    await at(killed).stop('SIGKILL');
    const response = await long;
    expect(response.status).toBe(502);
    expect(await json(response)).toMatchObject({ code: 'node_lost', fault: 'operator', node: killed });
    const next = await left.call('/g/echo', { method: 'POST', body: 'alone' });
    expect([next.status, await next.text(), nodeOf(next)]).toEqual([200, 'alone', other(killed)]);
  });
});
