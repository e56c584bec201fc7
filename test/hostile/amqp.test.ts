import { expect, it } from 'vitest';
import { sleep, until } from '../support/hearth.ts';
import { onOneDriver } from './support/arena.ts';
import { KEPT_NOTHING_BYTES } from './support/footprint.ts';

const MIB = 1024 * 1024;

/** Enough AMQP 0-9-1 to do wrong by hand. */
const AMQP = `
import os, socket, struct, sys, time
MINE = next(line.split(": ")[1] for line in os.environ["HTTP_HEADER"].splitlines() if line.startswith("X-Correlation-Id: "))
def short(text): return bytes([len(text)]) + text.encode()
def frame(kind, channel, payload): return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\\xce"
def method(channel, cls, number, args=b""): return frame(1, channel, struct.pack(">HH", cls, number) + args)
def handshake(s):
    s.sendall(b"AMQP\\0\\0\\x09\\x01")
    s.recv(65536)
    s.sendall(method(0, 10, 11, struct.pack(">I", 0) + short("PLAIN") + struct.pack(">I", 4) + b"\\0a\\0b" + short("en_US")))
    s.recv(65536)
    s.sendall(method(0, 10, 31, struct.pack(">HIH", 64, 131072, 0)) + method(0, 10, 40, short("/") + short("") + b"\\0"))
    return s.recv(65536)
def connect():
    s = socket.create_connection(("message_queue", 5672), timeout=5)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s
def opened(channel=1):
    s = connect()
    handshake(s)
    s.sendall(method(channel, 20, 10, b"\\0"))
    s.recv(65536)
    return s
def publish(channel, key, body, size=None, exchange=""):
    head = struct.pack(">HHQH", 60, 0, len(body) if size is None else size, 0)
    return method(channel, 60, 40, b"\\0\\0" + short(exchange) + short(key) + b"\\0") + frame(2, channel, head) + (frame(3, channel, body) if body else b"")
def answer(text):
    s = opened()
    s.sendall(publish(1, MINE, text.encode()))
    s.sendall(method(0, 10, 50, struct.pack(">H", 200) + short("") + struct.pack(">HH", 0, 0)))
    while s.recv(65536): pass
`;

