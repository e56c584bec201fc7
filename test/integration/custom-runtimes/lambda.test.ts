import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FunctionDefinition } from '../../../src/schemas/function.ts';
import { Hearth, json, until } from '../../support/hearth.ts';

const EXAMPLES = new URL('../../../examples/lambda/', import.meta.url);
const example = (path: string) => readFileSync(new URL(path, EXAMPLES), 'utf8');

/** A runtime that speaks the protocol by hand: what it does with an event is said by the event's body, Python that has `call(method, path, body, headers)`. */
const RUNTIME = `#!/usr/bin/env python3
import http.client, json, os, sys, threading, time

API = '/2018-06-01/runtime'

def call(method, path, body=None, headers={}, prefix=API):
    connection = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
    connection.request(method, prefix + path, body, headers)
    response = connection.getresponse()
    return response.status, dict((name.lower(), value) for name, value in response.getheaders()), response.read()

def serve():
    while True:
        status, headers, body = call('GET', '/invocation/next')
        event = json.loads(body)
        ident = headers['lambda-runtime-aws-request-id']
        answer = '/invocation/%s/response' % ident
        names = {'call': call, 'event': event, 'headers': headers, 'ident': ident, 'answer': answer, 'os': os, 'sys': sys, 'json': json, 'time': time}
        try:
            exec(event.get('body') or 'call("POST", answer, json.dumps({"event": event, "headers": headers, "environment": dict(os.environ)}))', names)
        except Exception as error:
            call('POST', '/invocation/%s/error' % ident, json.dumps({'errorMessage': repr(error), 'errorType': 'RuntimeBug'}))

threads = [threading.Thread(target=serve) for _ in range(int(os.environ.get('POLLS', '1')))]
for thread in threads: thread.start()
`.replace('#!/usr/bin/env python3\n', '');

