import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';
import { promisify } from 'node:util';
import { connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Hearth, json, sleep, until } from '../../support/hearth.ts';
import type { RabbitMq } from '../../support/rabbitmq.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';
import { startBrokerWithGuest } from './broker-with-guest.ts';

const OPENING = `
import json, os, sys, time, pika
head = dict(line.split(": ", 1) for line in os.environ["HTTP_HEADER"].splitlines())
queue = head["X-Correlation-Id"]
body = json.loads(os.environ["HTTP_BODY"])["body"]
def channel_to_broker():
    connection = pika.BlockingConnection(pika.ConnectionParameters("message_queue"))
    return connection, connection.channel()
`;
/** As the seed's template does. */
const TEMPLATE = `${OPENING}
connection, channel = channel_to_broker()
channel.queue_declare(queue=queue)
channel.basic_publish(exchange="", routing_key=queue, body=json.dumps({"got": body}))
connection.close()
`;
/** Exits with its publish still on the way. */
const HASTY = `${OPENING}
connection, channel = channel_to_broker()
channel.queue_declare(queue=queue)
channel.basic_publish(exchange="", routing_key=queue, body=json.dumps({"got": body}))
os._exit(0)
`;
/** Says when it has its queue. */
const SLOW = `${OPENING}
connection, channel = channel_to_broker()
channel.queue_declare(queue=queue)
print("declared", body, flush=True)
time.sleep(60)
`;

let stack: AsyncDisposableStack;
let broker: RabbitMq;
let network: TcpProxy;
let hearth: Hearth;

const SETTINGS = { HEARTH_NETWORK: 'none', HEARTH_AMQP_TRIGGERED_QUEUE_MS: '3000' };
const urlOver = (proxy: TcpProxy) => broker.url.replace(`:${broker.port}`, `:${proxy.port}`);
const declared = (n: number) =>
  until(async () => {
    for (const { id } of await hearth.instances('slow')) {
      if ((await (await fetch(`${hearth.api}/functions/instances/${id}/logs`)).text()).includes(`declared ${n}\n`)) return true;
    }
    return false;
  }, 60_000);
const printedBy = async (answer: Response) =>
  (await fetch(`${hearth.api}/functions/instances/${answer.headers.get('x-serverless-instance-id')}/logs`)).text();
const noQueues = async () => {
  let left: string[] = [];
  await until(async () => {
    left = await broker.queues();
    return left.length === 0;
  }, 60_000).catch(() => expect(left).toEqual([]));
};
const post = (path: string, body: unknown) =>
  hearth.call(path, { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } });

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  broker = stack.use(await startBrokerWithGuest());
  network = stack.use(await TcpProxy.start(broker.port));
  hearth = stack.use(await Hearth.start({ requirements: 'pika\n', settings: { ...SETTINGS, HEARTH_AMQP_URL: urlOver(network) } }));
  await hearth.define('template', TEMPLATE);
  await hearth.define('hasty', HASTY);
  await hearth.define('silent', OPENING);
  await hearth.define('slow', SLOW);
  await hearth.define('handler', 'def handler():\n    return {"handled": True}\n');
}, 300_000);
afterAll(() => stack.disposeAsync());

