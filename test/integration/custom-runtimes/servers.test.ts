import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FunctionDefinition } from '../../../src/schemas/function.ts';
import { Hearth, json, sleep, until } from '../../support/hearth.ts';

/** A server that tells what it was sent, and does what its path says. It closes connections that lie idle for 30 ms. */
const SERVER = `
import http.server, json, os, signal, sys, threading, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    timeout = 0.03

    def do_GET(self):
        what = self.path.partition('?')[0].rpartition('/')[2]
        body = self.rfile.read(int(self.headers.get('content-length') or 0))
        print('got', self.path, flush=True)
        if what == 'die':
            print('no way out', file=sys.stderr, flush=True)
            os._exit(3)
        if what == 'half':
            self.send_response(200)
            self.send_header('Content-Length', '100')
            self.end_headers()
            self.wfile.write(b'half')
            self.close_connection = True
            return
        if what == 'nonsense':
            self.wfile.write(b'SSH-2.0-OpenSSH\\r\\n\\r\\n')
            self.close_connection = True
            return
        if what == 'events':
            self.send_response(200)
            self.send_header('Content-Type', 'text/event-stream')
            self.send_header('Transfer-Encoding', 'chunked')
            self.end_headers()
            for number in range(3):
                piece = b'data: %d\\n\\n' % number
                self.wfile.write(b'%x\\r\\n%s\\r\\n' % (len(piece), piece))
                wait_for('/tmp/go-%d' % number)
            self.wfile.write(b'0\\r\\n\\r\\n')
            return
        if what == 'go':
            open('/tmp/go-' + self.path.rpartition('?')[2], 'w').close()
        if what == 'slow':
            time.sleep(0.3)
        if what in ('none', 'unchanged'):
            self.send_response(204 if what == 'none' else 304)
            self.send_header('ETag', '"1"')
            self.end_headers()
            return
        if what == 'binary':
            answer, kind = body[::-1], 'application/octet-stream'
        else:
            answer, kind = json.dumps({
                'verb': self.command, 'path': self.path, 'headers': self.headers.items(), 'body': body.decode('latin-1'),
                'pid': os.getpid(), 'environment': dict(os.environ), 'argv': sys.argv[1:],
            }).encode(), 'application/json'
        self.send_response(201)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(answer)))
        self.send_header('Set-Cookie', 'a=1')
        self.send_header('Set-Cookie', 'b=2')
        self.send_header('Connection', 'X-Private')
        self.send_header('X-Private', '1')
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(answer)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET

    def log_message(self, *_):
        pass

def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.005)

server = http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler)
server.serve_forever()
`;

const LISTENING = "http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), http.server.SimpleHTTPRequestHandler).serve_forever()";

