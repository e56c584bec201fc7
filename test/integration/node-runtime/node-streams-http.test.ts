import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RawData, WebSocket } from 'ws';
import { Hearth, json, until } from '../../support/hearth.ts';

const MIB = 1024 * 1024;

const HANDLER = `
import { createHash } from 'node:crypto';
let left = 0;
export const handler = async ({ stream, websocket, path, query, body }, { signal }) => {
  if (websocket) {
    if (query.refuse) return { statusCode: 403, headers: { 'X-Why': 'no' }, body: 'not you' };
    const socket = websocket.accept({ protocol: websocket.protocols.at(-1), headers: { 'X-Room': 'blue' } });
    for await (const data of socket) {
      if (data === 'throw') throw new RangeError('as told');
      if (data === 'return') return;
      if (data === 'flood') for (let n = 0; n < 64; n++) await socket.send(Buffer.alloc(65536, n));
      else await socket.send(data);
    }
    console.log(JSON.stringify(await socket.closed));
    return;
  }
  if (path === '/node/left') return left;
  if (path === '/node/early') return 'read nothing';
  if (path === '/node/echo') return (async function* () { for await (const piece of stream) yield piece; })();
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const piece of stream) {
      hash.update(piece);
      bytes += piece.length;
    }
  } catch (error) {
    if (error === signal.reason) left++;
    throw error;
  }
  return { bytes, sha256: hash.digest('hex'), body };
};`;

const WEB = `
export default { async fetch(request, { websocket }) {
  if (websocket) {
    const socket = websocket.accept();
    await socket.send(await socket.receive() + ' ' + new URL(request.url).pathname);
    return new Response('of no account');
  }
  if (request.method === 'PUT') return new Response(request.body.pipeThrough(new TextDecoderStream()).pipeThrough(new TextEncoderStream()));
  const form = await request.formData();
  return Response.json({ name: form.get('name'), size: form.get('file').size });
} };`;

let hearth: Hearth;

beforeAll(async () => {
  hearth = await Hearth.start();
  const settings = { runtime: 'nodejs', stream_body: true, websocket: true, max_instances: 1 } as const;
  await hearth.register({ ...settings, function_name: 'node', event_type: 'http|*|/node/*', function_code: HANDLER });
  await hearth.register({ ...settings, function_name: 'web', event_type: 'http|*|/web', function_code: WEB });
});
afterAll(() => hearth?.[Symbol.asyncDispose]());

describe('streamed bodies of functions in Node.js', () => {
  it('reach a handler byte for byte, more than the platform takes of whole ones', async () => {
    const block = randomBytes(MIB);
    const hash = createHash('sha256');
    const sent = request(`${hearth.gateway}/node/hash`, { method: 'POST' });
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
    for (let number = 0; number < 20; number++) {
      block.writeUInt32BE(number);
      const piece = Buffer.from(block);
      hash.update(piece);
      if (!sent.write(piece)) await once(sent, 'drain');
    }
    sent.end();
    const [response] = await answered;
    expect(JSON.parse(await text(response))).toEqual({ bytes: 20 * MIB, sha256: hash.digest('hex'), body: null });
  });

  it.each(['/node/echo', '/web'])('are answered while they come: %s', async (path) => {
    const sent = request(hearth.gateway + path, { method: 'PUT' });
    sent.write('one');
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const pieces: string[] = [];
    for await (const piece of response.setEncoding('utf8')) {
      pieces.push(piece);
      if (pieces.length === 1) sent.end('two');
    }
    expect(pieces).toEqual(['one', 'two']);
  });

  it('may be left unread, and are taken whole from where they come so', async () => {
    const early = await hearth.call('/node/early', { method: 'POST', body: 'x'.repeat(100_000) });
    expect([early.status, await early.text()]).toEqual([200, 'read nothing']);
    const queued = await hearth.call('/node/hash', { method: 'POST', body: 'queued', headers: { Prefer: 'respond-async' } });
    expect(queued.status).toBe(202);
    const record = await hearth.recordWhere(({ id, state }) => id === queued.headers.get('x-correlation-id') && state === 'succeeded');
    expect(record.status).toBe(200);
  });

  it('are forms of a Request', async () => {
    const form = new FormData();
    form.set('name', 'Ada');
    form.set('file', new Blob(['x'.repeat(2 * MIB)]), 'x.txt');
    expect(await json(await hearth.call('/web', { method: 'POST', body: form }))).toEqual({ name: 'Ada', size: 2 * MIB });
  });

  it('break off for the handler when the caller leaves', async () => {
    const sent = request(`${hearth.gateway}/node/hash`, { method: 'POST' });
    sent.on('error', () => undefined);
    sent.write('some of it');
    await until(async () => (await hearth.instances('node')).some(({ state }) => state === 'busy'));
    sent.destroy();
    await until(async () => (await (await hearth.call('/node/left')).text()) === '1');
  });
});

