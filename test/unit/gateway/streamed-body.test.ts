import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import type { HearthError } from '../../../src/errors.ts';
import { StreamedBody } from '../../../src/gateway/streamed-body.ts';

const IDLE_MS = 100;
const HEAD = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** The body of a request of which the test writes every byte, with what became of it. */
async function body(limit: number, idleMs: number) {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const asked = once(server, 'request') as Promise<[IncomingMessage, ServerResponse]>;
  const caller: Socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  ends.push(
    () => server.close(),
    () => caller.destroy(),
  );
  caller.write(HEAD);
  const [request, response] = await asked;
  const unusable: string[] = [];
  let bytes = 0;
  let ended = false;
  const streamed = new StreamedBody(request, response, false, { limit, idleMs }, (error: HearthError) => unusable.push(error.code));
  const reader = { data: (chunk: Buffer) => (bytes += chunk.length), end: () => (ended = true) };
  return { streamed, reader, caller, unusable, seen: () => ({ bytes, ended }) };
}
const chunk = (size: number) => `${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`;

it('is read up to its bound, also when it was not announced how long it is', async () => {
  const { streamed, reader, caller, unusable, seen } = await body(1000, 60_000);
  streamed.open(reader);
  caller.write(chunk(1000));
  await expect.poll(() => seen().bytes).toBe(1000);
  caller.write(`${chunk(1)}0\r\n\r\n`);
  await expect.poll(() => unusable).toEqual(['body_too_large']);
  expect(seen()).toEqual({ bytes: 1000, ended: false });
});

it('may be paused for as long as its reader likes, and not by its caller', async () => {
  const { streamed, reader, caller, unusable, seen } = await body(1000, IDLE_MS);
  streamed.open(reader);
  streamed.pause();
  caller.write(chunk(10));
  await new Promise((resolve) => setTimeout(resolve, 3 * IDLE_MS));
  expect([unusable, seen().bytes]).toEqual([[], 0]);
  streamed.resume();
  await expect.poll(() => seen().bytes).toBe(10);
  await expect.poll(() => unusable).toEqual(['request_timeout']);
});
