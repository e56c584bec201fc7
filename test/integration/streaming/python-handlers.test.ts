import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Hearth } from '../../support/hearth.ts';

/** An asynchronous handler; the plain one is the same without `async` and `await`. */
const ASYNC = `
import hashlib
import hearth

async def handler(message, context):
    if message["path"].endswith("/digest"):
        digest = hashlib.sha256()
        async for piece in message["stream"]:
            digest.update(piece)
        return digest.hexdigest()
    if message["websocket"] is not None:
        return await talk(message["websocket"])
    return echo(message["stream"])

async def echo(stream):
    async for piece in stream:
        yield piece.upper()

members = []

async def talk(handshake):
    if handshake.subprotocols == ["nobody"]:
        return {"statusCode": 403, "body": "not you"}
    ws = await handshake.accept(subprotocol=handshake.subprotocols[-1] if handshake.subprotocols else None)
    members.append(ws)
    try:
        async for data in ws:
            if data == "raise":
                raise ValueError("as you wish")
            if data == "close":
                await ws.close(4001, "enough")
            elif data == "all":
                for member in members:
                    await member.send("to all")
            else:
                await ws.send(data)
    finally:
        members.remove(ws)
        print("left", ws.code)
`;
const PLAIN = ASYNC.replaceAll(/\b(async|await) /g, '');

let hearth: Hearth;
beforeAll(async () => {
  hearth = await Hearth.start();
  const both = { stream_body: true, websocket: true, max_instances: 1 };
  await hearth.define('async/*', ASYNC, { function_name: 'asynchronous', event_type: 'http|*|/async/*', ...both });
  await hearth.define('plain/*', PLAIN, { function_name: 'plain', event_type: 'http|*|/plain/*', concurrency: 4, ...both });
  await hearth.define('one/*', PLAIN, { function_name: 'one', event_type: 'http|*|/one/*', ...both });
});
afterAll(() => hearth[Symbol.asyncDispose]());

function post(path: string) {
  const sent = request(hearth.gateway + path, { method: 'POST', agent: false });
  return { sent, answer: once(sent, 'response').then(([response]) => response as IncomingMessage) };
}

async function open(path: string, protocols: string[] = []): Promise<{ socket: WebSocket; id: string; closed: Promise<string> }> {
  const socket = new WebSocket(hearth.gateway.replace('http', 'ws') + path, protocols);
  const closed = once(socket, 'close').then(([code, reason]) => `${code} ${reason}`.trim());
  const [[response]] = await Promise.all([once(socket, 'upgrade'), once(socket, 'open')]);
  return { socket, closed, id: response.headers['x-correlation-id'] };
}

async function ask(socket: WebSocket, message: string | Buffer): Promise<string | Buffer> {
  const answered = once(socket, 'message');
  socket.send(message);
  const [data, binary] = await answered;
  return binary ? data : data.toString();
}

const recordOf = (id: string) => hearth.recordWhere((record) => record.id === id);

