import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConfirmChannel, connect, type GetMessage, type Options } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Hearth, json, type RecordOnTheWire, until } from '../../support/hearth.ts';
import { KINDS, OtlpReceiver } from '../../support/otlp-receiver.ts';
import { parseExposition } from '../../support/prometheus.ts';
import { RabbitMq } from '../../support/rabbitmq.ts';

/** A broker takes half a minute to start on a machine that is busy. */
const SLOW_MS = 240_000;

interface QueueOnTheWire {
  queue: string;
  functions: string[];
  state: string;
  error: string | null;
  unacked: number;
  received: number;
  retried: number;
  dead_lettered: number;
  succeeded: number;
}

const ECHO = `
def handler(message, context):
    return {k: message[k] for k in ("body", "verb", "path", "headers", "message_type")}
`;
const SLEEP = 'import time\ndef handler(m, c):\n    time.sleep(m["body"])\n    return "done"\n';
const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const QUICK = { attempts: 3, min_backoff_ms: 1, max_backoff_ms: 50 };

describe('functions that are run by the messages of a queue', () => {
  let broker: RabbitMq;
  let traces: OtlpReceiver;
  let hearth: Hearth;
  let dataFolder: string;

  beforeAll(async () => {
    dataFolder = await mkdtemp(join(tmpdir(), 'hearth-queue-'));
    broker = await RabbitMq.start();
    traces = await OtlpReceiver.start();
    hearth = await start({ HEARTH_AMQP_URL: broker.url, HEARTH_TRACES_ENDPOINT: traces.url });
  }, SLOW_MS);
  afterAll(async () => {
    await hearth?.[Symbol.asyncDispose]();
    await broker?.[Symbol.asyncDispose]();
    await traces?.[Symbol.asyncDispose]();
    await rm(dataFolder, { recursive: true, force: true });
  });

  function start(settings: Record<string, string> = { HEARTH_AMQP_URL: broker.urlAmongDead }): Promise<Hearth> {
    return Hearth.start({ dataFolder, settings });
  }

  async function within<T>(work: (channel: ConfirmChannel) => Promise<T>): Promise<T> {
    const connection = await connect(broker.url);
    connection.on('error', () => undefined);
    try {
      return await work(await connection.createConfirmChannel());
    } finally {
      await connection.close();
    }
  }
  const publish = (queue: string, bodies: readonly (string | Buffer)[], options: Options.Publish = {}): Promise<void> =>
    within(async (channel) => {
      for (const body of bodies) channel.sendToQueue(queue, Buffer.from(body), { persistent: true, ...options });
      await channel.waitForConfirms();
    });
  const take = (queue: string): Promise<GetMessage> =>
    within((channel) => until(async () => (await channel.get(queue, { noAck: true })) || undefined, 90_000));
  const count = (queue: string): Promise<number> => within(async (channel) => (await channel.checkQueue(queue)).messageCount);
  const onQueue = (name: string, code: string, settings: object = {}, queue = name) =>
    hearth.register({ event_type: `queue|${queue}`, function_name: name, function_code: code, retry: QUICK, ...settings });
  const status = async (queue: string) => (await hearth.get(`/queues/${queue}`)) as QueueOnTheWire;
  const consuming = (queue: string) => until(async () => ((await status(queue)).state === 'consuming' ? status(queue) : undefined), 90_000);
  const records = async (name: string) =>
    (
      (await hearth.get(`/invocations?function_name=${name}&limit=1000`)) as {
        invocations: (RecordOnTheWire & { trigger: string; request_id: string })[];
      }
    ).invocations;
  /** Those of the function's attempts that are over, once there are so many. */
  const ended = (name: string, least: number) =>
    until(async () => {
      const found = await records(name);
      return found.length >= least ? found : undefined;
    }, 90_000);
  /** Publishes one message and gets the function's answer. */
  const ask = async (queue: string, body: string | Buffer, options: Options.Publish = {}): Promise<GetMessage> => {
    const replyTo = `answer-${randomUUID()}`;
    await within((channel) => channel.assertQueue(replyTo, { durable: true }));
    await publish(queue, [body], { replyTo, correlationId: 'asked', ...options });
    const answer = await take(replyTo);
    await within((channel) => channel.deleteQueue(replyTo));
    return answer;
  };

  it('find the message in their own message, and its properties and headers among the headers; its trace goes on in them', async () => {
    await onQueue('echo', ECHO);
    await consuming('echo');
    const answer = await ask('echo', '{"a": [1]}', {
      contentType: 'application/json',
      messageId: 'm-1',
      type: 'order',
      headers: { Colour: 'blue', 'X-Hearth-Attempt': '7', table: { b: 2 }, traceparent: TRACEPARENT },
    });
    const [, traceId, sender] = TRACEPARENT.split('-') as [string, string, string];
    const spans = await traces.trace(traceId, ['process echo', 'queue', 'run']);
    const process = spans.find(({ name }) => name === 'process echo');
    const run = spans.find(({ name }) => name === 'run');
    expect(process).toMatchObject({
      kind: KINDS.consumer,
      parentSpanId: sender,
      links: [{ traceId, spanId: sender }],
      attributes: { 'messaging.system': 'rabbitmq', 'messaging.destination.name': 'echo', 'faas.trigger': 'pubsub' },
    });
    expect(run?.parentSpanId).toBe(process?.spanId);
    expect(JSON.parse(answer.content.toString())).toEqual({
      body: { a: [1] },
      verb: 'POST',
      path: '/queues/echo',
      message_type: 'queue',
      headers: {
        'Content-Type': 'application/json',
        'X-Hearth-Queue': 'echo',
        'X-Amqp-Routing-Key': 'echo',
        'X-Amqp-Redelivered': 'false',
        'X-Amqp-Message-Id': 'm-1',
        'X-Amqp-Correlation-Id': 'asked',
        'X-Amqp-Reply-To': expect.stringContaining('answer-'),
        'X-Amqp-Type': 'order',
        Colour: 'blue',
        table: '{"b":2}',
        traceparent: `00-${traceId}-${run?.spanId}-01`,
        'X-Correlation-Id': expect.stringMatching(/-7/),
        'X-Hearth-Attempt': '1',
      },
    });
    expect(answer.properties).toMatchObject({ correlationId: 'asked', contentType: 'application/json', headers: { 'x-hearth-status': 200 } });
    const [record] = await ended('echo', 1);
    expect(record).toMatchObject({ trigger: 'queue', mode: 'async', state: 'succeeded', status: 200, request_id: 'asked', version: 1 });
    expect(answer.properties.messageId).toBe(record?.id);
    expect(await status('echo')).toMatchObject({ functions: ['echo'], state: 'consuming', error: null, unacked: 0, received: 1, succeeded: 1 });
  });

  it('get text and bytes as they are, be they no JSON', async () => {
    expect(JSON.parse((await ask('echo', '{"broken')).content.toString()).body).toBe('{"broken');
    expect(JSON.parse((await ask('echo', '')).content.toString()).body).toBeNull();
    await onQueue('raw', 'def handler(m, c):\n    return m["raw_body"]\n');
    await consuming('raw');
    const bytes = Buffer.from([0, 255, 128, 10]);
    expect((await ask('raw', bytes)).content).toEqual(bytes);
  });

  it('may be scripts, whose environment has it', async () => {
    const script =
      'import os\nprint(os.environ["HTTP_VERB"], os.environ["HTTP_PATH"], os.environ["HTTP_BODY"], "X-Hearth-Queue: script" in os.environ["HTTP_HEADER"])\n';
    await onQueue('script', script);
    await consuming('script');
    await publish('script', ['{"n": 1}']);
    const [record] = await ended('script', 1);
    expect(record).toMatchObject({ state: 'succeeded', status: 204 });
    expect(await hearth.get(`/invocations/${record?.id}`)).toMatchObject({ logs: 'POST /queues/script {"body": {"n": 1}} True\n' });
    expect(await count('script')).toBe(0);
  });

  it('are tried again by their retry, and what succeeds then is no dead letter', async () => {
    await onQueue(
      'flaky',
      'def handler(m, c):\n    if int(m["headers"]["X-Hearth-Attempt"]) < 3: raise ValueError("not yet")\n    return "at last"\n',
    );
    await consuming('flaky');
    expect((await ask('flaky', 'x', { headers: { kept: 'yes' } })).content.toString()).toBe('at last');
    expect((await ended('flaky', 3)).map(({ state }) => state).sort()).toEqual(['failed', 'failed', 'succeeded']);
    expect(await status('flaky')).toMatchObject({ retried: 2, succeeded: 1, dead_lettered: 0 });
    expect(await count('flaky.dead')).toBe(0);
  });

  it('leave what they can not work off in the queue of dead letters, with the reason', async () => {
    await onQueue('broken', 'def handler(m, c):\n    raise ValueError("never " + m["body"])\n', { retry: { ...QUICK, attempts: 2 } });
    await consuming('broken');
    const answer = await ask('broken', 'ever', { messageId: 'm-2', headers: { kept: 'yes' }, contentType: 'text/plain' });
    expect(answer.properties).toMatchObject({ contentType: 'application/problem+json', headers: { 'x-hearth-error': 'function_failed' } });
    expect(JSON.parse(answer.content.toString())).toMatchObject({ code: 'function_failed', detail: expect.stringContaining('never ever') });
    const { content, properties } = await take('broken.dead');
    const last = (await ended('broken', 2)).find(({ id }) => id === properties.headers?.['x-hearth-invocation']);
    expect(last).toMatchObject({ state: 'failed', error_code: 'function_failed' });
    expect(content.toString()).toBe('ever');
    expect(properties).toMatchObject({ messageId: 'm-2', correlationId: 'asked', contentType: 'text/plain', deliveryMode: 2 });
    expect(properties.headers).toEqual({
      kept: 'yes',
      // Of the queue of dead letters, which is a quorum queue too.
      'x-delivery-count': 0,
      'x-hearth-queue': 'broken',
      'x-hearth-function': 'broken',
      'x-hearth-version': 1,
      'x-hearth-invocation': expect.any(String),
      'x-hearth-attempts': 2,
      'x-hearth-reason': 'attempts_exhausted',
      'x-hearth-error': 'function_failed',
      'x-hearth-detail': expect.stringContaining('ValueError: never ever'),
      'x-hearth-died-at': expect.stringMatching(/Z$/),
    });
    expect(await count('broken')).toBe(0);
  });

  it('send dead letters to the exchange that they name', async () => {
    await within(async (channel) => {
      await channel.assertExchange('dead', 'topic', { durable: true });
      await channel.assertQueue('graves', { durable: true });
      await channel.bindQueue('graves', 'dead', 'of.#');
    });
    await onQueue('elsewhere', 'def handler(m, c):\n    raise ValueError()\n', {
      retry: { attempts: 1 },
      destinations: { on_failure: { exchange: 'dead', routing_key: 'of.elsewhere' } },
    });
    await consuming('elsewhere');
    await publish('elsewhere', ['x']);
    expect((await take('graves')).fields).toMatchObject({ exchange: 'dead', routingKey: 'of.elsewhere' });
  });

  it('share a queue as they share any event key: each runs every message, and is tried again by itself', async () => {
    // A queue of the operator's, such as the platform would not make it.
    await within((channel) => channel.assertQueue('shared', { durable: false, maxPriority: 4 }));
    await onQueue('first', 'def handler(m, c):\n    return 1\n', {}, 'shared');
    await onQueue('second', 'def handler(m, c):\n    if m["headers"]["X-Hearth-Attempt"] == "1": raise ValueError()\n', {}, 'shared');
    await consuming('shared');
    await publish('shared', ['x']);
    expect((await ended('second', 2)).map(({ state }) => state).sort()).toEqual(['failed', 'succeeded']);
    expect(await records('first')).toHaveLength(1);
    expect(await status('shared')).toMatchObject({ functions: ['first', 'second'], received: 2, succeeded: 2, retried: 1 });
  });

  it('have no more messages in hand than they may run at once; the others stay for whoever has room', async () => {
    await onQueue('bounded', SLEEP, { max_instances: 2 });
    await consuming('bounded');
    await publish('bounded', Array(12).fill('0.2'));
    let most = 0;
    await until(async () => {
      const { unacked, succeeded } = await status('bounded');
      most = Math.max(most, unacked);
      return succeeded === 12;
    }, 90_000);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(2);
    // The broker itself says so: what is in hand is neither acknowledged nor there for others.
    await publish('bounded', ['5', '5', '5', '5', '5']);
    await until(async () => (await status('bounded')).unacked === 2);
    expect(await count('bounded')).toBe(3);
  });

  /** Of a scrape, those that have that in their name and labels. */
  async function measured(text: string): Promise<number> {
    const samples = parseExposition(await (await fetch(`${hearth.api}/metrics`)).text());
    return samples.find(({ name, labels }) => `${name} ${Object.values(labels)}`.trim() === text)?.value ?? Number.NaN;
  }

  it('end what they have in hand when they are deleted, and take nothing more', async () => {
    const succeeded = await measured('hearth_queue_trigger_messages_total succeeded');
    expect(succeeded).toBeGreaterThan(0);
    await onQueue('leaving', SLEEP, { max_instances: 1 });
    await consuming('leaving');
    await publish('leaving', ['1', '0']);
    await until(async () => (await status('leaving')).unacked === 1);
    await fetch(`${hearth.api}/functions/leaving`, { method: 'DELETE' });
    await until(async () => (await fetch(`${hearth.api}/queues/leaving`)).status === 404);
    // What a queue counted that is there no more is not taken back.
    expect(await measured('hearth_queue_trigger_messages_total succeeded')).toBe(succeeded + 1);
    expect(await measured('hearth_broker_up consuming')).toBe(1);
    expect(await measured('hearth_broker_published_total confirmed')).toBeGreaterThan(0);
    expect(await measured('hearth_queue_trigger_queues consuming')).toBeGreaterThan(0);
    expect(await count('leaving')).toBe(1);
    expect(await records('leaving')).toMatchObject([{ state: 'succeeded' }]);
    await onQueue('leaving', SLEEP, { max_instances: 1 });
    await until(async () => (await count('leaving')) === 0);
  });

  it('go on with the next version of the function', async () => {
    await onQueue('changing', 'def handler(m, c):\n    return 1\n');
    await consuming('changing');
    expect((await ask('changing', 'x')).content.toString()).toBe('1');
    await onQueue('changing', 'def handler(m, c):\n    return 2\n');
    expect((await ask('changing', 'x')).content.toString()).toBe('2');
  });

  it('get the queue back when somebody deletes it', async () => {
    await within((channel) => channel.deleteQueue('echo'));
    await until(async () => (await status('echo')).state !== 'consuming');
    await consuming('echo');
    expect(JSON.parse((await ask('echo', '"again"')).content.toString()).body).toBe('again');
    expect(hearth.output).toContain('the queue was deleted');
  });

  it('wait for a queue that somebody else has for himself, and say so', async () => {
    const connection = await connect(broker.url);
    const channel = await connection.createChannel();
    await channel.assertQueue('locked', { exclusive: true });
    await onQueue('locked', 'def handler(m, c):\n    return 1\n');
    await until(async () => (await status('locked')).state === 'failed');
    expect((await status('locked')).error).toContain('RESOURCE_LOCKED');
    await connection.close();
    await consuming('locked');
    expect((await ask('locked', 'x')).content.toString()).toBe('1');
  });

  it(
    'wait for permissions that the broker refuses, and say so',
    async () => {
      await broker.control('set_permissions', 'tester', '^(?!forbidden).*', '.*', '.*');
      await onQueue('forbidden', 'def handler(m, c):\n    return 1\n');
      await until(async () => (await status('forbidden')).state === 'failed', 90_000);
      expect((await status('forbidden')).error).toContain('ACCESS_REFUSED');
      expect((await hearth.call('/nothing')).status).toBe(404);
      await broker.control('set_permissions', 'tester', '.*', '.*', '.*');
      await consuming('forbidden');
      expect((await ask('forbidden', 'x')).content.toString()).toBe('1');
    },
    SLOW_MS,
  );

  it(
    'work off every message though the broker is killed under load',
    async () => {
      await within((channel) => channel.assertQueue('loaded', { durable: true }));
      await onQueue('loaded', 'import time\ndef handler(m, c):\n    time.sleep(0.02)\n    return m["body"]\n');
      await consuming('loaded');
      await within((channel) => channel.assertQueue('loaded-answers', { durable: true }));
      // The broker writes down what queues there are some time after it has said so.
      await broker.control('eval', 'mnesia:dump_log().');
      await publishNumbered('loaded', 150);
      await until(async () => (await status('loaded')).succeeded >= 20, 90_000);
      await broker.kill();
      await until(async () => (await status('loaded')).state === 'failed', 90_000);
      expect((await hearth.call('/nothing')).status).toBe(404);
      await broker.startNode();
      await allAnswered('loaded', 150);
      expect(await status('loaded')).toMatchObject({ state: 'consuming', error: null });
      for (const password of broker.passwords) expect(hearth.output).not.toContain(password);
    },
    SLOW_MS,
  );

  it(
    'work off every message though the platform is killed, and give back what they have not begun when it is stopped',
    async () => {
      await within((channel) => channel.assertQueue('loaded-answers', { durable: true }));
      await publishNumbered('loaded', 150);
      await until(async () => (await status('loaded')).unacked > 0, 90_000);
      await hearth.stop('SIGKILL');
      const left = await until(() => count('loaded'), 90_000);
      expect(left).toBeGreaterThan(0);
      hearth = await start();
      await until(async () => (await status('loaded')).succeeded >= 20, 90_000);
      expect(await hearth.stop()).toBe(0);
      hearth = await start();
      await allAnswered('loaded', 150);
    },
    SLOW_MS,
  );

  it(
    'need a broker, and say so',
    async () => {
      await hearth.stop();
      hearth = await start({});
      expect(await status('echo')).toMatchObject({ state: 'failed', error: expect.stringContaining('HEARTH_AMQP_URL') });
      const refused = await hearth.post('/functions', { event_type: 'queue|orders', function_name: 'orders', function_code: ECHO });
      expect(refused.status).toBe(422);
      expect(await json(refused)).toMatchObject({ code: 'invalid_request', detail: expect.stringContaining('HEARTH_AMQP_URL=amqp://') });
    },
    SLOW_MS,
  );

  const numbers = (total: number) => Array.from({ length: total }, (_, at) => String(at));

  function publishNumbered(queue: string, total: number): Promise<void> {
    return publish(queue, numbers(total), { replyTo: `${queue}-answers`, correlationId: 'numbered' });
  }

  /** At least once each: what was done and could not be acknowledged is done again. */
  async function allAnswered(queue: string, total: number): Promise<void> {
    const seen = new Set<string>();
    await within((channel) =>
      until(async () => {
        for (;;) {
          const answer = await channel.get(`${queue}-answers`, { noAck: true });
          if (answer === false) break;
          seen.add(answer.content.toString());
        }
        return seen.size >= total;
      }, 60_000),
    ).catch(async (error: unknown) => {
      throw new Error(
        `missing, ${seen.size} of ${total} seen: ${numbers(total).filter((number) => !seen.has(number))}; ${JSON.stringify(await status(queue))}`,
        { cause: error },
      );
    });
    expect(seen).toEqual(new Set(numbers(total)));
    await until(async () => (await status(queue)).unacked === 0);
    expect(await count(queue)).toBe(0);
  }
});