describe('custom runtimes of AWS Lambda', () => {
  let hearth: Hearth;

  const lambda = (name: string, code: string, settings: Partial<FunctionDefinition> = {}) =>
    hearth.define(name, code, { style: 'lambda', event_type: `http|*|/${name}/*`, ...settings });
  const run = (code: string, init: RequestInit = {}) =>
    hearth.call('/raw/x', { method: 'POST', body: code, headers: { 'Content-Type': 'text/x-python' }, ...init });

  beforeAll(async () => {
    hearth = await Hearth.start({
      settings: { HEARTH_SANDBOX_EXTRA_BINDS: '/bin/sh,/usr/bin/curl,/usr/bin/sed,/usr/bin/tr,/usr/lib/x86_64-linux-gnu,/usr/lib/aarch64-linux-gnu' },
    });
    await lambda('raw', RUNTIME, { memory_mb: 256, error_logs: true });
  }, 120_000);
  afterAll(() => hearth[Symbol.asyncDispose]());

  test('a shell script with curl is a function', async () => {
    await lambda('shell', example('shell/bootstrap'));
    for (let call = 0; call < 3; call++) {
      const response = await hearth.call('/shell/x', { method: 'POST', body: 'hello' });
      expect([response.status, response.headers.get('x-runtime')]).toEqual([201, 'shell']);
      expect(await response.text()).toMatch(/^shell saw \d{3,} bytes$/);
      if (call === 0) expect((await hearth.record(response)).logs).toContain(`event ${response.headers.get('x-correlation-id')}`);
    }
  });

  test('an event has all of the request, in the proxy format 2.0, and the environment is that of Lambda', async () => {
    const response = await hearth.call('/raw/a%20b?x=1&x=2', { headers: { Cookie: 'a=1; b=2', 'X-Many': 'v', 'User-Agent': 'test' } });
    const { event, headers, environment } = (await json(response)) as Record<string, Record<string, unknown>>;
    const id = response.headers.get('x-correlation-id');
    expect(event).toMatchObject({
      version: '2.0',
      rawPath: '/raw/a%20b',
      rawQueryString: 'x=1&x=2',
      queryStringParameters: { x: '1,2' },
      cookies: ['a=1', 'b=2'],
      headers: { 'x-many': 'v', host: new URL(hearth.gateway).host },
      requestContext: { http: { method: 'GET', path: '/raw/a%20b', sourceIp: '127.0.0.1', userAgent: 'test' }, requestId: id },
      isBase64Encoded: false,
    });
    expect(headers).toMatchObject({
      'lambda-runtime-aws-request-id': id,
      'lambda-runtime-invoked-function-arn': 'arn:aws:lambda:us-east-1:000000000000:function:raw:1',
    });
    expect(Number(headers?.['lambda-runtime-deadline-ms'])).toBeGreaterThan(Date.now());
    expect(headers?.['lambda-runtime-trace-id']).toMatch(/^Root=1-/);
    expect(environment).toMatchObject({
      AWS_LAMBDA_FUNCTION_NAME: 'raw',
      AWS_LAMBDA_FUNCTION_VERSION: '1',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
      _HANDLER: 'function.handler',
      TZ: ':UTC',
      LAMBDA_TASK_ROOT: environment?.LAMBDA_RUNTIME_DIR,
    });
  });

  test('answers have status, headers, cookies and bytes', async () => {
    const response = await run(
      `assert call("POST", answer, json.dumps({"statusCode": 418, "headers": {"X-A": "1"}, "cookies": ["a=1", "b=2"], "body": "AP8=", "isBase64Encoded": True}))[0] == 202`,
    );
    expect([response.status, response.headers.get('x-a'), response.headers.getSetCookie()]).toEqual([418, '1', ['a=1', 'b=2']]);
    expect(Buffer.from(await response.arrayBuffer()).toString('hex')).toBe('00ff');
  });

  test('streamed answers go out as they come, with a head of their own', async () => {
    const code = `
import http.client
connection = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
connection.putrequest('POST', '/2018-06-01/runtime' + answer)
for name, value in (('Lambda-Runtime-Function-Response-Mode', 'streaming'), ('Transfer-Encoding', 'chunked'), ('Content-Type', 'application/vnd.awslambda.http-integration-response')):
    connection.putheader(name, value)
connection.endheaders()
def chunk(data):
    connection.send(b'%x\\r\\n%s\\r\\n' % (len(data), data))
chunk(b'{"statusCode": 203, "headers": {"Content-Type": "text/event-stream"}, "cook')
chunk(b'ies": ["a=1"]}' + bytes(3))
chunk(bytes(5) + b'one')
for piece in (b'two', b'three'):
    time.sleep(0.05)
    chunk(piece)
connection.send(b'0\\r\\n\\r\\n')
assert connection.getresponse().status == 202
`;
    const response = await run(code);
    expect([response.status, response.headers.get('content-type'), response.headers.getSetCookie()]).toEqual([203, 'text/event-stream', ['a=1']]);
    const pieces: string[] = [];
    for await (const piece of response.body as ReadableStream<Uint8Array>) pieces.push(Buffer.from(piece).toString());
    expect(pieces.join('')).toBe('onetwothree');
    expect(pieces.length).toBeGreaterThan(1);
  });

  test('a stream that fails in the middle breaks off, and tells why by its trailers', async () => {
    const code = `
import http.client
connection = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
connection.putrequest('POST', '/2018-06-01/runtime' + answer)
for name, value in (('Lambda-Runtime-Function-Response-Mode', 'streaming'), ('Transfer-Encoding', 'chunked'), ('Trailer', 'Lambda-Runtime-Function-Error-Type')):
    connection.putheader(name, value)
connection.endheaders()
connection.send(b'3\\r\\none\\r\\n')
time.sleep(0.1)
connection.send(b'0\\r\\nLambda-Runtime-Function-Error-Type: Late\\r\\nLambda-Runtime-Function-Error-Body: eyJlcnJvck1lc3NhZ2UiOiAib29wcyJ9\\r\\n\\r\\n')
assert connection.getresponse().status == 202
`;
    const response = await run(code);
    await expect(response.text()).rejects.toThrow();
    expect(await hearth.record(response)).toMatchObject({ state: 'failed', error_message: expect.stringContaining('Late: oops') });
  });

  test('an error of the function is told with its type, message and trace', async () => {
    const response = await run(
      `call("POST", "/invocation/%s/error" % ident, json.dumps({"errorMessage": "no such cat", "errorType": "CatError", "stackTrace": ["line 1", "line 2"]}))`,
    );
    expect(response.status).toBe(502);
    expect(await json(response)).toMatchObject({ function_error: { type: 'CatError', message: 'no such cat', trace: 'line 1\nline 2' } });
  });

  test('what the API does not take is answered as Lambda answers it', async () => {
    const code = `
told = [
    call("POST", "/invocation/00000000-0000-0000-0000-000000000000/response", "{}"),
    call("POST", "/init/error", "{}"),
    call("GET", "/nothing"),
    call("POST", "/invocation/next", "{}"),
    call("GET", "/invocation/next", prefix="/2015-01-01/runtime"),
]
told = [[status, json.loads(body).get("errorType")] for status, _, body in told]
assert call("POST", answer, json.dumps(told))[0] == 202
print(call("POST", answer, "again")[0])
`;
    const response = await run(code);
    expect(await json(response)).toEqual([
      [403, 'InvalidRequestID'],
      [403, 'InvalidStateTransition'],
      [404, 'NotFound'],
      [405, 'MethodNotAllowed'],
      [404, 'NotFound'],
    ]);
    const id = response.headers.get('x-serverless-instance-id');
    expect(await until(async () => (await (await fetch(`${hearth.api}/functions/instances/${id}/logs`)).text()).includes('403'))).toBe(true);
  });

  test('an answer beyond the bound is refused, and the caller told', async () => {
    const response = await run(`print(call("POST", answer, b"x" * (40 * 1024 * 1024))[0])`);
    expect(response.status).toBe(502);
    expect(await json(response)).toMatchObject({ function_error: { type: 'Function.ResponseSizeTooLarge' } });
    expect((await hearth.call('/raw/x')).status).toBe(200);
  });

  test('a runtime that polls several times over has several events at once', async () => {
    // None is answered before all are there.
    const code = `
open('/tmp/here-' + ident, 'w').close()
while len([name for name in os.listdir('/tmp') if name.startswith('here-')]) < 3:
    time.sleep(0.005)
call("POST", answer, json.dumps({"pid": os.getpid()}))
`;
    await lambda('many', RUNTIME, { concurrency: 3, max_instances: 1, environment: { POLLS: '3' } });
    const answers = await Promise.all(
      Array.from({ length: 3 }, () => hearth.call('/many/x', { method: 'POST', body: code, headers: { 'Content-Type': 'text/x' } })),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  test('one that reports that it could not begin fails the load with what it said', async () => {
    const code = RUNTIME.replace(
      'threads =',
      'call("POST", "/init/error", \'{"errorMessage": "no database", "errorType": "Init.Failed"}\')\nthreads =',
    );
    await lambda('hopeless', code);
    const problem = await json(await hearth.call('/hopeless/x'));
    expect(problem).toMatchObject({ code: 'function_load_failed', function_error: { type: 'Init.Failed', message: 'no database' } });
  });

  test('one that dies is replaced', async () => {
    const response = await run('print("farewell", flush=True); os._exit(9)');
    const problem = await json(response);
    expect(problem.detail).toMatch(/exited with code 9/);
    expect(problem.logs).toContain('farewell');
    expect((await hearth.call('/raw/x')).status).toBe(200);
  });

  test("AWS's own runtime client for Python runs a handler unmodified", async () => {
    await lambda('ric', example('python/function.py'), {
      command: ['python', '-m', 'awslambdaric', 'function.handler'],
      requirements: 'awslambdaric',
    });
    const response = await hearth.call('/ric/some/path?x=1', { method: 'POST', body: 'text', headers: { 'Content-Type': 'text/plain' } });
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(await json(response)).toEqual({
      runtime: 'python',
      method: 'POST',
      path: '/ric/some/path',
      query: { x: '1' },
      body: 'text',
      id: response.headers.get('x-correlation-id'),
    });
    expect(await json(await hearth.call('/ric/x?fail=1'))).toMatchObject({ function_error: { type: 'RuntimeError', message: 'asked to fail' } });
  }, 120_000);
});