describe.each(['async', 'plain', 'one'])('a handler in Python (%s)', (kind) => {
  test('answers a body while it comes', async () => {
    const { sent, answer } = post(`/${kind}/echo`);
    sent.write('one');
    const response = await answer;
    const pieces = response.setEncoding('utf8')[Symbol.asyncIterator]();
    expect((await pieces.next()).value).toBe('ONE');
    sent.write('two');
    expect((await pieces.next()).value).toBe('TWO');
    sent.end();
    expect((await pieces.next()).done).toBe(true);
  });

  test('reads a body of many windows, and one that came whole', async () => {
    const body = Buffer.alloc(5_000_000, 'some text');
    const digest = createHash('sha256').update(body).digest('hex');
    expect(await (await hearth.call(`/${kind}/digest`, { method: 'POST', body })).text()).toBe(digest);
    const accepted = await hearth.call(`/${kind}/digest`, { method: 'POST', body: 'queued', headers: { Prefer: 'respond-async' } });
    expect(accepted.status).toBe(202);
    const id = accepted.headers.get('x-correlation-id');
    await hearth.recordWhere((record) => record.id === id && record.status === 200);
  });

  test('is told when its caller breaks off, and goes on with the next', async () => {
    const { sent, answer } = post(`/${kind}/echo`);
    answer.catch(() => undefined);
    sent.on('error', () => undefined);
    sent.write('half');
    const id = (await answer).headers['x-correlation-id'] as string;
    sent.destroy();
    expect((await recordOf(id)).error_code).toBe('client_gone');
    expect(await (await hearth.call(`/${kind}/echo`, { method: 'POST', body: 'next' })).text()).toBe('NEXT');
  });

  test('talks by a WebSocket', async () => {
    const { socket, closed, id } = await open(`/${kind}/ws`, ['chat', 'superchat']);
    expect(socket.protocol).toBe('superchat');
    expect(await ask(socket, 'grüß dich')).toBe('grüß dich');
    const bytes = Buffer.alloc(1_000_000, 'bytes');
    expect(bytes.equals((await ask(socket, bytes)) as Buffer)).toBe(true);
    socket.ping('are you there');
    expect(String((await once(socket, 'pong'))[0])).toBe('are you there');
    socket.close(3000, 'bye');
    expect(await closed).toBe('3000 bye');
    expect(await recordOf(id)).toMatchObject({ state: 'succeeded', logs: expect.stringContaining('left 3000') });
  });

  test('closes it, raises, or refuses it', async () => {
    const first = await open(`/${kind}/ws`);
    first.socket.send('close');
    expect(await first.closed).toBe('4001 enough');
    const second = await open(`/${kind}/ws`);
    second.socket.send('raise');
    expect(await second.closed).toBe('1011');
    expect(await recordOf(second.id)).toMatchObject({ state: 'failed', error_message: expect.stringContaining('as you wish') });
    const third = new WebSocket(`${hearth.gateway.replace('http', 'ws')}/${kind}/ws`, ['nobody']);
    const [, response] = await once(third, 'unexpected-response');
    expect(response.statusCode).toBe(403);
    response.resume();
  });

  test('closes a WebSocket that brings too much, or leaves without a word', async () => {
    const first = await open(`/${kind}/ws`);
    first.socket.send(Buffer.alloc(1_100_000));
    expect(await first.closed).toMatch(/^1009 /);
    const second = await open(`/${kind}/ws`);
    expect(await ask(second.socket, 'x')).toBe('x');
    second.socket.terminate();
    expect(await recordOf(second.id)).toMatchObject({ logs: expect.stringContaining('left 1006') });
    expect(await (await hearth.call(`/${kind}/echo`, { method: 'POST', body: 'next' })).text()).toBe('NEXT');
  });
});

test.each(['async', 'plain'])('WebSockets in one instance (%s) reach each other', async (kind) => {
  const all = await Promise.all([1, 2, 3].map(() => open(`/${kind}/ws`)));
  const heard = Promise.all(all.map(async ({ socket }) => String((await once(socket, 'message'))[0])));
  all[1]?.socket.send('all');
  expect(await heard).toEqual(['to all', 'to all', 'to all']);
  for (const { socket, closed } of all) {
    socket.close(1000);
    expect(await closed).toBe('1000');
  }
});

test('a WebSocket that outlives the timeout of its function invokes others all the same', async () => {
  const code = `
import time
import hearth

def handler(message, context):
    ws = message["websocket"].accept()
    for data in ws:
        time.sleep(context.remaining_ms() / 1000 + 0.1)
        ws.send(hearth.invoke("more", data))
`;
  await hearth.define('more', 'def handler(message):\n    return message["body"] + " more"\n');
  await hearth.define('lasting', code, { websocket: true, timeout_ms: 500, invokes: ['more'] });
  const { socket, closed, id } = await open('/lasting');
  expect(await ask(socket, 'one')).toBe('one more');
  socket.close();
  expect(await closed).toBe('1005');
  expect((await recordOf(id)).state).toBe('succeeded');
});
