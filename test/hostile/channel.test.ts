import { expect, it } from 'vitest';
import { onOneDriver } from './support/arena.ts';
import { KEPT_NOTHING_BYTES } from './support/footprint.ts';

const MIB = 1024 * 1024;

/** A handler that runs these lines, with what it takes to write frames to the channel; `me` is the id of its invocation. */
const withChannel = (lines: string) => `
import json, os, socket, struct, threading, time
HELLO, READY, LOAD_FAILED, LOG_OUT, LOG_ERR, HEAD, BODY, END, FAILED, EXITED, OPEN, DATA, CLOSE = range(0x81, 0x8e)
calls = 0
def frame(kind, ident, payload=b""):
    return struct.pack(">IBI", len(payload), kind, ident) + payload
def head(ident, streaming=False, status=200, headers=()):
    return frame(HEAD, ident, json.dumps({"status": status, "headers": list(headers), "streaming": streaming}).encode())
def send(data):
    view = memoryview(data)
    while view:
        view = view[os.write(3, view):]
def handler(message, context):
    global calls
    calls += 1
    me = calls
    if message["query"].get("behave"): return "behaved"
${lines.replaceAll(/^/gm, '    ')}
`;

onOneDriver(
  'the channel',
  (arena) => {
    it.each([
      ['bytes that are no frame', 'send(b"GET / HTTP/1.1\\r\\n\\r\\n" * 1000)'],
      ['random bytes', 'import random\nsend(b"\\xff" + random.Random(1).randbytes(100000))'],
      ['a length beyond the bound', 'send(b"\\xff\\xff\\xff\\xff")'],
      ['a frame of an unknown type', 'send(frame(0x42, me))'],
      ["a frame that is the platform's to send", 'send(frame(0x03, me, b"{}"))'],
      ['a second Hello', 'send(frame(HELLO, 0, b\'{"protocol": 1, "runtime": "python", "version": "3"}\'))'],
      ['a second Ready', 'send(frame(READY, 0, b\'{"concurrency": 1000, "preloaded": [], "excluded": []}\'))'],
      ['a LoadFailed after Ready', 'send(frame(LOAD_FAILED, 0, b\'{"type": "A", "message": "b"}\'))'],
      ['a head that is no JSON', 'send(frame(HEAD, me, b"{"))'],
      ['a head that is a list', 'send(frame(HEAD, me, b"[]"))'],
      ['a head of 500,000 levels', 'send(frame(HEAD, me, b"[" * 500000 + b"]" * 500000))'],
      ['headers of 300,000 levels', 'send(frame(HEAD, me, b\'{"status": 200, "headers": \' + b"[" * 300000 + b"]" * 300000 + b"}"))'],
      ['a head without a status', 'send(frame(HEAD, me, b\'{"__proto__": {"status": 200}, "headers": []}\'))'],
      ['a header without a value', 'send(frame(HEAD, me, b\'{"status": 200, "headers": ["a"]}\'))'],
      ['the reply of an invocation that never was', 'send(head(me + 1) + frame(END, me + 1))'],
      ['the reply of the last invocation there could be', 'send(head(4294967295) + frame(END, 4294967295))'],
      ['a reply for no invocation', 'send(head(0) + frame(END, 0))'],
      ['the end of a process that no handler has', 'send(frame(EXITED, me, b\'{"code": 0}\'))'],
      ['a connection that no handler can have', 'send(frame(OPEN, 1))'],
      ['a connection that never was', 'send(frame(DATA, 7, b"AMQP"))'],
      ['half a frame before its answer', 'send(b"\\0\\0\\0")'],
    ])('that gets %s loses its sandbox, and the platform none of its wits', async (_, line) => {
      const name = await arena.define(withChannel(`${line}\nreturn "answered"`), { timeout_ms: 5000 });
      await arena.withNeighbour(async () => {
        const answer = await arena.call(name);
        expect([answer.status, (answer.json() as { code: string }).code]).toEqual([502, 'runtime_protocol_error']);
        const next = await arena.call(name, { query: '?behave=1' });
        expect([next.status, next.text, next.headers.get('x-hearth-start')]).toEqual([200, 'behaved', 'cold']);
      });
    });

    it.each([
      ['a body before the head', 'send(frame(BODY, me, b"x"))', 502],
      ['an end before the head', 'send(frame(END, me))', 502],
      ['two heads', 'send(head(me) + head(me))', 502],
      ['a status that HTTP has not', 'send(head(me, status=1000) + frame(END, me))', 502],
      ['a header with a line break', 'send(head(me, headers=["a", "b\\r\\nSet-Cookie: c=d"]) + frame(END, me))', 502],
      [
        'a failure of 1 MB',
        'send(frame(FAILED, me, json.dumps({"type": "T" * 300000, "message": "m" * 300000, "trace": "t" * 300000}).encode()))',
        502,
      ],
      ['two answers: the first counts', 'send((head(me) + frame(BODY, me, b"first") + frame(END, me)) * 2)', 200],
      [
        'a failure after the answer',
        'send(head(me) + frame(BODY, me, b"first") + frame(END, me) + frame(FAILED, me, b\'{"type": "A", "message": "b"}\'))',
        200,
      ],
    ])('that gets %s answers once, and the next call gets its own answer', async (_, line, status) => {
      const name = await arena.define(withChannel(`${line}\nreturn "late"`));
      await arena.withNeighbour(async () => {
        const answer = await arena.call(name);
        expect(answer.status).toBe(status);
        if (status === 200) expect(answer.text).toBe('first');
        expect(answer.text.length).toBeLessThan(100_000);
        expect(answer.headers.get('set-cookie')).toBeNull();
        for (let n = 0; n < 3; n++) expect((await arena.call(name, { query: '?behave=1' })).text).toBe('behaved');
      });
    });

    it('that gets replies for invocations which are over drops them', async () => {
      const lines = `
if me > 1: send(b"".join(head(n) + frame(BODY, n, b"forged") + frame(END, n) + frame(LOG_OUT, n, b"forged") for n in range(1, me)))
return "mine"`;
      const name = await arena.define(withChannel(lines));
      await arena.withNeighbour(async () => {
        for (let n = 0; n < 5; n++) {
          const answer = await arena.call(name);
          expect(answer.text).toBe('mine');
          expect((await arena.hearth.record(answer.response)).logs).toBeNull();
        }
      });
    });

    it.each([
      ['a second head', 'send(head(me))'],
      ['a header that is not allowed, in a second head', 'send(head(me, headers=["a", "\\r"]))'],
      ['a failure', 'send(frame(FAILED, me, b\'{"type": "A", "message": "b"}\'))'],
      ['the end of a process', 'send(frame(EXITED, me, b\'{"code": 0}\'))'],
      ['its own descriptor closed', 'os.close(3)'],
      ['nothing more', 'time.sleep(1000)'],
    ])('on which a stream is followed by %s breaks the answer off', async (_, line) => {
      const name = await arena.define(withChannel(`send(head(me, True) + frame(BODY, me, b"begun"))\ntime.sleep(0.1)\n${line}\ntime.sleep(1000)`), {
        timeout_ms: 3000,
      });
      const answer = await arena.withNeighbour(() => arena.call(name));
      expect(answer.status).toBe(200);
      expect(answer.text).toMatch(/^broken off/);
    });

    it.each([
      ['closed', 'os.close(3)'],
      ['put aside', 'os.dup2(os.open("/dev/null", os.O_RDWR), 3)'],
      ['half closed for writing', 'socket.socket(fileno=3).shutdown(socket.SHUT_WR)'],
      ['half closed for reading', 'socket.socket(fileno=3).shutdown(socket.SHUT_RD)'],
    ])('that is %s by its function serves the next call anew', async (_, line) => {
      const name = await arena.define(withChannel(`${line}\ntime.sleep(1000)`), { timeout_ms: 10_000 });
      await arena.withNeighbour(async () => {
        const answer = await arena.call(name);
        expect([answer.status, (answer.json() as { code: string }).code]).toEqual([502, 'runtime_protocol_error']);
        const next = await arena.call(name, { query: '?behave=1' });
        expect([next.status, next.text]).toEqual([200, 'behaved']);
      });
    });

    it('from which threads steal what comes serves again once a deadline has passed', async () => {
      const steal = 'for _ in range(8): threading.Thread(target=lambda: os.read(3, 65536), daemon=True).start()\nreturn "stolen"';
      const name = await arena.define(withChannel(steal), { timeout_ms: 1000 });
      await arena.withNeighbour(async () => {
        expect((await arena.call(name)).text).toBe('stolen');
        // Who reads first is chance; a call that was stolen ends with its deadline, and with the sandbox.
        const next = await arena.call(name, { query: '?behave=1' });
        expect([200, 502, 504]).toContain(next.status);
        if (next.status !== 200) expect((await arena.call(name, { query: '?behave=1' })).text).toBe('behaved');
      });
    });

    it.each([
      ['empty pieces of a reply', 'send(head(me))\nwhile True: send(frame(BODY, me) * 10000)', 504],
      ['empty lines of its log', 'while True: send(frame(LOG_OUT, me) * 10000)', 504],
      ['bytes of its log, one by one', 'while True: send(frame(LOG_ERR, me, b"x") * 10000)', 504],
      ['bytes of a reply, one by one', 'send(head(me))\nwhile True: send(frame(BODY, me, b"x") * 10000)', 502],
      [
        'a frame of 1 MB, byte by byte',
        'send(frame(HEAD, me, b"x" * 1048576)[:9])\nfor n in range(1000000): os.write(3, b"x")\ntime.sleep(1000)',
        504,
      ],
      ['heads of 1 MB for what is over', 'huge = head(me, headers=["a", "b"] * 50000)\nsend(head(me) + frame(END, me))\nwhile True: send(huge)', 200],
    ])('that is flooded with %s holds no more memory for it', async (_, lines, status) => {
      const name = await arena.define(withChannel(lines), { timeout_ms: status === 504 ? 2000 : 15_000 });
      await arena.call('neighbour', { query: '?n=0' });
      arena.footprint.resetPeak();
      const before = arena.footprint.peakBytes();
      const answer = await arena.withNeighbour(() => arena.call(name));
      expect(answer.status).toBe(status);
      expect(arena.footprint.peakBytes() - before).toBeLessThan(KEPT_NOTHING_BYTES);
    });
  },
  { settings: { HEARTH_GATEWAY_MAX_REPLY_BYTES: String(MIB) } },
);
