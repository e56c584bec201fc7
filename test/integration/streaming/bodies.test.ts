import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Hearth, json, until } from '../../support/hearth.ts';

/** What becomes of a request is decided by the end of its path. */
const PROGRAM = `
const { createHash } = require('node:crypto');
let aborted = 0;
let next = null;
const left = [];
require('node:http').createServer((request, response) => {
  request.on('error', () => { aborted++; });
  const what = request.url.split('/').at(-1);
  if (what === 'hash') {
    const hash = createHash('sha256');
    let bytes = 0;
    request.on('data', (chunk) => { hash.update(chunk); bytes += chunk.length; });
    request.on('end', () => response.end(JSON.stringify({ sha256: hash.digest('hex'), bytes, headers: request.headers })));
  } else if (what === 'echo') request.pipe(response);
  else if (what === 'first') request.once('data', (chunk) => { request.pause(); response.end('first ' + chunk); });
  else if (what === 'early') response.end('nothing read');
  else if (what === 'events') {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    let number = 0;
    next = () => { response.write('data: ' + number++ + '\\n\\n'); };
    response.on('close', () => left.push(number));
    next();
  } else if (what === 'next') { next(); response.end(); }
  else if (what === 'left') response.end(left.join());
  else if (what === 'aborted') response.end(String(aborted));
}).listen(process.env.PORT);
`;
/** The same events as a handler. */
const EVENTS = `
import asyncio

state = {"left": []}

async def events():
    number = 0
    state["next"] = asyncio.Event()
    try:
        while True:
            yield f"data: {number}\\n\\n"
            number += 1
            await state["next"].wait()
            state["next"].clear()
    finally:
        state["left"].append(str(number))

async def handler(message, context):
    what = message["path"].rpartition("/")[2]
    if what == "left":
        return ",".join(state["left"])
    if what == "next":
        state["next"].set()
        return ""
    return {"statusCode": 200, "headers": {"Content-Type": "text/event-stream"}, "body": events()}
`;
const IDLE_MS = 1000;
const MIB = 1024 * 1024;

let hearth: Hearth;
beforeAll(async () => {
  hearth = await Hearth.start({
    settings: {
      HEARTH_GATEWAY_STREAM_IDLE_MS: String(IDLE_MS),
      HEARTH_GATEWAY_MAX_STREAMED_BODY_BYTES: String(300 * MIB),
      HEARTH_GATEWAY_REQUEST_TIMEOUT_MS: '2000',
      HEARTH_GATEWAY_HEADERS_TIMEOUT_MS: '1500',
    },
  });
  const program = { function_code: PROGRAM, runtime: 'nodejs', style: 'server', stream_body: true, max_instances: 1 } as const;
  await hearth.register({ ...program, function_name: 'up', event_type: 'http|*|/up/*' });
  await hearth.register({ ...program, function_name: 'impatient', event_type: 'http|*|/impatient/*', timeout_ms: 2500 });
  await hearth.register({ function_code: EVENTS, function_name: 'events', event_type: 'http|*|/events/*', max_instances: 1 });
  await (await hearth.call('/up/aborted')).text();
});
afterAll(() => hearth[Symbol.asyncDispose]());

/** A connection to the gateway, with everything that came. */
function dial() {
  const { hostname, port } = new URL(hearth.gateway);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  const seen = { text: '' };
  socket.setEncoding('latin1').on('data', (text: string) => {
    seen.text += text;
  });
  return { socket, seen };
}
const head = (path: string, ...headers: string[]) => [`POST ${path} HTTP/1.1`, 'Host: a', ...headers, '', ''].join('\r\n');
const chunk = (data: string) => `${data.length.toString(16)}\r\n${data}\r\n`;
const CHUNKED = 'Transfer-Encoding: chunked';

async function residentPeak(): Promise<number> {
  const status = await readFile(`/proc/${hearth.child.pid}/status`, 'utf8');
  return 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]);
}

test('200 MiB of unknown length reach a program byte for byte, longer than a whole request may take, and the platform does not grow with them', async () => {
  const block = randomBytes(MIB);
  const hash = createHash('sha256');
  const before = await residentPeak();
  const sent = request(`${hearth.gateway}/up/hash`, { method: 'POST' });
  const answered = once(sent, 'response');
  for (let number = 0; number < 200; number++) {
    block.writeUInt32BE(number);
    const piece = Buffer.from(block);
    hash.update(piece);
    if (!sent.write(piece)) await once(sent, 'drain');
  }
  sent.end();
  const [response] = await answered;
  let text = '';
  for await (const part of response) text += part;
  expect(JSON.parse(text)).toMatchObject({ sha256: hash.digest('hex'), bytes: 200 * MIB, headers: { 'transfer-encoding': 'chunked' } });
  expect((await residentPeak()) - before).toBeLessThan(100 * MIB);
});