describe('scripts that answer by a RabbitMQ', () => {
  test('answer as they do without one: body, content type, headers, the first of several messages', async () => {
    const answer = await post('/template', { a: 1 });
    expect([answer.status, await answer.json()]).toEqual([200, { got: { a: 1 } }]);
    await hearth.define(
      'rich',
      `${OPENING}
connection, channel = channel_to_broker()
channel.queue_declare(queue=queue)
properties = pika.BasicProperties(content_type="text/css", headers={"X-Number": 7, "X-Yes": True, "X-Table": {"a": 1}, "X-Text": "é"[:0] + "text"})
channel.basic_publish("", queue, b"first", properties)
channel.basic_publish("", queue, b"second")
connection.close()
sys.exit(3)
`,
    );
    const rich = await post('/rich', null);
    expect([rich.status, await rich.text(), rich.headers.get('content-type')]).toEqual([200, 'first', 'text/css']);
    expect(['x-number', 'x-yes', 'x-table', 'x-text'].map((name) => rich.headers.get(name))).toEqual(['7', 'true', null, 'text']);
  }, 60_000);

  test('that say nothing are answered 204, and those that fail 502', async () => {
    expect((await post('/silent', 1)).status).toBe(204);
    await hearth.define('failing', `${OPENING}\nsys.exit(1)\n`);
    expect(await json(await post('/failing', 1))).toMatchObject({ status: 502, code: 'function_failed' });
  }, 60_000);

  test('can not spoil the way for others by how they declare their queue', async () => {
    const spoil = (how: string) =>
      `${OPENING}\nconnection, channel = channel_to_broker()\nchannel.queue_declare(queue=queue, ${how})\nchannel.basic_publish("", queue, b"x")\nconnection.close()\n`;
    await hearth.define('durable', spoil('durable=True'));
    await hearth.define('exclusive', spoil('exclusive=True'));
    const runs = Array.from({ length: 30 }, (_, n) => post(['/durable', '/exclusive', '/template'][n % 3] as string, n));
    for (const [n, answer] of (await Promise.all(runs)).entries()) expect(answer.status).toBe(n % 3 === 2 ? 200 : 502);
  }, 60_000);

  test('are heard out though they exit with their publish on the way, however many run at once', async () => {
    // More than the windows between the script and the broker hold.
    await hearth.define('bulky', HASTY.replace('json.dumps({"got": body})', 'b"x" * 5_000_000'));
    for (let n = 0; n < 3; n++) expect((await (await post('/bulky', n)).arrayBuffer()).byteLength).toBe(5_000_000);
    const runs = Number(process.env.HEARTH_TEST_FAST_RUNS ?? 200);
    await hearth.define('together', HASTY, { concurrency: 8 });
    let next = 0;
    const caller = async () => {
      while (next < runs) {
        const n = next++;
        const answer = await post(n % 2 === 0 ? '/hasty' : '/together', n);
        expect([n, answer.status, await answer.text()]).toEqual([n, 200, `{"got": ${n}}`]);
      }
    };
    await Promise.all(Array.from({ length: 16 }, caller));
  }, 600_000);

  test('leave no queue behind, whether they time out, crash, are left by their caller or never declare one', async () => {
    const early = `${OPENING}\nconnection, channel = channel_to_broker()\nchannel.queue_declare(queue=queue)\n`;
    await hearth.define('late', `${early}\ntime.sleep(60)\n`, { timeout_ms: 1000 } as never);
    await hearth.define('crashing', `${early}\nos.kill(os.getppid(), 9)\ntime.sleep(60)\n`);
    await hearth.define('loud', `${early}\nchannel.basic_publish("", queue, b"x" * 7_000_000)\nconnection.close()\n`);
    const gone = new AbortController();
    const left = post('/slow', 1);
    const abandoned = hearth.call('/slow', { signal: gone.signal }).catch(() => 'gone');
    const [late, crashing, loud] = await Promise.all([post('/late', 1), post('/crashing', 1), post('/loud', 1)]);
    expect([late.status, crashing.status]).toEqual([504, 502]);
    expect(await json(loud)).toMatchObject({ status: 502, code: 'reply_too_large' });
    gone.abort();
    expect(await abandoned).toBe('gone');
    left.catch(() => undefined);
    await fetch(`${hearth.api}/functions/slow`, { method: 'DELETE' });
    network.cut();
    await left;
    await until(async () => (await post('/template', 1)).status === 200);
    await noQueues();
  }, 120_000);

  test("leave the answer of a triggered run on the broker for the trigger's client, for a time", async () => {
    const id = randomUUID();
    const lines = `X-Correlation-Id: ${id}`;
    const triggered = await hearth.post('/functions/trigger', {
      http_header: lines,
      http_body: '{"body": 5}',
      http_path: '/template',
      http_verb: 'POST',
    });
    expect(triggered.status).toBe(200);
    const client = await connect(broker.url);
    const channel = await client.createChannel();
    await channel.assertQueue(id, { durable: false });
    const message = await until(async () => channel.get(id, { noAck: true }));
    expect(message.content.toString()).toBe('{"got": 5}');
    // The platform deletes it after its time, though nobody consumes from it.
    await until(async () => {
      const probe = await client.createChannel();
      probe.on('error', () => undefined);
      return probe.checkQueue(id).then(
        () => probe.close().then(() => false),
        () => true,
      );
    });
    await client.close();
  }, 60_000);
});

