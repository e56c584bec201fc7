import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PROTOCOL_HEADER } from '../../../src/reply/amqp/server-frames.ts';
import { body, header, open, openChannel, publish, START_OK, tuneOk } from '../../unit/reply/raw-client.ts';
import { amqplibCases } from './clients/amqplib-client.ts';
import { startTestServer, type TestServer } from './test-server.ts';

const ID = 'running';
const LIMIT = 4;
const HALF_A_MESSAGE = Buffer.concat([
  PROTOCOL_HEADER,
  START_OK,
  tuneOk(64, 131_072, 60),
  open(),
  openChannel(1),
  publish(1, ID),
  header(1, 9),
  body(1, 'half'),
]);

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer({ maxConnectionsPerInbox: LIMIT });
  server.running.add(ID);
});

afterEach(async () => {
  expect(server.warnings).toEqual([]);
  await server[Symbol.asyncDispose]();
});

/** A client that has sent the bytes and got an answer. */
async function sent(bytes: Buffer): Promise<Socket> {
  const socket = connect(server.port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(bytes);
  await once(socket, 'data');
  return socket;
}

/** Until the server has noticed that the clients are gone, its limit refuses further ones. */
async function connectsAgain(): Promise<void> {
  for (;;) {
    const error: unknown = await amqplibCases
      .template?.(server.port, ID, () => undefined)
      .then(
        () => undefined,
        (reason: unknown) => reason,
      );
    if (error === undefined) return;
    await setImmediate();
  }
}

it.each<[string, (socket: Socket) => void]>([
  ['reset', (socket) => socket.resetAndDestroy()],
  ['destroyed', (socket) => socket.destroy()],
  ['ended', (socket) => socket.end()],
])('forgets connections that were %s in the midst of a message', async (_how, leave) => {
  const sockets = await Promise.all(Array.from({ length: LIMIT }, () => sent(HALF_A_MESSAGE)));
  for (const socket of sockets) leave(socket);
  await connectsAgain();
  expect(server.deliveries.map((delivery) => delivery.body.toString())).toEqual(['{"body": {"Hello": "Valera"}}']);
});

it('answers another protocol over a real socket, and ends it', async () => {
  const socket = connect(server.port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: message_queue\r\n\r\n');
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  expect(Buffer.concat(chunks).toString('latin1')).toBe('AMQP\x00\x00\x09\x01');
});
