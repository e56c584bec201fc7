import { type Channel, type ChannelModel, connect, type GetMessage } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, createBroker } from '../../../src/amqp/create-broker.ts';
import { Deliveries } from '../../../src/queue/deliver/deliveries.ts';
import { Hearth, json, until } from '../../support/hearth.ts';
import { RabbitMq } from '../../support/rabbitmq.ts';
import { newInvocation, QueueFolder, succeeded, takeOne } from '../../unit/queue/test-queue.ts';

interface Wire {
  id: string;
  state: string;
  deliveries: { kind: string; to: object; state: string; attempts: number; error: string | null }[];
}

/** A broker takes half a minute to start on a machine that is busy. */
const SLOW_MS = 240_000;

describe('destinations that are exchanges of a RabbitMQ', () => {
  let broker: RabbitMq;
  let hearth: Hearth;

  beforeAll(async () => {
    broker = await RabbitMq.start();
    await within(async (channel) => {
      await channel.assertExchange('outcomes', 'topic', { durable: true });
      await channel.assertQueue('good', { durable: true });
      await channel.assertQueue('bad', { durable: true });
      await channel.bindQueue('good', 'outcomes', 'orders.succeeded');
      await channel.bindQueue('bad', 'outcomes', 'orders.failed');
    });
    hearth = await Hearth.start({ settings: { HEARTH_AMQP_URL: broker.url } });
    const code = 'def handler(m, c):\n    if m["body"] == "bad": raise ValueError("no luck")\n    return {"ok": m["body"]}\n';
    await hearth.define('orders', code, {
      retry: { attempts: 1 },
      destinations: {
        on_success: { exchange: 'outcomes', routing_key: 'orders.succeeded' },
        on_failure: { exchange: 'outcomes', routing_key: 'orders.failed' },
      },
    });
    await hearth.define('direct', code, { destinations: { on_success: { exchange: '', routing_key: 'good' } } });
    await hearth.define('unroutable', code, { destinations: { on_success: { exchange: 'outcomes', routing_key: 'nobody' } } });
    await hearth.define('missing', code, { destinations: { on_success: { exchange: 'nowhere', routing_key: 'x' } } });
  }, SLOW_MS);
  afterAll(async () => {
    await hearth?.[Symbol.asyncDispose]();
    await broker?.[Symbol.asyncDispose]();
  });

  async function within<T>(work: (channel: Channel) => Promise<T>): Promise<T> {
    const connection: ChannelModel = await connect(broker.url);
    try {
      return await work(await connection.createChannel());
    } finally {
      await connection.close();
    }
  }
  const take = (queue: string): Promise<GetMessage> =>
    within((channel) =>
      until(async () => {
        const message = await channel.get(queue, { noAck: true });
        return message === false ? undefined : message;
      }, 60_000),
    );
  const left = async (queue: string): Promise<number> => within(async (channel) => (await channel.checkQueue(queue)).messageCount);
  const later = async (name: string, body = 'x'): Promise<string> => {
    const response = await hearth.post(`/functions/${name}/invocations`, { body });
    expect(response.status).toBe(202);
    return (await json(response)).id as string;
  };
  const record = async (id: string) => (await hearth.get(`/invocations/${id}?wait=30s`)) as Wire;
  const where = (id: string, matches: (delivery: Wire['deliveries'][number]) => boolean) =>
    until(async () => (await record(id)).deliveries.find(matches), 90_000);

  it('are told of a success, persistently, with an id for telling repetitions', async () => {
    const id = await later('orders');
    const { properties, fields, content } = await take('good');
    expect(fields).toMatchObject({ exchange: 'outcomes', routingKey: 'orders.succeeded', redelivered: false });
    expect(properties).toMatchObject({
      correlationId: id,
      contentType: 'application/json',
      deliveryMode: 2,
      type: 'invocation.succeeded',
      appId: 'hearth',
      headers: { 'X-Correlation-Id': id, 'X-Hearth-Attempt': '1' },
    });
    expect(properties.messageId).toMatch(/./);
    expect(JSON.parse(content.toString())).toMatchObject({
      type: 'invocation.succeeded',
      data: { invocation: { id, function_name: 'orders' }, response: { status: 200, body: { ok: 'x' } } },
    });
    expect(await where(id, ({ state }) => state === 'delivered')).toMatchObject({
      kind: 'on_success',
      to: { exchange: 'outcomes', routing_key: 'orders.succeeded' },
      attempts: 1,
      error: null,
    });
    expect(await hearth.get('/functions/orders')).toMatchObject({
      destinations: { on_failure: { exchange: 'outcomes', routing_key: 'orders.failed' } },
    });
  });

  it('are told of a failure', async () => {
    const id = await later('orders', 'bad');
    const { properties, content } = await take('bad');
    expect(properties).toMatchObject({ correlationId: id, type: 'invocation.failed' });
    expect(JSON.parse(content.toString())).toMatchObject({ data: { invocation: { id, condition: 'attempts_exhausted' }, response: null } });
  });

  it('may be the default one, which knows queues by their names', async () => {
    const id = await later('direct');
    expect((await take('good')).properties.correlationId).toBe(id);
  });

  it(
    'that are missing or lead to no queue are tried again, say why, and keep no other from being told',
    async () => {
      const ids = await Promise.all(['unroutable', 'missing', 'orders', 'missing', 'orders', 'unroutable', 'orders'].map((name) => later(name)));
      const [unroutable, missing] = ids as [string, string];
      for (const at of [2, 4, 6])
        expect(await where(ids[at] as string, ({ state }) => state !== 'pending')).toMatchObject({ state: 'delivered', attempts: 1 });
      for (let count = 0; count < 3; count++) await take('good');
      expect(await where(unroutable, ({ attempts }) => attempts > 1)).toMatchObject({
        state: 'pending',
        error: 'unroutable: no queue is bound to the exchange "outcomes" for the routing key "nobody"',
      });
      expect(await where(missing, ({ attempts }) => attempts > 1)).toMatchObject({
        state: 'pending',
        error: expect.stringContaining('there is no exchange "nowhere" on the broker'),
      });
      // Once it is there.
      await within(async (channel) => {
        await channel.assertExchange('nowhere', 'fanout', { durable: true });
        await channel.bindQueue('bad', 'nowhere', '');
      });
      expect(await where(missing, ({ state }) => state === 'delivered')).toMatchObject({ error: null });
      await within((channel) => channel.purgeQueue('bad'));
    },
    SLOW_MS,
  );

  it('are given up after eight tries, and the record says why', async () => {
    await using folder = await QueueFolder.make();
    const { queue } = await folder.open();
    const own: Broker = createBroker(broker.url, { random: Math.random, log: { info: () => undefined, warn: () => undefined } });
    const deliveries = new Deliveries({
      queue,
      describe: () => null,
      revealSecret: () => undefined,
      post: () => Promise.reject(new Error('no URL is to be told')),
      toFunction: () => Promise.reject(new Error('no function is to be told')),
      publish: (message, ending) => own.publish(message, ending),
      // No waits between tries.
      random: () => 0,
      log: { warn: () => undefined },
    });
    try {
      const reasons: Record<string, RegExp> = { outcomes: /^unroutable: no queue is bound/, absent: /^there is no exchange "absent" on the broker/ };
      for (const [exchange, reason] of Object.entries(reasons)) {
        const onSuccess = { kind: 'exchange', exchange, routingKey: 'nobody' } as const;
        const { id } = await queue.accept(newInvocation({ destinations: { onSuccess, onFailure: null, callbackSecret: null } }));
        await queue.settle((await takeOne(queue)).lease, succeeded());
        deliveries.poke();
        const done = await until(async () => (await queue.get(id))?.deliveries.find(({ state }) => state !== 'pending'));
        expect(done).toMatchObject({ state: 'failed', attempts: 8, error: expect.stringMatching(reason) });
      }
    } finally {
      await deliveries.close();
      await own.close();
    }
  });

  it(
    'of a broker that is out of memory are told once it is not',
    async () => {
      await broker.control('set_vm_memory_high_watermark', '0.000001');
      const id = await later('orders');
      const { error } = await where(id, ({ attempts }) => attempts > 0);
      expect(error).toMatch(/did not confirm it within 10 s|takes no messages at present/);
      await broker.control('set_vm_memory_high_watermark', '0.4');
      expect(await where(id, ({ state }) => state === 'delivered')).toMatchObject({ error: null });
      // At least once, by the same id.
      const first = await take('good');
      expect(first.properties.correlationId).toBe(id);
      for (let more = await left('good'); more > 0; more--) expect((await take('good')).properties.messageId).toBe(first.properties.messageId);
    },
    SLOW_MS,
  );

  it(
    'of a broker that was killed are told when it is there again, each outcome with one record',
    async () => {
      await broker.kill();
      const id = await later('orders');
      expect(await where(id, ({ attempts }) => attempts > 0)).toMatchObject({
        state: 'pending',
        error: expect.stringMatching(/can't be reached|was lost/),
      });
      await broker.startNode();
      expect(await where(id, ({ state }) => state === 'delivered')).toMatchObject({ error: null });
      expect((await record(id)).deliveries).toHaveLength(1);
      // The broker may bring back what had been taken from it just before it was killed.
      const told: unknown[] = [];
      for (let more = await left('good'); more > 0; more--) told.push((await take('good')).properties.correlationId);
      expect(told.filter((one) => one === id)).toEqual([id]);
      const { invocations } = (await hearth.get('/invocations?function=orders&limit=1000')) as { invocations: { id: string }[] };
      expect(invocations.filter((one) => one.id === id)).toHaveLength(1);
    },
    SLOW_MS,
  );

  it('keep the password of the broker out of the log, and the platform stops as ever', async () => {
    expect(await hearth.stop()).toBe(0);
    expect(hearth.output).toContain(`127.0.0.1:${broker.port}`);
    for (const password of broker.passwords) expect(hearth.output).not.toContain(password);
  });
});

describe('a platform whose broker is not there', () => {
  it('starts and stops all the same', async () => {
    await using hearth = await Hearth.start({ settings: { HEARTH_AMQP_URL: 'amqp://user:hidden-word@127.0.0.1:1' } });
    await hearth.define('f', 'def handler(m, c): pass', { destinations: { on_success: { exchange: 'e' } } });
    const { id } = await json(await hearth.post('/functions/f/invocations', {}));
    const delivery = await until(async () => ((await hearth.get(`/invocations/${id}`)) as Wire).deliveries.find(({ attempts }) => attempts > 0));
    expect(delivery?.error).toMatch(/^the broker amqp:\/\/127\.0\.0\.1:1\/ can't be reached: .*ECONNREFUSED/);
    expect(await hearth.stop()).toBe(0);
    expect(hearth.output).not.toContain('hidden-word');
  });

  it('does not start with an address that is none, and does not repeat it', async () => {
    const error: unknown = await Hearth.start({ settings: { HEARTH_AMQP_URL: 'http://user:hidden-word@broker' } }).catch((thrown: unknown) => thrown);
    expect(String(error)).toContain('amqp.url is to be of the form');
    expect(String(error)).not.toContain('hidden-word');
  });
});