describe('WebSockets of functions in Node.js', () => {
  const sockets: WebSocket[] = [];
  afterAll(() => {
    for (const socket of sockets) socket.terminate();
  });

  /** Opened, with the headers of the answer. */
  async function open(path: string, protocols: string[] = []): Promise<{ socket: WebSocket; headers: IncomingMessage['headers'] }> {
    const socket = new WebSocket(hearth.gateway.replace('http', 'ws') + path, protocols);
    sockets.push(socket);
    const [[response]] = (await Promise.all([once(socket, 'upgrade'), once(socket, 'open')])) as [[IncomingMessage], unknown];
    return { socket, headers: response.headers };
  }
  async function ask(socket: WebSocket, data: string | Buffer): Promise<string | Buffer> {
    socket.send(data);
    const [answer, isBinary] = (await once(socket, 'message')) as [Buffer, boolean];
    return isBinary ? answer : answer.toString();
  }
  const closed = async (socket: WebSocket) => {
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    return [code, reason.toString()];
  };
  const record = (headers: IncomingMessage['headers']) => hearth.recordWhere(({ id }) => id === headers['x-correlation-id']);

  it('carry messages of any size, and pings, until the caller closes', async () => {
    const { socket, headers } = await open('/node/chat', ['a', 'b']);
    expect([socket.protocol, headers['x-room'], socket.extensions]).toEqual(['b', 'blue', '']);
    expect(await ask(socket, 'héllo')).toBe('héllo');
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 700_000]) {
      const data = randomBytes(size);
      expect(data.equals((await ask(socket, data)) as Buffer), `${size} bytes`).toBe(true);
    }
    socket.send('in ', { fin: false });
    socket.ping('there?');
    socket.send('pieces');
    const [[pong], [message]] = (await Promise.all([once(socket, 'pong'), once(socket, 'message')])) as [[Buffer], [RawData]];
    expect([pong.toString(), message.toString()]).toEqual(['there?', 'in pieces']);
    socket.close(4000, 'enough');
    expect(await closed(socket)).toEqual([4000, '']);
    expect(await record(headers)).toMatchObject({ state: 'succeeded', status: 101, logs: '{"code":4000,"reason":"enough"}\n' });
  });

  it('hold up only themselves when a caller does not read', async () => {
    const { socket } = await open('/node/chat');
    socket.pause();
    socket.send('flood');
    const { socket: other } = await open('/node/chat');
    for (let n = 0; n < 5; n++) expect(await ask(other, String(n))).toBe(String(n));
    let bytes = 0;
    socket.on('message', (data: Buffer) => {
      bytes += data.length;
    });
    socket.resume();
    await until(() => bytes === 64 * 65_536);
    expect(await hearth.instances('node')).toHaveLength(1);
  });

  it('are closed with 1000 by a handler that returns, 1011 by one that throws, 1009 for too large a message, and 1007 for what is no text', async () => {
    const returned = await open('/node/chat');
    returned.socket.send('return');
    expect(await closed(returned.socket)).toEqual([1000, '']);
    const threw = await open('/node/chat');
    threw.socket.send('throw');
    expect(await closed(threw.socket)).toEqual([1011, '']);
    expect(await record(threw.headers)).toMatchObject({
      state: 'failed',
      error_code: 'function_failed',
      logs: expect.stringContaining('RangeError: as told'),
    });
    const large = await open('/node/chat');
    large.socket.send(Buffer.alloc(MIB + 1));
    expect(await closed(large.socket)).toEqual([1009, 'a message has more than 1048576 bytes']);
    const broken = await open('/node/chat');
    broken.socket.send(Buffer.from([0xff]), { binary: false });
    expect(await closed(broken.socket)).toEqual([1007, 'a text is no UTF-8']);
  });

  it('are refused by an ordinary answer, and end with a caller that is gone', async () => {
    const refused = new WebSocket(`${hearth.gateway.replace('http', 'ws')}/node/chat?refuse=1`);
    const [, response] = (await once(refused, 'unexpected-response')) as [unknown, IncomingMessage];
    expect([response.statusCode, response.headers['x-why'], await text(response)]).toEqual([403, 'no', 'not you']);
    const { socket, headers } = await open('/node/chat');
    await ask(socket, 'here');
    socket.terminate();
    expect(await record(headers)).toMatchObject({ status: 101 });
    expect((await hearth.call('/node/early', { method: 'POST' })).status).toBe(200);
  });

  it('are the context’s in the web style', async () => {
    const { socket } = await open('/web');
    const ended = closed(socket);
    expect(await ask(socket, 'at')).toBe('at /web');
    expect(await ended).toEqual([1000, '']);
  });
});