describe('when the network to the broker is cut', () => {
  test('runs that are under way fail at once with what happened, and the next are answered', async () => {
    await hearth.define('slow', SLOW);
    const runs = [post('/slow', 1), post('/slow', 2)];
    await Promise.all([declared(1), declared(2)]);
    network.cut();
    for (const run of runs) expect(await json(await run)).toMatchObject({ status: 502, code: 'broker_lost', fault: 'operator' });
    await until(async () => (await post('/template', 1)).status === 200);
  }, 120_000);

  test('silently, that is noticed long before the deadline', async () => {
    const run = post('/slow', 3);
    await declared(3);
    network.swallow();
    expect(await json(await run)).toMatchObject({ status: 502, code: 'broker_lost' });
    expect((await post('/handler', 1)).status).toBe(200);
    network.heal();
    await until(async () => (await post('/template', 1)).status === 200);
    await noQueues();
  }, 120_000);
});

describe('when the broker is killed and comes back', () => {
  test('under load every request is answered, handlers go on, and nothing is left', async () => {
    const statuses = new Map<string, number>();
    let running = true;
    const caller = async (path: string) => {
      while (running) {
        const answer = await post(path, 1);
        let said = `${answer.status}`;
        if (answer.status !== 200) said += ` ${(await json(answer)).code}`;
        // A broker that is starting takes connections and ends them, as a script's own client tells it.
        if (said === '502 function_failed' && (await printedBy(answer)).includes('IncompatibleProtocolError: StreamLostError'))
          said = '502 refused by a broker that starts';
        statuses.set(`${path} ${said}`, (statuses.get(`${path} ${said}`) ?? 0) + 1);
        if (answer.status !== 200) await sleep(20);
      }
    };
    const callers = ['/template', '/hasty', '/template', '/hasty', '/handler'].map(caller);
    await sleep(1000);
    await broker.kill();
    await until(() => [...statuses.keys()].some((key) => key.includes('503 broker_unavailable')));
    await broker.startNode();
    await until(async () => (await post('/template', 1)).status === 200, 60_000);
    await sleep(500);
    running = false;
    await Promise.all(callers);
    const seen = [...statuses.keys()].sort();
    expect(seen.filter((key) => !/ (200|502 broker_lost|502 refused by a broker that starts|503 broker_unavailable)$/.test(key))).toEqual([]);
    expect(seen).toContain('/handler 200');
    expect(seen.filter((key) => key.startsWith('/handler'))).toHaveLength(1);
    await noQueues();
  }, 240_000);

  test('a platform that starts without it serves handlers, says what is missing, and finds the one node that is up; one that was killed has its queues deleted', async () => {
    const dataFolder = hearth.dataFolder;
    const left = post('/slow', 4).catch(() => undefined);
    await declared(4);
    await sleep(1000);
    await hearth.stop('SIGKILL');
    await left;
    expect(await broker.queues()).not.toEqual([]);
    await using again = await Hearth.start({
      dataFolder,
      requirements: 'pika\n',
      settings: { ...SETTINGS, HEARTH_AMQP_URL: 'amqp://tester:x@127.0.0.1:1' },
    });
    expect((await again.call('/handler')).status).toBe(200);
    const refused = await again.call('/template');
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(await json(refused)).toMatchObject({ status: 503, code: 'broker_unavailable' });
    await again.stop();
    await using third = await Hearth.start({ dataFolder, requirements: 'pika\n', settings: { ...SETTINGS, HEARTH_AMQP_URL: broker.urlAmongDead } });
    await until(async () => (await third.call('/template')).status === 200);
    await noQueues();
  }, 240_000);
});

test('answers travel over TLS to a broker with a certificate of its own, and functions speak plain AMQP', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hearth-tls-'));
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
  await promisify(execFile)('openssl', [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-keyout',
    key,
    '-out',
    certificate,
    ...subject,
  ]);
  const connections = new Set<Duplex>();
  const server = createTlsServer({ key: await readFile(key), cert: await readFile(certificate) }, (secure) => {
    const plain = connectTcp(broker.port, '127.0.0.1');
    for (const socket of [secure, plain]) connections.add(socket.on('error', () => undefined));
    secure.pipe(plain).pipe(secure);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = broker.url.replace('amqp:', 'amqps:').replace(`:${broker.port}`, `:${(server.address() as { port: number }).port}`);
  try {
    await using secure = await Hearth.start({
      requirements: 'pika\n',
      settings: { ...SETTINGS, HEARTH_AMQP_URL: url, HEARTH_AMQP_CA_FILE: certificate },
    });
    await secure.define('hasty', HASTY);
    expect(await json(await secure.call('/hasty', { method: 'POST', body: '1' }))).toEqual({ got: 1 });
  } finally {
    for (const socket of connections) socket.destroy();
    server.close();
    await rm(folder, { recursive: true });
  }
}, 120_000);
