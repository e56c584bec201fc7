import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Hearth, until } from '../support/hearth.ts';
import { defineMirror, reachedMirror } from './support/mirror.ts';
import { exchange, parseAnswers, RawConnection } from './support/raw-connection.ts';

const MIB = 1024 * 1024;
/** A program that takes every connection for a WebSocket, whatever was asked, and knows nothing of frames. */
const TUNNEL = `
import os, socket, threading, time

ACCEPTED = b'HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\nSec-WebSocket-Accept: x\\r\\n\\r\\n'

def serve(connection):
    data = b''
    while b'\\r\\n\\r\\n' not in data:
        piece = connection.recv(65536)
        if not piece:
            return
        data += piece
    what = data.split()[1].rpartition(b'/')[2]
    if what == b'silent':
        time.sleep(60)
    if what == b'no':
        connection.sendall(b'HTTP/1.1 403 No\\r\\nContent-Length: 2\\r\\n\\r\\nno')
        return
    connection.sendall(ACCEPTED)
    if what == b'die':
        connection.recv(1)
        os._exit(3)
    while what == b'flood':
        connection.sendall(b'x' * 65536)
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.close()

def attempt(connection):
    try:
        serve(connection)
    except OSError:
        pass

listener = socket.create_server(('127.0.0.1', int(os.environ['PORT'])), backlog=512)
while True:
    threading.Thread(target=attempt, args=(listener.accept()[0],), daemon=True).start()
`;

let hearth: Hearth;
beforeAll(async () => {
  hearth = await Hearth.start({ settings: { HEARTH_GATEWAY_STREAM_IDLE_MS: '2000' } });
  await defineMirror(hearth);
  const program = { function_code: TUNNEL, style: 'server', websocket: true, concurrency: 200, max_instances: 1, timeout_ms: 15_000 } as const;
  await hearth.register({ ...program, function_name: 'tunnel', event_type: 'http|*|/tunnel/*' });
  await hearth.register({ ...program, function_name: 'mortal', event_type: 'http|*|/mortal/*', timeout_ms: 2000 });
});
afterAll(async () => hearth[Symbol.asyncDispose]());

const handshake = (path: string) =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`;
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';

async function residentBytes(): Promise<number> {
  const status = await readFile(`/proc/${hearth.child.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

/** An echo on a connection of its own. */
async function answers(): Promise<void> {
  using connection = await RawConnection.open(hearth.gateway);
  connection.send(handshake('/tunnel/echo'));
  await connection.until((text) => text.includes('\r\n\r\n'));
  connection.send('still here');
  await connection.until((text) => text.endsWith('still here'));
  expect(connection.received).toMatch(/^HTTP\/1\.1 101 /);
  expect(connection.received).toMatch(/still here$/);
}

it('takes nothing behind a handshake for a request, whether it is accepted, refused, or none', async () => {
  const accepted = await exchange(hearth.gateway, handshake('/tunnel/echo') + SMUGGLED, (text) => text.endsWith(SMUGGLED));
  expect(accepted.match(/HTTP\/1\.1 \d/g)).toEqual(['HTTP/1.1 1']);
  for (const [path, status] of [
    ['/tunnel/no', 403],
    ['/mirror', 200],
  ] as const) {
    const all = parseAnswers(await exchange(hearth.gateway, handshake(path) + SMUGGLED));
    expect(all.map((answer) => answer.status)).toEqual([status]);
  }
  expect((await reachedMirror(hearth)).map(({ path }) => path)).toEqual(['/mirror']);
});

it('takes no 101 that nobody asked for', async () => {
  expect((await hearth.call('/tunnel/echo')).status).toBe(502);
});

it('keeps little of what comes before a handshake is accepted, and until the deadline at most', async () => {
  const before = await residentBytes();
  using connection = await RawConnection.open(hearth.gateway);
  connection.send(handshake('/mortal/silent')).send(Buffer.alloc(64 * MIB));
  expect(await connection.closed()).toMatch(/^HTTP\/1\.1 504 [\s\S]*"deadline_exceeded"/);
  expect((await residentBytes()) - before).toBeLessThan(48 * MIB);
});

it('bounds what is kept for callers that flood and do not read, serves the others, and ends those that are stuck', async () => {
  const before = await residentBytes();
  const connections: RawConnection[] = [];
  for (let n = 0; n < 20; n++) {
    const connection = await RawConnection.open(hearth.gateway);
    connection.send(handshake(n % 2 === 0 ? '/tunnel/flood' : '/tunnel/echo'));
    await connection.until((text) => text.includes('\r\n\r\n'));
    connection.socket.pause();
    connections.push(connection);
  }
  const piece = Buffer.alloc(65536, 0xff);
  for (const { socket } of connections.filter((_, n) => n % 2 === 1)) {
    const fill = (): void => {
      while (socket.write(piece));
    };
    socket.on('drain', fill);
    fill();
  }
  for (let n = 0; n < 5; n++) await answers();
  // A window each way, and what the sockets and the collector hold.
  expect((await residentBytes()) - before).toBeLessThan(100 * MIB);
  // Nobody moves any more: the idle clock ends them all.
  await until(async () => (await timedOut()) === 20);
  for (const { socket } of connections) socket.destroy();
  await answers();
});

it('ends all connections of a program that dies, and serves the next', async () => {
  const [one, other] = await Promise.all([RawConnection.open(hearth.gateway), RawConnection.open(hearth.gateway)]);
  other.send(handshake('/mortal/echo'));
  await other.until((text) => text.includes('\r\n\r\n'));
  one.send(handshake('/mortal/die'));
  await one.until((text) => text.includes('\r\n\r\n'));
  one.send('x');
  await Promise.all([one.closed(), other.closed()]);
  // For a moment its end may not be known.
  await until(async () =>
    (await exchange(hearth.gateway, handshake('/mortal/echo'), (text) => text.includes('\r\n\r\n'))).startsWith('HTTP/1.1 101 '),
  );
});

async function timedOut(): Promise<number> {
  const { invocations } = (await hearth.get('/invocations?function_name=tunnel&state=timed_out&limit=1000')) as { invocations: { status: number }[] };
  return invocations.filter(({ status }) => status === 101).length;
}
