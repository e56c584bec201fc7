import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Agent, PYTHONS, type Request, type Running, text } from '../../support/agent.ts';
import { clientFrame, closeFrame, describeFrame, Opcode, serverFrames } from '../../support/websocket-frames.ts';

/** An asynchronous handler; the plain one is the same without `async` and `await`. */
const ASYNC = `
import hearth

async def handler(message, context):
    path, handshake = message["path"], message["websocket"]
    if handshake is None:
        return "no handshake"
    if path == "/refuse":
        return {"statusCode": 403, "body": "not you"}
    if path == "/protocol":
        chosen = handshake.subprotocols[-1] if handshake.subprotocols else None
        ws = await handshake.accept(subprotocol=chosen, headers={"X-Chosen": chosen})
        await ws.send(repr((handshake.subprotocols, ws.subprotocol)))
        return
    ws = await handshake.accept(max_message_bytes=2_000_000)
    if path == "/echo":
        async for data in ws:
            await ws.send(data)
        print("closed", ws.code, ws.reason)
    elif path == "/receive":
        try:
            while True:
                print("got", await ws.receive())
        except hearth.WebSocketClosed as closed:
            print("closed", closed.code, closed.reason)
            try:
                await ws.send("x")
            except hearth.WebSocketClosed as closed:
                print("again", closed.code)
    elif path == "/raise":
        await ws.receive()
        raise ValueError("no")
    elif path == "/uncaught":
        while True:
            await ws.receive()
    elif path == "/close":
        await ws.ping("p")
        await ws.close(4001, "enough")
        print("closed", ws.code, ws.reason)
    elif path == "/big":
        await ws.send(b"x" * 1_500_000)
        print("sent")
    elif path == "/wrong":
        for call in (lambda: ws.close(1006), lambda: ws.send(7), lambda: ws.ping(b"x" * 126), lambda: handshake.accept()):
            try:
                await call()
            except Exception as error:
                print(type(error).__name__)
`;
const PLAIN = ASYNC.replaceAll(/\b(async|await) /g, '');
const MODES = [
  { mode: 'a plain handler', code: PLAIN, concurrency: 1 },
  { mode: 'a plain handler in threads', code: PLAIN, concurrency: 4 },
  { mode: 'an asynchronous handler', code: ASYNC, concurrency: 4 },
];
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

function sent(running: Running): string[] {
  return serverFrames(Buffer.concat(running.pieces)).map(describeFrame);
}

const GENERATOR = `
async def handler(message, context):
    if message["websocket"] is not None:
        ws = await message["websocket"].accept()
        await ws.send("hello")
        if message["path"] == "/wrong":
            yield "by the way"
        return
    yield "plain"
    yield " answer"
`;

