import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Hearth, json, until } from '../../support/hearth.ts';
import { Postgres } from '../../support/postgres.ts';
import { Redis } from '../../support/redis.ts';

/** A server that answers what a client does in ways that real data services do at times. */
async function startOddServer() {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    const farewell = () => socket.end();
    socket.on('end', farewell);
    socket.once('data', (first: Buffer) => {
      const word = first.toString('latin1', 0, 1);
      // The sum of what came, once the client sends no more.
      if (word === 'S') {
        let size = first.length;
        socket.on('data', (chunk: Buffer) => (size += chunk.length));
        socket.off('end', farewell);
        socket.on('end', () => socket.end(`${size}`));
      }
      // Much, at once, and the end.
      if (word === 'M') socket.end(Buffer.alloc(20_000_000, 'x'));
      // It reads nothing more.
      if (word === 'N') socket.pause();
      // Its end first; then it still listens.
      if (word === 'E') socket.end('bye');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const REDIS_AND_SQL = `
def both(key):
    import redis, pg8000.native
    cache = redis.Redis(host="cache_service")
    cache.set(key, "seen")
    sql = pg8000.native.Connection("postgres", host="sql_db")
    rows = sql.run("SELECT 6 * 7, :key || '!'", key=key)
    sql.close()
    return {"cache": cache.get(key).decode(), "sql": rows}
`;

const SCRIPT = `
import os, json, pika
${REDIS_AND_SQL}
key = dict(line.split(": ", 1) for line in os.environ["HTTP_HEADER"].splitlines())["X-Correlation-Id"]
connection = pika.BlockingConnection(pika.ConnectionParameters("message_queue"))
channel = connection.channel()
channel.queue_declare(queue=key)
channel.basic_publish(exchange="", routing_key=key, body=json.dumps(both("script")))
connection.close()
`;

const HANDLER = `
${REDIS_AND_SQL}
def handler(message):
    return both("handler")
`;

const SOCKETS = `
import socket, os, select, time, threading
kept = socket.create_connection(("odd", 4000))

def half_closed(size):
    connection = socket.create_connection(("odd", 4000))
    connection.sendall(b"S" * size)
    connection.shutdown(socket.SHUT_WR)
    return connection.makefile("rb").read().decode()

def much(wait):
    connection = socket.create_connection(("odd", 4000))
    connection.sendall(b"M")
    time.sleep(wait)
    return len(connection.makefile("rb").read())

def stuck():
    connection = socket.create_connection(("odd", 4000))
    connection.settimeout(3)
    try:
        connection.sendall(b"N" * 50_000_000)
    except TimeoutError:
        pass
    return half_closed(10)

def ended():
    connection = socket.create_connection(("odd", 4000))
    connection.sendall(b"E")
    text = connection.makefile("rb").read().decode()
    connection.sendall(b"still")
    return text

def forked():
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, half_closed(1234).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    return os.read(read, 100).decode()

def threads():
    results = []
    many = [threading.Thread(target=lambda: results.append(half_closed(100_000))) for _ in range(16)]
    for one in many: one.start()
    for one in many: one.join()
    return results

def crowd():
    many = [socket.create_connection(("odd", 4000)) for _ in range(100)]
    time.sleep(2)
    readable, _, broken = select.select(many, [], many, 0)
    refused = len(set(readable) | set(broken))
    for one in many: one.close()
    return refused

def away():
    connection = socket.create_connection(("away", 4001))
    try:
        return connection.recv(10).decode()
    except ConnectionResetError:
        return ""

def handler(message):
    return {"result": eval(message["query"]["do"])}
`;

const ASYNC = `
import asyncio
async def handler(message):
    reader, writer = await asyncio.open_connection("odd", 4000)
    writer.write(b"S" * 300_000)
    writer.write_eof()
    return {"result": (await reader.read()).decode()}
`;

let servers: AsyncDisposableStack;
let redis: Redis;
let postgres: Postgres;
/** One for all, so that the libraries are installed once. */
let dataFolder: string;
beforeAll(async () => {
  servers = new AsyncDisposableStack();
  dataFolder = await mkdtemp(join(tmpdir(), 'hearth-data-'));
  servers.defer(() => rm(dataFolder, { recursive: true, force: true }));
  redis = servers.use(await Redis.start());
  postgres = servers.use(await Postgres.start());
}, 300_000);
afterAll(() => servers.disposeAsync());

describe.each(['auto', 'off'] as const)('services by name (nursery %s)', (nursery) => {
  let stack: AsyncDisposableStack;
  let hearth: Hearth;
  let odd: Awaited<ReturnType<typeof startOddServer>>;

  const result = async (path: string) => {
    const response = await hearth.call(path);
    const text = await response.text();
    if (response.status !== 200) throw new Error(text);
    return (JSON.parse(text) as { result: unknown }).result;
  };

  beforeAll(async () => {
    stack = new AsyncDisposableStack();
    odd = stack.use(await startOddServer());
    hearth = stack.use(
      await Hearth.start({
        dataFolder,
        requirements: 'pika\nredis\npg8000\n',
        settings: {
          HEARTH_SANDBOX_NURSERY: nursery,
          HEARTH_NETWORK: 'none',
          HEARTH_SERVICES: `cache_service:6379=127.0.0.1:${redis.port},sql_db:5432=127.0.0.1:${postgres.port},odd:4000=127.0.0.1:${odd.port},away:4001=127.0.0.1:1`,
        },
      }),
    );
    await hearth.define('script', SCRIPT);
    await hearth.define('handler', HANDLER);
    await hearth.define('sockets', SOCKETS);
  }, 300_000);
  afterAll(() => stack.disposeAsync());

  test('a script and a handler without a network use Redis and PostgreSQL by the names of the seed', async () => {
    for (const style of ['script', 'handler']) {
      const response = await hearth.call(`/${style}`);
      expect(await response.json()).toEqual({ cache: 'seen', sql: [[42, `${style}!`]] });
    }
  }, 60_000);

  test('either side may end its direction first, and the other goes on', async () => {
    expect(await result('/sockets?do=half_closed(700_000)')).toBe('700000');
    expect(await result('/sockets?do=ended()')).toBe('bye');
  }, 60_000);

  test('a client that reads late gets all of it, and one whose service does not read stops nobody else', async () => {
    expect(await result('/sockets?do=much(0.5)')).toBe(20_000_000);
    expect(await result('/sockets?do=stuck()')).toBe('10');
  }, 60_000);

  test('threads, forked processes and event loops use them too', async () => {
    expect(await result('/sockets?do=threads()')).toEqual(Array(16).fill('100000'));
    expect(await result('/sockets?do=forked()')).toBe('1234');
    await hearth.define('async', ASYNC, { concurrency: 4 });
    expect(await Promise.all([1, 2, 3, 4].map(() => result('/async')))).toEqual(Array(4).fill('300000'));
  }, 60_000);

  test('a sandbox has 64 connections at most, and none to a service that is away', async () => {
    // One was made while the function was loaded.
    expect(await result('/sockets?do=crowd()')).toBeGreaterThanOrEqual(100 - 63);
    // The service has closed those that were let in a moment after the function has.
    await until(async () => (await result('/sockets?do=half_closed(5)').catch(() => '')) === '5');
    expect(await result('/sockets?do=away()')).toBe('');
  }, 60_000);

  test('connections end with their sandbox', async () => {
    expect(odd.sockets.size).toBeGreaterThan(0);
    await fetch(`${hearth.api}/functions/sockets`, { method: 'DELETE' });
    await fetch(`${hearth.api}/functions/async`, { method: 'DELETE' });
    // It has not read that one, and so can't have seen its end.
    for (const socket of odd.sockets) socket.resume();
    await until(() => odd.sockets.size === 0);
  }, 60_000);
});

test('a function with the network of the host has the names as well', async () => {
  await using odd = await startOddServer();
  for (const driver of ['bubblewrap', 'process']) {
    await using hearth = await Hearth.start({ settings: { HEARTH_DRIVER: driver, HEARTH_SERVICES: `odd=127.0.0.1:${odd.port}` } });
    const code = `import socket\ndef handler():\n    one = socket.create_connection(("odd", 4000))\n    one.sendall(b"S")\n    at = one.getpeername()[0]\n    one.shutdown(1)\n    return {"got": one.recv(10).decode(), "at": at}\n`;
    // The port that is given is the one inside.
    await hearth.define('host', code.replace('4000', String(odd.port)), { network: 'host' });
    const answer = await json(await hearth.call('/host'));
    expect(answer).toEqual({ got: '1', at: expect.stringMatching(/^127\.(?!0\.)/) });
  }
}, 120_000);
