import { connect } from 'node:net';
import { beforeAll, expect, it } from 'vitest';
import { type Answer, type Arena, onOneDriver } from './support/arena.ts';

/** A handler that answers with whatever Python expression it is sent, after whatever lines it is sent. */
const OBEDIENT = `
def handler(message, context):
    scope = {"message": message}
    exec(message["body"]["lines"], scope)
    return eval(message["body"]["expression"], scope)
`;
const NAME = 'obedient';

async function ask(arena: Arena, expression: string, lines = ''): Promise<Answer> {
  const init = { method: 'POST', body: JSON.stringify({ expression, lines }) };
  return arena.withNeighbour(() => arena.call(NAME, { init }));
}

/** What the platform writes on the wire, for two requests on one connection: broken framing of the first shows in the second. */
async function twoOnTheWire(arena: Arena, expression: string): Promise<{ first: string; whole: string; second: string }> {
  const { hostname, port } = new URL(arena.hearth.gateway);
  const body = JSON.stringify({ expression, lines: '' });
  const requests = [
    `POST /${NAME} HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    'GET /neighbour?n=second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  ];
  const received = await arena.withNeighbour(
    () =>
      new Promise<Buffer>((resolve, reject) => {
        const socket = connect(Number(port), hostname);
        const chunks: Buffer[] = [];
        socket.on('data', (chunk: Buffer) => chunks.push(chunk));
        socket.on('error', reject);
        socket.on('end', () => resolve(Buffer.concat(chunks)));
        socket.write(requests.join(''));
      }),
  );
  const whole = received.toString('latin1');
  const at = whole.indexOf('HTTP/1.1', 8);
  return { first: whole.slice(0, at), whole, second: whole.slice(at) };
}

onOneDriver(
  'the reply',
  (arena) => {
    beforeAll(() => arena.hearth.define(NAME, OBEDIENT));

    it.each([
      ['a line break in a value', '{"X-Evil": "a\\r\\nSet-Cookie: b=c"}'],
      ['a bare CR in a value', '{"X-Evil": "a\\rSet-Cookie: b=c"}'],
      ['a bare LF in a value', '{"X-Evil": "a\\nSet-Cookie: b=c"}'],
      ['a NUL in a value', '{"X-Evil": "a\\0b"}'],
      ['a folded value', '{"X-Evil": "a\\r\\n b"}'],
      ['an escape sequence in a value', '{"X-Evil": "\\x1b[31m"}'],
      ['a lone surrogate in a value', '{"X-Evil": "\\ud800"}'],
      ['characters beyond Latin-1 in a value', '{"X-Evil": "\\u010a\\u010d"}'],
      ['a line break in a name', '{"X-Evil\\r\\nSet-Cookie": "b"}'],
      ['a colon in a name', '{"X-Evil: a": "b"}'],
      ['a NUL in a name', '{"X-Evil\\0": "b"}'],
      ['a space behind a name', '{"Content-Length ": "0"}'],
      ['no name', '{"": "b"}'],
      ['bytes that hold a line break', '{"X-Evil": b"a\\r\\nb"}'],
      ['a line break in a cookie', '{"Set-Cookie": ["a=b", "c=d\\r\\nX-Evil: e"]}'],
      ['a name that is no text', '{7: "b"}'],
      ['a value that is a dict', '{"X-Evil": {"a": "b"}}'],
      ['a list for headers', '[["X-Evil", "b"]]'],
      ['10,000 headers', '{"X-%d" % n: "v" for n in range(10000)}'],
      ['300 values of one header', '{"X-Evil": ["v"] * 300}'],
      ['headers of 100 kB', '{"X-%d" % n: "v" * 1000 for n in range(100)}'],
      ['a header of 2 MB', '{"X-Evil": "v" * 2000000}'],
    ])('with %s is 502, and the response is ours alone', async (_, headers) => {
      const { first, whole } = await twoOnTheWire(arena, `{"statusCode": 200, "headers": ${headers}, "body": "ok"}`);
      expect(first.slice(0, 200)).toMatch(/^HTTP\/1\.1 502 /);
      expect(first).toMatch(/"code":"(invalid_reply|function_failed)"/);
      expect(whole).not.toMatch(/^(Set-Cookie|X-Evil)/im);
      expect(whole.match(/HTTP\/1\.1 \d{3} /g)).toHaveLength(2);
    });

    it.each(['0', '99', '1000', '-1', '100', '101', '103', '600', '10 ** 30', '10 ** 5000'])('with the status %s is 502', async (status) => {
      const { first, second } = await twoOnTheWire(arena, `{"statusCode": ${status}, "body": "ok"}`);
      expect(first).toMatch(/^HTTP\/1\.1 502 /);
      expect(second).toMatch(/^HTTP\/1\.1 200 /);
    });

    it.each(['"200"', '"500\\r\\nX-Evil: 1"', '200.5', '404.0', 'True', 'None', '[204]'])(
      'whose statusCode is %s and no whole number is a dict like any other, and never a status line',
      async (status) => {
        const { first, second } = await twoOnTheWire(arena, `{"statusCode": ${status}, "headers": {"X-Evil": "1"}}`);
        expect(first).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
        expect(first).not.toMatch(/^X-Evil/m);
        expect(JSON.parse(first.split('\r\n\r\n')[1] as string)).toHaveProperty('statusCode');
        expect(second).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      },
    );

    it('never frames itself: what the function says of length, encoding and connection is dropped', async () => {
      const names = [
        ...['Content-Length', 'content-length', 'Transfer-Encoding', 'TRANSFER-ENCODING', 'Connection', 'Keep-Alive', 'Upgrade', 'Trailer', 'TE'],
        ...[
          'Proxy-Connection',
          'Proxy-Authenticate',
          'Proxy-Authentication-Info',
          'Date',
          'Server-Timing',
          'X-Correlation-Id',
          'X-Serverless-Instance-Id',
        ],
        ...['X-Hearth-Start', 'X-Hearth-Version', 'x-hearth-anything'],
      ];
      const headers = `{n: ["evil", "chunked, 0"] for n in ${JSON.stringify(names)}}`;
      for (const body of ['"0123456789"', 'iter(["01234", "56789"])']) {
        const { first, whole, second } = await twoOnTheWire(arena, `{"statusCode": 200, "headers": ${headers}, "body": ${body}}`);
        expect(first).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
        expect(whole).not.toContain('evil');
        expect(whole).not.toContain('chunked, 0');
        expect(first.match(/^(Content-Length|Transfer-Encoding): /gim)).toHaveLength(1);
        expect(second).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\{"n": "second"\}/);
      }
    });

    it.each([204, 304])('with the status %i has no body, whatever the function gives', async (status) => {
      for (const body of ['"HTTP/1.1 200 OK\\r\\n\\r\\nevil"', 'iter(["HTTP/1.1 200 OK\\r\\n\\r\\nevil"])']) {
        const { first, whole, second } = await twoOnTheWire(arena, `{"statusCode": ${status}, "headers": {"Content-Length": "4"}, "body": ${body}}`);
        expect(first).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
        expect(whole).not.toContain('evil');
        expect(first).not.toMatch(/^(Content-Length|Transfer-Encoding): /im);
        expect(second).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      }
    });

    it('keeps lists of cookies apart', async () => {
      const { headers } = await ask(arena, '{"statusCode": 200, "cookies": ["a=1, b", "c=2"], "headers": {"Set-Cookie": ["d=3", "e=4"]}}');
      expect(headers.getSetCookie()).toEqual(['d=3', 'e=4', 'a=1, b', 'c=2']);
    });

    it.each([
      ['100,000 levels of lists', 'deep', 'deep = []\nfor _ in range(100000): deep = [deep]'],
      [
        '100,000 levels of dicts, with the recursion limit lifted',
        'deep',
        'import sys\nsys.setrecursionlimit(10**6)\ndeep = {}\nfor _ in range(100000): deep = {"a": deep}',
      ],
      ['a circle', 'circle', 'circle = []\ncircle.append(circle)'],
      ['NaN', 'float("nan")', ''],
      ['infinity within a dict', '{"a": [float("inf")]}', ''],
      ['a set', '{1, 2}', ''],
      ['a dict with a tuple as key', '{(1, 2): 3}', ''],
      ['a number of 5,000 digits', '[10 ** 5000]', ''],
      [
        'a subclass of dict that raises',
        'Evil(statusCode=200)',
        'class Evil(dict):\n    def get(self, *a): raise SystemExit(0)\n    def items(self): raise KeyboardInterrupt\n    def __contains__(self, x): raise BaseException("no")',
      ],
      ['bodies that are no base64', '{"statusCode": 200, "isBase64Encoded": True, "body": "\\u20ac"}', ''],
    ])('that is %s is 502', async (_, expression, head) => {
      const answer = await ask(arena, expression, head);
      expect(answer.status).toBe(502);
      expect(answer.json()).toMatchObject({ code: expect.stringMatching(/^function_(failed|crashed)$/) });
    });

    it('passes keys like __proto__ on as what they are, text', async () => {
      const answer = await ask(arena, '{"__proto__": {"statusCode": 500, "polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}');
      expect([answer.status, answer.text]).toEqual([
        200,
        '{"__proto__": {"statusCode": 500, "polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}',
      ]);
      expect(await (await arena.hearth.call('/neighbour?n=polluted')).text()).toBe('{"n": "polluted"}');
    });

    it('passes bytes that are no UTF-8 on as they are, and escapes lone surrogates in JSON', async () => {
      const bytes = await ask(arena, '{"statusCode": 200, "headers": {"Content-Type": "text/plain"}, "body": b"\\xff\\xfe\\x00\\xc3("}');
      expect(bytes.status).toBe(200);
      const name = await arena.define('def handler(m, c): return b"\\xff\\xfe\\x00\\xc3("');
      expect(Buffer.from(await (await arena.hearth.call(`/${name}`)).arrayBuffer())).toEqual(Buffer.from([0xff, 0xfe, 0, 0xc3, 0x28]));
      expect((await ask(arena, '{"a": "\\ud800"}')).text).toBe('{"a": "\\ud800"}');
      expect((await ask(arena, '"\\ud800"')).status).toBe(502);
    });

    it('that raises an exception which fights back is 502 with what could be shown of it', async () => {
      const code = `
class Evil(BaseException):
    def __str__(self): raise SystemExit(3)
    __repr__ = __str__
    def __getattribute__(self, name): raise KeyboardInterrupt
def handler(message, context):
    if message["query"]["how"] == "str": raise Evil("x" * 10**7)
    raise ValueError("\\x1b[31m\\r\\nX-Evil: 1\\0" + "\\ud800" + "y" * 10**7)
`;
      const name = await arena.define(code);
      await arena.withNeighbour(async () => {
        for (const how of ['str', 'text']) {
          const answer = await arena.call(name, { query: `?how=${how}` });
          expect([answer.status, (answer.json() as { code: string }).code]).toEqual([502, 'function_failed']);
          expect(answer.text.length).toBeLessThan(100_000);
          expect(answer.text).not.toContain('\x1b');
          expect(answer.headers.get('x-evil')).toBeNull();
        }
      });
    });

    it("prints what it likes: the record holds it, and neither the platform's log nor a header takes it for its own", async () => {
      const code = `
import os
def handler(message, context):
    print("\\x1b]0;title\\x07\\x1b[2J {\\"level\\":60,\\"msg\\":\\"forged\\"}\\r\\n\\0")
    os.write(1, b"\\xff\\xfe raw \\x1b[31m\\n{\\"level\\":60,\\"msg\\":\\"forged\\"}\\n")
    return 1
`;
      const answer = await arena.attack(code);
      const record = await arena.hearth.record(answer.response);
      expect(record).toMatchObject({ state: 'succeeded', logs: expect.stringContaining('\x1b[2J {"level":60,"msg":"forged"}\r\n\0') });
      expect(arena.hearth.output).not.toContain('forged');
      expect(arena.hearth.output).not.toContain('\x1b');
      const logs = await fetch(`${arena.hearth.api}/functions/instances/${answer.headers.get('x-serverless-instance-id')}/logs`);
      expect([logs.headers.get('content-type'), logs.headers.get('x-content-type-options')]).toEqual(['text/plain; charset=utf-8', 'nosniff']);
      expect(await logs.text()).toContain('forged');
    });
  },
  { keepsFunctions: true },
);
