import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Agent, json, PYTHONS, type Request, text } from '../../support/agent.ts';

/** What is told apart by path, once as a plain handler and once as an asynchronous one. */
const PLAIN = `
import hashlib, os, socket, time
import hearth

def echo(stream):
    for piece in stream:
        yield piece

def handler(message, context):
    path, stream = message["path"], message["stream"]
    if path == "/echo":
        return echo(stream)
    if path == "/read":
        return {"has": [message["body"], message["raw_body"]], "read": [stream.read(n).decode() for n in (3, 0, 5, -1, -1)]}
    if path == "/digest":
        return hashlib.sha256(stream.read()).hexdigest()
    if path == "/first":
        return next(stream)
    if path == "/slow":
        print("begun")
        while not os.path.exists("go"):
            time.sleep(0.01)
        return str(len(stream.read()))
    if path == "/service":
        got = []
        with socket.create_connection(("message_queue", int(message["query"]["port"]))) as s:
            for piece in stream:
                s.sendall(piece)
                got.append(s.recv(100).decode())
        return got
    if path == "/late":
        global kept
        kept = stream
        return "answered"
    if path == "/afterwards":
        try:
            return kept.read().decode()
        except ValueError as error:
            return str(error)
    raise LookupError(path)
`;
const ASYNC = `
import asyncio, hashlib, os
import hearth

async def echo(stream):
    async for piece in stream:
        yield piece

async def handler(message, context):
    path, stream = message.path, message.stream
    if path == "/echo":
        return echo(stream)
    if path == "/read":
        return {"has": [message.body, message.raw_body], "read": [(await stream.read(n)).decode() for n in (3, 0, 5, -1, -1)]}
    if path == "/digest":
        return hashlib.sha256(await stream.read()).hexdigest()
    if path == "/first":
        async for piece in stream:
            return piece
    if path == "/slow":
        print("begun")
        while not os.path.exists("go"):
            await asyncio.sleep(0.01)
        return str(len(await stream.read()))
    if path == "/service":
        got = []
        reader, writer = await asyncio.open_connection("message_queue", int(message.query["port"]))
        async for piece in stream:
            writer.write(piece)
            got.append((await reader.read(100)).decode())
        writer.close()
        return got
    if path == "/late":
        global kept
        kept = stream
        return "answered"
    if path == "/afterwards":
        try:
            return (await kept.read()).decode()
        except ValueError as error:
            return str(error)
    raise LookupError(path)
`;
const MODES = [
  { mode: 'a plain handler', code: PLAIN, concurrency: 1 },
  { mode: 'a plain handler in threads', code: PLAIN, concurrency: 4 },
  { mode: 'an asynchronous handler', code: ASYNC, concurrency: 4 },
];
const WINDOW = 262_144;

describe.each(PYTHONS)('a streamed body on %s', (python) => {
  describe.each(MODES)('of $mode', ({ code, concurrency }) => {
    let agent: Agent;
    beforeAll(async () => {
      agent = await Agent.load({
        python,
        style: 'handler',
        code,
        concurrency,
        streamBody: true,
        listen: true,
        onStreamData: (stream) => stream.write(`${stream.received.length}`),
      });
    });
    afterAll(() => agent[Symbol.asyncDispose]());

    const begin = (path: string, request: Request = {}) => agent.invoke({ path, streamed: true, ...request });

    test('is read piece by piece while the answer goes out', async () => {
      const running = begin('/echo');
      for (const [n, piece] of ['one', 'two', 'three'].entries()) {
        running.write(piece);
        expect((await running.piece(n)).toString()).toBe(piece);
      }
      running.end();
      expect((await running.done).failed).toBeUndefined();
    });

    test('is read by length, and may come whole', async () => {
      const expected = { has: [null, null], read: ['one', '', 'two4f', 'our', ''] };
      const running = begin('/read');
      for (const piece of ['onet', 'w', 'o4', 'four']) running.write(piece);
      running.end();
      expect(json(await running.done)).toEqual(expected);
      expect(json(await agent.call({ path: '/read', body: 'onetwo4four' }))).toEqual(expected);
      expect(json(await agent.call({ path: '/read' }))).toEqual({ ...expected, read: ['', '', '', '', ''] });
    });

    test('of many windows is credited as it is read', async () => {
      const running = begin('/digest');
      const hash = createHash('sha256');
      let sent = 0;
      for (let n = 0; n < 64; n += 1) {
        const piece = Buffer.alloc(37_000, n);
        await agent.until(() => sent + piece.length - running.credited() <= WINDOW);
        running.write(piece);
        hash.update(piece);
        sent += piece.length;
      }
      running.end();
      expect(text(await running.done)).toBe(hash.digest('hex'));
      expect(running.credited()).toBeLessThanOrEqual(sent);
    });

    test('is credited no sooner, and what comes after the answer is dropped', async () => {
      const running = begin('/first');
      running.write('first');
      expect(text(await running.done)).toBe('first');
      running.write(Buffer.alloc(WINDOW - 5));
      running.end();
      expect(running.credited()).toBe(0);
      expect(text(await agent.call({ path: '/echo', body: 'next' }))).toBe('next');
    });

    test('that breaks off fails the invocation that waits for it, and no other', async () => {
      const running = begin('/digest');
      running.write('half');
      agent.cancel(running.id);
      expect((await running.done).failed?.type).toMatch(/^(Cancelled|ConnectionResetError)$/);
      expect(text(await agent.call({ path: '/echo', body: 'next' }))).toBe('next');
    });

    test('comes beside the frames of a service', async () => {
      const running = begin('/service', { query: `port=${agent.port}` });
      for (let n = 0; n < 5; n += 1) {
        running.write('ab');
        await agent.until(() => agent.streams.at(-1)?.received.length === 2 * n + 2);
      }
      running.end();
      expect(json(await running.done)).toEqual(['2', '4', '6', '8', '10']);
    });

    test('is nobody’s after its invocation', async () => {
      const running = begin('/late');
      running.write('late');
      expect(text(await running.done)).toBe('answered');
      running.end();
      expect(text(await agent.call({ path: '/afterwards' }))).toBe('the invocation is over');
    });
  });
});
