import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Hearth, sleep, until } from '../../support/hearth.ts';

/** The library `ws` as a program's own, as an author would pack it. */
const WS = dirname(fileURLToPath(import.meta.resolve('ws')));
const LIBRARY = Object.fromEntries(
  ['package.json', 'index.js', ...readdirSync(join(WS, 'lib')).map((name) => `lib/${name}`)].map((name) => [
    `node_modules/ws/${name}`,
    readFileSync(join(WS, name), 'utf8'),
  ]),
);
const PROGRAM = `
const { WebSocketServer } = require('ws');
const closings = [];
const server = require('node:http').createServer((request, response) => response.end(request.url.endsWith('/closings') ? closings.join() : 'plain ' + request.url));
const sockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => [...offered].at(-1) });
server.on('upgrade', (request, connection, head) => {
  if (request.url.endsWith('/refuse')) return connection.end('HTTP/1.1 403 Forbidden\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\nX-Why: no\\r\\n\\r\\nno');
  if (request.url.endsWith('/silent')) return;
  sockets.handleUpgrade(request, connection, head, (socket) => {
    socket.on('close', (code, reason) => closings.push(code + ' ' + reason));
    socket.on('error', () => undefined);
    socket.on('message', (data, binary) => {
      const text = binary ? '' : data.toString();
      if (text === 'close') socket.close(4001, 'enough');
      else if (text === 'cut') connection.destroy();
      else if (text === 'flood') for (let n = 0; n < 64; n++) socket.send(Buffer.alloc(65536, n));
      else if (text === 'headers') socket.send(JSON.stringify(request.headers));
      else socket.send(data, { binary });
    });
  });
});
server.listen(process.env.PORT);
`;
const IDLE_MS = 2000;
const TIMEOUT_MS = 2500;

const program = { files: { ...LIBRARY, 'server.js': PROGRAM }, entry: 'server.js', runtime: 'nodejs', style: 'server', max_instances: 1 } as const;
const CHAT = { function_name: 'chat', event_type: 'http|*|/chat/*', websocket: true, timeout_ms: TIMEOUT_MS } as const;

let hearth: Hearth;
let url: string;
beforeAll(async () => {
  hearth = await Hearth.start({ settings: { HEARTH_GATEWAY_STREAM_IDLE_MS: String(IDLE_MS) } });
  url = hearth.gateway.replace('http', 'ws');
  await hearth.register({ ...program, ...CHAT });
  await hearth.register({ ...program, function_name: 'deaf', event_type: 'http|*|/deaf/*' });
  await hearth.register({
    ...program,
    ...{
      function_name: 'guarded',
      event_type: 'http|*|/guarded/*',
      websocket: true,
      access: { api_keys: true },
      cors: { allow_origins: ['https://ours'] },
    },
  });
  await (await hearth.call('/chat/warm')).text();
});
afterAll(() => hearth[Symbol.asyncDispose]());

async function open(path = '/chat/a', protocols: string[] = [], options = {}): Promise<{ socket: WebSocket; id: string }> {
  const socket = new WebSocket(url + path, protocols, options);
  const upgraded = once(socket, 'upgrade');
  await once(socket, 'open');
  const [response] = await upgraded;
  return { socket, id: response.headers['x-correlation-id'] };
}

async function ask(socket: WebSocket, message: string | Buffer): Promise<{ data: Buffer; binary: boolean }> {
  const answered = once(socket, 'message');
  socket.send(message);
  const [data, binary] = await answered;
  return { data, binary };
}

/** The answer to a handshake that is not accepted. */
async function refusal(path: string, options: { headers?: Record<string, string> } = {}) {
  const socket = new WebSocket(url + path, options);
  socket.on('error', () => undefined);
  const [, response] = await once(socket, 'unexpected-response');
  let text = '';
  for await (const part of response) text += part;
  return { status: response.statusCode, headers: response.headers, text };
}

test('messages pass both ways, text and bytes, small and large, past the deadline, until the caller closes', async () => {
  const begun = Date.now();
  const { socket, id } = await open('/chat/a', ['one', 'two']);
  expect(socket.protocol).toBe('two');
  expect(await ask(socket, 'grüß dich')).toEqual({ data: Buffer.from('grüß dich'), binary: false });
  const large = randomBytes(1024 * 1024);
  const answer = await ask(socket, large);
  expect(answer.binary && answer.data.equals(large)).toBe(true);
  const headers = JSON.parse(String((await ask(socket, 'headers')).data));
  expect(headers).toMatchObject({ connection: 'Upgrade', upgrade: 'websocket', 'x-correlation-id': id, 'sec-websocket-protocol': 'one,two' });
  while (Date.now() - begun < TIMEOUT_MS + 500) {
    await ask(socket, 'still there');
    await sleep(200);
  }
  socket.close(1000, 'done');
  expect((await once(socket, 'close'))[0]).toBe(1000);
  expect(await hearth.recordWhere((one) => one.id === id)).toMatchObject({ state: 'succeeded', status: 101, error_code: null });
  await until(async () => (await (await hearth.call('/chat/closings')).text()) === '1000 done');
});