test('a body flows in and out at once, and keeps its length and its parts', async () => {
  const form = new FormData();
  form.set('text', 'ä\r\n--x');
  form.set('file', new Blob([randomBytes(300_000)]), 'a.bin');
  const encoded = new Response(form);
  const type = encoded.headers.get('content-type') as string;
  const bytes = Buffer.from(await encoded.arrayBuffer());
  const echoed = await hearth.call('/up/echo', { method: 'POST', body: bytes, headers: { 'Content-Type': type } });
  expect(Buffer.from(await echoed.arrayBuffer()).equals(bytes)).toBe(true);
  const hashed = await json(await hearth.call('/up/hash', { method: 'PUT', body: bytes, headers: { 'Content-Type': type } }));
  expect(hashed).toMatchObject({ bytes: bytes.length, headers: { 'content-length': String(bytes.length), 'content-type': type } });

  const { socket, seen } = dial();
  socket.write(head('/up/echo', CHUNKED) + chunk('one'));
  await until(() => seen.text.includes('one'));
  socket.write(chunk('two'));
  await until(() => seen.text.includes('two'));
  socket.write('0\r\n\r\n');
  await until(() => seen.text.endsWith('0\r\n\r\n'));
  socket.write(`GET /up/hash HTTP/1.1\r\nHost: a\r\n\r\n`);
  await until(() => seen.text.includes('"bytes":0'));
  socket.destroy();
});

test('an answer may come before the body, which ends the connection unless the rest comes soon', async () => {
  const answered = async (what: string): Promise<string> => {
    const { socket, seen } = dial();
    socket.write(`${head(`/up/${what}`, 'Content-Length: 100000')}begin`);
    await once(socket, 'close');
    return seen.text;
  };
  const [first, early] = await Promise.all(['first', 'early'].map(answered));
  expect(first).toMatch(/^HTTP\/1\.1 200 [\s\S]*Connection: close\r\n[\s\S]*first begin$/);
  expect(early).toMatch(/^HTTP\/1\.1 200 [\s\S]*Connection: close\r\n[\s\S]*nothing read$/);
});

test('a caller who breaks off is noticed by the program', async () => {
  const { socket, seen } = dial();
  socket.write(head('/up/echo', CHUNKED) + chunk('piece'));
  await until(() => seen.text.includes('piece'));
  const id = /X-Correlation-Id: (\S+)/.exec(seen.text)?.[1];
  const before = Number(await (await hearth.call('/up/aborted')).text());
  socket.destroy();
  await until(async () => Number(await (await hearth.call('/up/aborted')).text()) > before);
  expect(await hearth.recordWhere((record) => record.id === id)).toMatchObject({ state: 'cancelled', error_code: 'client_gone' });
});

test('a caller who pauses gets 408, one who sends no chunks 400, and one who announces too much 413', async () => {
  const stalled = dial();
  stalled.socket.write(`${head('/up/hash', CHUNKED)}${chunk('a')}`);
  const broken = dial();
  broken.socket.write(`${head('/up/hash', CHUNKED)}${chunk('a')}no chunk\r\n`);
  const large = dial();
  large.socket.write(head('/up/hash', `Content-Length: ${300 * MIB + 1}`));
  await Promise.all([stalled, broken, large].map(({ socket }) => once(socket, 'close')));
  expect(large.seen.text).toMatch(/^HTTP\/1\.1 413 [\s\S]*"body_too_large"/);
  expect(broken.seen.text).toMatch(/^HTTP\/1\.1 400 [\s\S]*"malformed_request"/);
  expect(broken.seen.text.match(/HTTP\/1\.1/g)).toHaveLength(1);
  expect(stalled.seen.text).toMatch(/^HTTP\/1\.1 408 [\s\S]*"request_timeout"/);
});

test('a function that does not read holds back its caller until its deadline', async () => {
  const { socket, seen } = dial();
  socket.write(head('/impatient/nothing', CHUNKED));
  const piece = chunk('x'.repeat(65536));
  let sent = 0;
  const fill = () => {
    for (; sent < 512 && socket.write(piece); sent++);
  };
  socket.on('drain', fill);
  fill();
  await until(() => seen.text.includes('"deadline_exceeded"'));
  // What the sockets of the machine hold, and a window.
  expect(sent * 65536).toBeLessThan(24 * MIB);
  socket.destroy();
});

test('who waits to be told to send is told when an instance has the invocation, and not when it is refused', async () => {
  const { socket, seen } = dial();
  socket.write(head('/up/hash', 'Expect: 100-continue', 'Content-Length: 4'));
  await until(() => seen.text.startsWith('HTTP/1.1 100 Continue\r\n\r\n'));
  socket.write('body');
  await until(() => seen.text.includes('"bytes":4'));
  socket.destroy();
  expect(await hearth.raw(head('/nowhere', 'Expect: 100-continue', 'Content-Length: 4'))).toMatch(/^HTTP\/1\.1 404 /);
});

test('what goes through the queue, and what other functions share, comes whole', async () => {
  const queued = await hearth.call('/up/hash', { method: 'POST', body: 'later', headers: { 'Idempotency-Key': 'k1' } });
  expect(await json(queued)).toMatchObject({ bytes: 5, headers: { 'content-length': '5' } });
});

test.each(['/up', '/events'])('events of %s arrive one by one, and end when the caller leaves', async (path) => {
  const leave = new AbortController();
  const response = await hearth.call(`${path}/events`, { signal: leave.signal });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const reader = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  for (let number = 0; number < 3; number++) {
    expect(Buffer.from((await reader.read()).value as Uint8Array).toString()).toBe(`data: ${number}\n\n`);
    if (number < 2) await (await hearth.call(`${path}/next`)).text();
  }
  leave.abort();
  // Whether a caller who has ended its side is gone, only the next piece tells.
  await until(async () => {
    await (await hearth.call(`${path}/next`)).text();
    return (await (await hearth.call(`${path}/left`)).text()) !== '';
  });
  expect(await hearth.record(response)).toMatchObject({ state: 'cancelled', status: 200 });
});