describe('HTTP servers as functions', () => {
  let hearth: Hearth;
  let service: Server;

  const server = (name: string, code: string, settings: Partial<FunctionDefinition> = {}) =>
    hearth.define(name, code, { style: 'server', event_type: `http|*|/${name}/*`, ...settings });

  const logs = async (instance: string | null | undefined) => (await fetch(`${hearth.api}/functions/instances/${instance}/logs`)).text();

  beforeAll(async () => {
    service = createServer((socket) => socket.end('from the service')).listen(0, '127.0.0.1');
    await once(service, 'listening');
    hearth = await Hearth.start({ settings: { HEARTH_SERVICES: `a_service=127.0.0.1:${(service.address() as AddressInfo).port}` } });
    await server('web', SERVER, { environment: { GREETING: 'hello' } });
  }, 120_000);
  afterAll(async () => {
    await hearth[Symbol.asyncDispose]();
    service.close();
  });

  test('method, target, headers and body arrive as they were sent, with what the way adds', async () => {
    const response = await hearth.call('/web/a%20b?x=1&x=2&y=', {
      method: 'PATCH',
      body: 'some text',
      headers: { 'X-Own': 'value', 'Content-Type': 'text/x' },
    });
    expect(response.status).toBe(201);
    const seen = (await json(response)) as { headers: [string, string][]; environment: Record<string, string> };
    expect(seen).toMatchObject({ verb: 'PATCH', path: '/web/a%20b?x=1&x=2&y=', body: 'some text' });
    const headers = Object.fromEntries(seen.headers.map(([name, value]) => [name.toLowerCase(), value]));
    expect(headers).toMatchObject({
      'x-own': 'value',
      'content-type': 'text/x',
      'content-length': '9',
      'x-correlation-id': response.headers.get('x-correlation-id'),
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': new URL(hearth.gateway).host,
    });
    expect(headers.connection).toBeUndefined();
    expect(seen.environment).toMatchObject({ PORT: '8080', GREETING: 'hello' });
  });

  test('answers come back with every header but those of the connection', async () => {
    const response = await hearth.call('/web/x');
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(response.headers.get('x-private')).toBeNull();
    expect(response.headers.get('server')).toContain('BaseHTTP');
  });

  test('HEAD, 204 and 304 are framed as such, and leave the connection usable', async () => {
    for (let round = 0; round < 3; round++) {
      const head = await hearth.call('/web/x', { method: 'HEAD' });
      expect([head.status, await head.text()]).toEqual([201, '']);
      const none = await hearth.call('/web/none');
      expect([none.status, none.headers.get('etag'), await none.text()]).toEqual([204, '"1"', '']);
      const unchanged = await hearth.call('/web/unchanged');
      expect([unchanged.status, await unchanged.text()]).toEqual([304, '']);
    }
  });

  test('megabytes of any bytes pass both ways without loss', async () => {
    const body = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => (at * 31 + (at >> 8)) % 256));
    const response = await hearth.call('/web/binary', { method: 'POST', body });
    expect(Buffer.from(await response.arrayBuffer()).equals(Buffer.from(body).reverse())).toBe(true);
  });

  test('server-sent events go out as they come', async () => {
    const response = await hearth.call('/web/events');
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const decoder = new TextDecoder();
    for (let number = 0; number < 3; number++) {
      // The server sends the next one only when it is told that this one has been seen.
      expect(decoder.decode((await reader.read()).value)).toBe(`data: ${number}\n\n`);
      await (await hearth.call(`/web/go?${number}`)).text();
    }
    expect((await reader.read()).done).toBe(true);
  });

  test('an instance serves many at once', async () => {
    await server(
      'meeting',
      SERVER.replace('time.sleep(0.3)', 'together.wait()').replace('def wait_for', 'together = threading.Barrier(5)\n\ndef wait_for'),
      {
        max_instances: 1,
      },
    );
    // None is answered before all are there.
    const responses = await Promise.all(Array.from({ length: 5 }, () => hearth.call('/meeting/slow')));
    expect(responses.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201]);
  });

  test('no call fails although the server closes its idle connections at the worst of times', async () => {
    for (let round = 0; round < 60; round++) {
      const response = await hearth.call('/web/x', { method: round % 2 ? 'POST' : 'GET', body: round % 2 ? 'x' : null });
      expect(response.status, `round ${round}: ${await response.text()}`).toBe(201);
      await sleep(27 + (round % 6));
    }
  });

  describe('of a server that closes a connection upon its second request', () => {
    /** Tells how many requests it has read; whether it reads the one that it leaves without an answer is said by the path. */
    const FICKLE = `
import os, select, socket, threading
seen = 0

def serve(connection):
    global seen
    request = connection.recv(65536)
    if not request:
        return
    seen += 1
    text = b'%d' % seen
    connection.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s' % (len(text), text))
    select.select([connection], [], [])
    if b'/unread' not in request and connection.recv(65536):
        seen += 1
    connection.close()

listener = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))
while True:
    threading.Thread(target=serve, args=listener.accept()[:1]).start()
`;
    const twice = async (path: string, init: RequestInit) => {
      const answers: (string | number)[] = [];
      for (let call = 0; call < 2; call++) {
        const response = await hearth.call(path, init);
        answers.push(response.status === 200 ? await response.text() : response.status);
      }
      return answers;
    };

    beforeAll(async () => {
      await server('fickle', FICKLE, { max_instances: 1 });
    });

    test('what may be repeated is sent once more', async () => {
      await server('fickle-get', FICKLE, { max_instances: 1 });
      expect(await twice('/fickle-get/read', {})).toEqual(['1', '3']);
    });

    test('a POST is, too, when it was not read', async () => {
      await server('fickle-post', FICKLE, { max_instances: 1 });
      expect(await twice('/fickle-post/unread', { method: 'POST', body: 'x' })).toEqual(['1', '2']);
    });

    test('a POST that was read is not', async () => {
      expect(await twice('/fickle/read', { method: 'POST', body: 'x' })).toEqual(['1', 502]);
      expect(await (await hearth.call('/fickle/read')).text()).toBe('3');
    });
  });

  test('a program that dies is told with its exit code, not with what it printed, and another takes its place', async () => {
    const before = await json(await hearth.call('/web/x'));
    const response = await hearth.call('/web/die');
    expect(response.status).toBe(502);
    const problem = await json(response);
    expect(problem).toMatchObject({ code: 'function_failed', function_error: { type: 'ProgramExited' } });
    expect(problem.detail).toContain('exited with code 3');
    expect(JSON.stringify(problem)).not.toContain('no way out');
    expect(problem.function_error).not.toHaveProperty('fatal');
    const after = await hearth.call('/web/x');
    expect(after.headers.get('x-serverless-instance-id')).not.toBe(response.headers.get('x-serverless-instance-id'));
    expect(await json(after)).toMatchObject({ path: before.path });
  });

  test.each([
    ['half', 'the connection was closed in the middle of a message'],
    ['nonsense', 'the status line is malformed'],
  ])('an answer that is %s is told as what it is', async (what, said) => {
    const response = await hearth.call(`/web/${what}`);
    expect(response.status).toBe(502);
    expect((await json(response)).detail).toContain(said);
    expect((await hearth.call('/web/x')).status).toBe(201);
  });

  test('what it prints while it serves one call stands in the record of that call', async () => {
    const response = await hearth.call('/web/printed');
    await response.text();
    expect((await hearth.record(response)).logs).toContain('got /web/printed');
  });

  test('a deadline ends the call, and not the instance that others use', async () => {
    await server('sleepy', SERVER.replace('time.sleep(0.3)', 'time.sleep(60)'), { timeout_ms: 1500 });
    const first = await hearth.call('/sleepy/x');
    const late = await hearth.call('/sleepy/slow');
    expect(late.status).toBe(504);
    const next = await hearth.call('/sleepy/x');
    expect(next.headers.get('x-serverless-instance-id')).toBe(first.headers.get('x-serverless-instance-id'));
  });

  test('a caller who leaves is felt by the program as a connection that closes', async () => {
    const code = `
import os, socket
listener = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))
left = 0
while True:
    connection, _ = listener.accept()
    request = connection.recv(65536)
    if not request:
        continue
    if b'/stay' in request:
        print('waiting', flush=True)
        while connection.recv(65536):
            pass
        left += 1
    else:
        connection.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 1\\r\\nConnection: close\\r\\n\\r\\n%d' % left)
`;
    await server('leaving', code, { concurrency: 1, max_instances: 1 });
    expect(await (await hearth.call('/leaving/x')).text()).toBe('0');
    const { hostname, port } = new URL(hearth.gateway);
    const socket = connect(Number(port), hostname);
    socket.write('GET /leaving/stay HTTP/1.1\r\nHost: x\r\n\r\n');
    const [instance] = await hearth.instances('leaving');
    await until(async () => (await logs(instance?.id)).includes('waiting'));
    socket.destroy();
    await once(socket, 'close');
    expect(await until(async () => (await (await hearth.call('/leaving/x')).text()) === '1')).toBe(true);
  });

  test('it is ready when its ready path says so', async () => {
    const code = SERVER.replace('class Handler', 'asked = 0\nclass Handler').replace(
      "        print('got'",
      `        global asked
        if what == 'ready':
            asked += 1
            self.send_response(200 if asked > 2 else 503)
            self.send_header('Content-Length', '0')
            self.end_headers()
            return
        print('got'`,
    );
    await server('warming', code.replace("'argv': sys.argv[1:]", "'argv': [str(asked)]"), { server: { ready_path: '/_/ready', port: 9000 } });
    expect(await json(await hearth.call('/warming/x'))).toMatchObject({ argv: ['3'], environment: { PORT: '9000' } });
  });

  test('services are reached by their names', async () => {
    const code = SERVER.replace('import http.server', 'import socket, http.server')
      .replace("'argv': sys.argv[1:]", "'argv': [spoken()]")
      .replace(
        'def wait_for',
        `def spoken():
    with socket.create_connection(('a_service', int(os.environ['SERVICE_PORT']))) as connection:
        return connection.makefile().read()

def wait_for`,
      );
    await server('using', code, { environment: { SERVICE_PORT: String((service.address() as AddressInfo).port) } });
    expect(await json(await hearth.call('/using/x'))).toMatchObject({ argv: ['from the service'] });
  });

  test('a command of its own starts it', async () => {
    await server('commanded', SERVER, { command: ['python3', '-u', 'function.py', 'one', 'two words'] });
    expect(await json(await hearth.call('/commanded/x'))).toMatchObject({ argv: ['one', 'two words'] });
  });

  test.each([
    ['ends at once', 'print("sorry"); raise SystemExit(7)', {}, ['exited with code 7', 'sorry']],
    ['has a mistake', 'import nothing_of_the_kind', {}, ["No module named 'nothing_of_the_kind'"]],
    ['is not there', 'x', { command: ['./no-such-program'] }, ['./no-such-program could not be started', 'No such file']],
    ['asks for an interpreter that is not there', '#!/opt/none/sh\n', {}, ['/opt/none/sh', 'sandbox.extra_binds']],
  ] as const)('a program that %s is told why', async (name, code, settings, said) => {
    const function_ = `failing-${name.replaceAll(' ', '-')}`;
    await server(function_, code, { error_logs: true, ...(settings as Partial<FunctionDefinition>) });
    const problem = await json(await hearth.call(`/${function_}/x`));
    expect(problem).toMatchObject({ code: 'function_load_failed' });
    for (const part of said) expect([problem.detail, ...((problem.logs as string[] | undefined) ?? [])].join('\n')).toContain(part);
  });

  test('before it goes it may finish: SIGTERM first', async () => {
    const code = `
import http.server, os, signal, socket, sys
def last(*_):
    print('good', flush=True)
    print('bye', flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, last)
${LISTENING}
`;
    await server('polite', code);
    const response = await hearth.call('/polite/x');
    const id = response.headers.get('x-serverless-instance-id');
    await server('polite', `${code}\n# another version`);
    await (await hearth.call('/polite/x')).text();
    expect(await until(async () => (await logs(id)).includes('good\nbye\n'))).toBe(true);
  });

  test.each([
    [{ style: 'handler', command: ['x'] }, 'command'],
    [{ style: 'script', server: { port: 9000 } }, 'server'],
    [{ style: 'lambda', server: { port: 9000 } }, 'server'],
    [{ style: 'server', invokes: ['web'] }, 'invokes'],
  ] as const)('what makes no sense is refused: %j', async (settings, member) => {
    const response = await hearth.post('/functions', { event_type: 'http|GET|/bad', function_name: 'bad', function_code: 'x', ...settings });
    expect(response.status).toBe(422);
    expect((await json(response)).errors).toMatchObject([{ field: member }]);
  });

  test('the API tells how it is started', async () => {
    expect(await hearth.get('/functions/warming')).toMatchObject({
      style: 'server',
      concurrency: 16,
      command: null,
      server: { port: 9000, ready_path: '/_/ready', health_path: null, stop_grace_ms: 5000 },
    });
  });
});