test('the program may close, with a code or by cutting the connection, and the caller may vanish', async () => {
  const closed = await open();
  closed.socket.send('close');
  const [code, reason] = await once(closed.socket, 'close');
  expect([code, String(reason)]).toEqual([4001, 'enough']);
  const cut = await open();
  cut.socket.send('cut');
  expect((await once(cut.socket, 'close'))[0]).toBe(1006);
  const gone = await open();
  gone.socket.terminate();
  for (const { id } of [closed, cut, gone]) {
    expect(await hearth.recordWhere((one) => one.id === id)).toMatchObject({ state: 'succeeded', status: 101 });
  }
});

test('a handshake may be refused, by the program, by what the function asks of callers, or for what is wrong with it', async () => {
  expect(await refusal('/chat/refuse')).toMatchObject({ status: 403, headers: { 'x-why': 'no', 'content-length': '2' }, text: 'no' });
  expect(await refusal('/chat/silent')).toMatchObject({ status: 504 });
  expect(await refusal('/guarded/a')).toMatchObject({ status: 401 });
  const { key } = (await (await hearth.post('/functions/guarded/keys', { name: 'k' })).json()) as { key: string };
  const foreign = { headers: { Authorization: `Bearer ${key}`, Origin: 'https://theirs' } };
  expect(JSON.parse((await refusal('/guarded/a', foreign)).text)).toMatchObject({ status: 403, code: 'cross_origin' });
  const { socket } = await open('/guarded/a', [], { headers: { Authorization: `Bearer ${key}`, Origin: 'https://ours' } });
  expect(String((await ask(socket, 'in')).data)).toBe('in');
  socket.terminate();

  const handshake = (...lines: string[]) =>
    hearth.raw(['GET /chat/a HTTP/1.1', 'Host: a', 'Connection: keep-alive, Upgrade', 'Upgrade: WebSocket', ...lines, '', ''].join('\r\n'));
  const key16 = `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`;
  expect(await handshake(key16, 'Sec-WebSocket-Version: 12')).toMatch(
    /^HTTP\/1\.1 426 [\s\S]*Sec-WebSocket-Version: 13\r\n[\s\S]*"websocket_version"/,
  );
  expect(await handshake('Sec-WebSocket-Key: short', 'Sec-WebSocket-Version: 13')).toMatch(/^HTTP\/1\.1 400 [\s\S]*"malformed_request"/);
  expect(await handshake('Sec-WebSocket-Version: 13')).toMatch(/^HTTP\/1\.1 400 /);
});

test('a plain GET, another protocol, and a handshake for a function that takes none are ordinary requests', async () => {
  expect(await (await hearth.call('/chat/plain')).text()).toBe('plain /chat/plain');
  expect(await hearth.raw('GET /chat/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n')).toMatch(/200 OK[\s\S]*plain \/chat\/x$/);
  expect(await refusal('/deaf/a')).toMatchObject({ status: 200, text: 'plain /deaf/a' });
});

test('a caller who does not read holds up nobody else, and gets everything once it reads', async () => {
  const { socket: slow } = await open();
  slow.pause();
  slow.send('flood');
  const { socket: other } = await open();
  for (let n = 0; n < 5; n++) expect(String((await ask(other, `ask ${n}`)).data)).toBe(`ask ${n}`);
  const received: number[] = [];
  slow.on('message', (data: Buffer) => received.push(data.length === 65536 ? (data[0] as number) : -1));
  slow.resume();
  await until(() => received.length === 64);
  expect(received).toEqual(received.map((_, index) => index));
  slow.terminate();
  other.terminate();
});

test('a new version leaves open connections with the old one until they end', async () => {
  const { socket: old } = await open();
  await hearth.register({ ...program, ...CHAT, environment: { NEW: '1' } });
  const { socket: young } = await open();
  for (const socket of [old, young, old]) expect(String((await ask(socket, 'hello')).data)).toBe('hello');
  expect((await hearth.instances('chat')).length).toBe(2);
  old.close();
  await until(async () => (await hearth.instances('chat')).length === 1);
  young.terminate();
});

test('a connection that carries nothing is ended, and one whose platform stops comes to its end', async () => {
  const { socket, id } = await open();
  expect((await once(socket, 'close'))[0]).toBe(1006);
  expect(await hearth.recordWhere((one) => one.id === id)).toMatchObject({ state: 'timed_out', status: 101 });
  const last = await open();
  const closed = once(last.socket, 'close');
  expect(await hearth.stop()).toBe(0);
  await closed;
});