onOneDriver(
  'the reply endpoint',
  (arena) => {
    it('takes the answers of the calls of one sandbox only: who names another call is refused, and that call gets its own answer', async () => {
      const victim = await arena.define(`${AMQP}\nprint("id", MINE, flush=True)\ntime.sleep(1.5)\nanswer("the victim's own")`);
      const thief = await arena.define(`${AMQP}
s = opened()
key = os.environ["HTTP_QUERY"]
s.sendall(method(1, 50, 10, b"\\0\\0" + short(key) + b"\\0" + struct.pack(">I", 0)))
said = s.recv(65536)
assert struct.pack(">H", 403) in said, said
s = opened()
for n in range(20): s.sendall(publish(1, key, b"stolen"))
said = s.recv(65536)
answer("refused" if struct.pack(">H", 403) in said else "taken")
`);
      await arena.withNeighbour(async () => {
        const waiting = arena.call(victim);
        const [instance] = await until(async () => {
          const live = await arena.hearth.instances(victim);
          return live[0]?.state === 'busy' && live;
        });
        const id = await until(async () => {
          const logs = await (await fetch(`${arena.hearth.api}/functions/instances/${instance?.id}/logs`)).text();
          return /id (\S+)/.exec(logs)?.[1];
        });
        expect((await arena.call(thief, { query: `?${id}` })).text).toBe('refused');
        expect((await waiting).text).toBe("the victim's own");
      });
    });

    it.each([
      ['bytes that are no AMQP', 's = connect()\ns.sendall(os.urandom(100000))'],
      ['HTTP', 's = connect()\ns.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n" * 1000)'],
      ['a frame of 4 GB', 's = opened()\ns.sendall(b"\\x01\\0\\0\\xff\\xff\\xff\\xff" + bytes(65536))'],
      ['a frame without its end', 's = opened()\ns.sendall(frame(1, 1, b"\\0\\x3c\\0\\x28")[:-1] + b"\\0")'],
      [
        'a message of 1 GB',
        's = opened()\ns.sendall(publish(1, MINE, b"", size=1 << 30))\nfor _ in range(160): s.sendall(frame(3, 1, bytes(65536)))',
      ],
      ['a message without an end of its size', 's = opened()\ns.sendall(publish(1, MINE, b"x", size=1 << 62))'],
      [
        'unfinished messages on each of 64 channels',
        's = opened()\nfor c in range(2, 65): s.sendall(method(c, 20, 10, b"\\0") + publish(c, MINE, b"x" * 1000, size=1 << 20))',
      ],
      [
        'tables in tables',
        's = connect()\ns.sendall(b"AMQP\\0\\0\\x09\\x01")\ns.recv(65536)\nt = b""\nfor _ in range(1000): t = short("a") + b"F" + struct.pack(">I", len(t)) + t\ns.sendall(method(0, 10, 11, struct.pack(">I", len(t)) + t))',
      ],
      ['methods out of order', 's = connect()\ns.sendall(b"AMQP\\0\\0\\x09\\x01" + method(0, 10, 40, short("/") + short("") + b"\\0") * 1000)'],
      [
        'an answer to every question that was not asked',
        's = opened()\ns.sendall(b"".join(method(1, c, m) for c in range(0, 100, 10) for m in range(0, 130)))',
      ],
    ])('that gets %s closes that connection, and takes the answer by the next', async (_, lines) => {
      const code = `${AMQP}\ntry:\n${lines.replaceAll(/^/gm, '    ')}\n    s.settimeout(1)\n    while s.recv(65536): pass\nexcept OSError: pass\nanswer("well")`;
      const name = await arena.define(code, { timeout_ms: 15_000 });
      arena.footprint.resetPeak();
      const before = arena.footprint.peakBytes();
      const answer = await arena.withNeighbour(() => arena.call(name));
      expect([answer.status, answer.text]).toEqual([200, 'well']);
      expect(arena.footprint.peakBytes() - before).toBeLessThan(KEPT_NOTHING_BYTES);
    });

    it.each([
      ['queues without end', 's = opened()\nwhile True: s.sendall(method(1, 50, 10, b"\\0\\0\\0\\0" + struct.pack(">I", 0)) * 100)'],
      [
        'queues without end, and reads no answer',
        's = opened()\nwhile True: s.sendall(method(1, 50, 10, b"\\0\\0" + short(MINE) + b"\\0" + struct.pack(">I", 0)) * 1000)',
      ],
      ['messages without end', 's = opened()\nwhile True: s.sendall(publish(1, MINE, b"x" * 60000))'],
      ['channels without end', 's = opened()\nwhile True: s.sendall(b"".join(method(c, 20, 10, b"\\0") for c in range(1, 65536)))'],
      ['connections without end', 'kept = []\nwhile True:\n    try: kept.append(connect())\n    except OSError: time.sleep(0.01)'],
      ['connections that are gone at once, without end', 'while True: connect().close()'],
      [
        '10,000 connections from many processes',
        'for _ in range(12):\n    if os.fork() == 0:\n        kept = []\n        while True:\n            try: kept.append(connect())\n            except OSError: time.sleep(0.01)\ntime.sleep(1000)',
      ],
    ])('that is asked for %s stays within its bounds, and its sandbox serves the next call', async (_, lines) => {
      const code = `${AMQP}\nif os.environ["HTTP_QUERY"] == "behave":\n    answer("behaved")\n    sys.exit()\n${lines}`;
      const name = await arena.define(code, { timeout_ms: 1500 });
      await arena.withNeighbour(async () => {
        expect((await arena.call(name, { query: '?behave' })).text).toBe('behaved');
        arena.footprint.resetPeak();
        const before = arena.footprint.peakBytes();
        // Whoever publishes has answered; who only asks runs into the deadline, or is cut and fails.
        expect([200, 502, 504]).toContain((await arena.call(name)).status);
        expect(arena.footprint.peakBytes() - before).toBeLessThan(KEPT_NOTHING_BYTES);
        await until(async () => {
          await sleep(50);
          return (await arena.call(name, { query: '?behave' })).text === 'behaved';
        });
      });
    });

    it('writes the head of a response from nothing but what may stand there', async () => {
      const property = (flags: number, value: string) => `struct.pack(">HHQH", 60, 0, 1, ${flags}) + ${value}`;
      const withHead = (head: string) =>
        `${AMQP}\ns = opened()\ns.sendall(method(1, 60, 40, b"\\0\\0\\0" + short(MINE) + b"\\0") + frame(2, 1, ${head}) + frame(3, 1, b"x"))\ntime.sleep(5)`;
      const table = (name: string, value: string) =>
        `(lambda t: struct.pack(">I", len(t)) + t)(short(${name}) + b"S" + struct.pack(">I", len(${value})) + ${value})`;
      for (const head of [
        property(0x8000, 'short("text/plain\\r\\nX-Evil: 1")'),
        property(0x2000, table('"X-Evil"', 'b"a\\r\\nSet-Cookie: b=c"')),
        property(0x2000, table('"X-Evil\\r\\nSet-Cookie"', 'b"b=c"')),
        property(0x2000, table('"X-Evil"', 'b"a\\0b"')),
        property(0x2000, table('"Status"', 'b"999 \\r\\nX-Evil: 1"')),
        property(0x2000, table('"Status"', 'b"101"')),
      ]) {
        const answer = await arena.attack(withHead(head), { settings: { timeout_ms: 3000 } });
        expect([answer.status, (answer.json() as { code: string }).code], head).toEqual([502, 'invalid_reply']);
        expect([answer.headers.get('x-evil'), answer.headers.get('set-cookie')]).toEqual([null, null]);
      }
      const framing = await arena.attack(withHead(property(0x2000, table('"Content-Length"', 'b"100"'))), { settings: { timeout_ms: 3000 } });
      expect([framing.status, framing.headers.get('content-length'), framing.text]).toEqual([200, '1', 'x']);
    });
  },
  { settings: { HEARTH_GATEWAY_MAX_REPLY_BYTES: String(MIB) } },
);