describe.each(PYTHONS)('a WebSocket on %s', (python) => {
  test.each([
    ['a plain', GENERATOR.replaceAll(/(async|await) /g, '')],
    ['an asynchronous', GENERATOR],
  ])('is no business of the pieces of %s generator', async (_, code) => {
    await using agent = await Agent.load({ python, style: 'handler', code, websocket: true });
    const begin = (path: string) => agent.invoke({ path, streamed: true, upgrade: 'websocket', headers: ['Sec-WebSocket-Key', KEY] });
    const running = begin('/');
    await running.piece(0);
    running.write(closeFrame(1000));
    expect((await running.done).failed).toBeUndefined();
    expect(sent(running)).toEqual(['"hello"', 'close 1000']);
    const wrong = begin('/wrong');
    await wrong.piece(0);
    wrong.write(closeFrame(1011));
    expect((await wrong.done).failed?.message).toContain('has accepted a WebSocket');
    expect(sent(wrong)).toEqual(['"hello"', 'close 1011']);
    expect(text(await agent.call())).toBe('plain answer');
  });

  describe.each(MODES)('of $mode', ({ code, concurrency }) => {
    let agent: Agent;
    beforeAll(async () => {
      agent = await Agent.load({ python, style: 'handler', code, concurrency, websocket: true });
    });
    afterAll(() => agent[Symbol.asyncDispose]());

    const begin = (path: string, { headers = [], ...request }: Request = {}) =>
      agent.invoke({
        path,
        verb: 'GET',
        streamed: true,
        upgrade: 'websocket',
        headers: ['Host', 'localhost', 'Sec-WebSocket-Key', KEY, ...headers],
        ...request,
      });
    const open = async (path: string, request: Request = {}) => {
      const running = begin(path, request);
      expect((await running.head()).status).toBe(101);
      return running;
    };
    const seen = (running: Running, frames: string[]) =>
      agent.until(() => sent(running).length >= frames.length).then(() => expect(sent(running)).toEqual(frames));

    test('is accepted with the key, a subprotocol and headers, and closed with 1000 by returning', async () => {
      const running = begin('/protocol', { headers: ['Sec-WebSocket-Protocol', 'chat, superchat'] });
      expect(await running.head()).toEqual({
        status: 101,
        headers: ['Sec-WebSocket-Accept', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=', 'Sec-WebSocket-Protocol', 'superchat', 'X-Chosen', 'superchat'],
        streaming: true,
      });
      await seen(running, [`"(['chat', 'superchat'], 'superchat')"`, 'close 1000']);
      running.write(closeFrame(1000));
      expect((await running.done).failed).toBeUndefined();
    });

    test('may be refused, and other requests are answered as ever', async () => {
      const refused = await begin('/refuse').done;
      expect([refused.head?.status, text(refused)]).toEqual([403, 'not you']);
      expect(text(await agent.call({ path: '/echo', body: 'x' }))).toBe('no handshake');
    });

    test('carries texts and bytes both ways, whole or in fragments with pings between them', async () => {
      const running = await open('/echo');
      running.write(clientFrame(Opcode.text, 'grüß dich'));
      await seen(running, ['"grüß dich"']);
      const frames = Buffer.concat([
        clientFrame(Opcode.binary, 'ab', { fin: false }),
        clientFrame(Opcode.ping, 'between'),
        clientFrame(Opcode.continuation, 'cd'),
      ]);
      for (const byte of frames) running.write(Buffer.from([byte]));
      await seen(running, ['"grüß dich"', 'pong between', '<abcd>']);
      running.write(closeFrame(3001, 'bye'));
      const outcome = await running.done;
      expect(sent(running).at(-1)).toBe('close 3001 bye');
      expect([outcome.failed, outcome.stdout.toString()]).toEqual([undefined, 'closed 3001 bye\n']);
    });

    test('tells who receives of the close, after the messages before it', async () => {
      const running = await open('/receive');
      running.write(Buffer.concat([clientFrame(Opcode.text, 'a'), clientFrame(Opcode.text, 'b'), closeFrame(1001, 'away')]));
      const outcome = await running.done;
      expect(outcome.stdout.toString()).toBe('got a\ngot b\nclosed 1001 away\nagain 1001\n');
      expect(outcome.failed).toBeUndefined();
    });

    test('that the caller leaves without a close is closed with 1006', async () => {
      const running = await open('/receive');
      running.end();
      expect((await running.done).stdout.toString()).toBe('closed 1006 \nagain 1006\n');
    });

    test('is closed with 1011 by a handler that raises', async () => {
      const running = await open('/raise');
      running.write(clientFrame(Opcode.text));
      await seen(running, ['close 1011']);
      running.write(closeFrame(1011));
      expect((await running.done).failed).toMatchObject({ type: 'ValueError', message: 'no' });
    });

    test('whose peer has left is no failure of a handler that waits for more', async () => {
      const running = await open('/uncaught');
      running.write(closeFrame(1000));
      expect((await running.done).failed).toBeUndefined();
    });

    test('is closed by the handler, which waits for the answer', async () => {
      const running = await open('/close');
      await seen(running, ['ping p', 'close 4001 enough']);
      running.write(Buffer.concat([clientFrame(Opcode.pong, 'p'), clientFrame(Opcode.text, 'late'), closeFrame(4001, 'right')]));
      expect((await running.done).stdout.toString()).toBe('closed 4001 right\n');
    });

    test('whose peer does not answer the close ends all the same', async () => {
      const running = await open('/close');
      expect((await running.done).stdout.toString()).toMatch(/^closed 1006 /);
    });

    test.each([
      ['an unmasked frame', Buffer.from([0x81, 0x01, 0x78]), 1002],
      ['reserved bits', Buffer.from([0xc1, 0x81, 0, 0, 0, 0, 0x78]), 1002],
      ['a gigantic length', Buffer.from('82ff7fffffffffffffff', 'hex'), 1009],
      ['text that is no UTF-8', clientFrame(Opcode.text, Buffer.from([0xc0, 0xaf])), 1007],
    ])('that brings %s is closed', async (_, data, code) => {
      const running = await open('/receive');
      running.write(data);
      const outcome = await running.done;
      expect(sent(running)).toEqual([expect.stringMatching(`^close ${code}`)]);
      expect(outcome.stdout.toString()).toMatch(`closed ${code}`);
    });

    test('keeps to both windows', async () => {
      const running = await open('/echo', { credits: false });
      const message = clientFrame(Opcode.binary, Buffer.alloc(1_000_000, 'm'));
      let written = 0;
      while (written < message.length) {
        const size = Math.min(100_000, message.length - written);
        await agent.until(() => written + size - running.credited() <= 262_144);
        running.write(message.subarray(written, written + size));
        written += size;
      }
      let given = 0;
      for (let wanted = 262_144; given < 1_000_010; wanted += 200_000) {
        await agent.until(() => Buffer.concat(running.pieces).length >= Math.min(wanted, 1_000_010));
        given = Buffer.concat(running.pieces).length;
        expect(given).toBeLessThanOrEqual(wanted);
        agent.creditReply(running.id, 200_000);
      }
      running.write(closeFrame(1000));
      expect((await running.done).failed).toBeUndefined();
      expect(serverFrames(Buffer.concat(running.pieces))[0]?.payload.equals(Buffer.alloc(1_000_000, 'm'))).toBe(true);
    });

    test('that is cancelled while its peer does not read ends, and others go on', async () => {
      const running = await open('/big', { credits: false });
      await agent.until(() => Buffer.concat(running.pieces).length === 262_144);
      agent.cancel(running.id);
      expect((await running.done).stdout.toString()).toBe('');
      expect(text(await agent.call({ path: '/echo' }))).toBe('no handshake');
    });

    test('refuses what it can’t do', async () => {
      const running = await open('/wrong');
      running.write(closeFrame(1000));
      expect((await running.done).stdout.toString()).toBe('ValueError\nTypeError\nValueError\nRuntimeError\n');
    });

    if (concurrency > 1) {
      test('is open beside others', async () => {
        const all = await Promise.all([1, 2, 3, 4].map(() => open('/echo')));
        for (const [i, one] of all.entries()) one.write(clientFrame(Opcode.text, String(i)));
        for (const [i, one] of all.entries()) await seen(one, [`"${i}"`]);
        for (const one of all) one.write(closeFrame(1000));
        for (const one of all) expect((await one.done).failed).toBeUndefined();
      });
    }
  });
});
