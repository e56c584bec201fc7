import { readdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Hearth, json, sleep, until } from '../../support/hearth.ts';

const TEMPLATE_HEAD = `
import os, json, sys, time
import pika
headers = {kv.split(": ")[0]: kv.split(": ")[1] for kv in os.environ.get("HTTP_HEADER").splitlines()}
body = json.loads(os.environ.get("HTTP_BODY"))
connection = pika.BlockingConnection(pika.ConnectionParameters(host="message_queue"))
channel = connection.channel()
channel.queue_declare(queue=headers["X-Correlation-Id"])
def answer(value, **properties):
    channel.basic_publish(exchange='', routing_key=headers["X-Correlation-Id"], body=value, properties=pika.BasicProperties(**properties))
`;

let hearth: Hearth;

beforeAll(async () => {
  hearth = await Hearth.start({
    requirements: 'pika\n',
    settings: { HEARTH_GATEWAY_MAX_BODY_BYTES: '100000', HEARTH_GATEWAY_MAX_REPLY_BYTES: '200000' },
  });
  await hearth.define('plain', 'def handler(m, c):\n    return 1');
});

afterAll(async () => {
  await hearth?.[Symbol.asyncDispose]();
});

async function answer(name: string, code: string, init?: RequestInit): Promise<{ response: Response; text: string }> {
  await hearth.define(name, code);
  const response = await hearth.call(`/${name}`, init);
  return { response, text: await response.text() };
}

describe('a handler', () => {
  it('gets the request and its returned dict becomes the JSON answer', async () => {
    await hearth.register({
      event_type: 'http|PUT|/cats/:id/*',
      function_name: 'cats',
      function_code:
        'def handler(message, context):\n    return {k: message[k] for k in ("verb", "path", "query", "params", "body")} | {"h": message["headers"]["X-Mine"], "f": context["function_name"]}',
    });
    const response = await hearth.call('/cats/7/a/b?x=1&y=%20z', { method: 'PUT', headers: { 'X-Mine': 'yes' }, body: '{"n": [1]}' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await json(response)).toEqual({
      verb: 'PUT',
      path: '/cats/7/a/b',
      query: { x: '1', y: ' z' },
      params: { id: '7', '*': 'a/b' },
      body: { n: [1] },
      h: 'yes',
      f: 'cats',
    });
  });

  it('keeps module state between calls, and tells a cold start from a warm one', async () => {
    await hearth.define('counter', 'n = 0\ndef handler(message, context):\n    global n\n    n += 1\n    return n');
    const first = await hearth.call('/counter');
    const second = await hearth.call('/counter');
    expect([await first.text(), await second.text()]).toEqual(['1', '2']);
    expect([first.headers.get('x-hearth-start'), second.headers.get('x-hearth-start')]).toEqual(['cold', 'warm']);
    expect(first.headers.get('x-serverless-instance-id')).toBe(second.headers.get('x-serverless-instance-id'));
    expect(second.headers.get('server-timing')).toMatch(/^queue;dur=[\d.]+, start;dur=0\.00, init;dur=0\.00, run;dur=[\d.]+$/);
  });

  it('sets status, headers and binary bodies in the shape of a Lambda proxy', async () => {
    const { response, text } = await answer(
      'proxy',
      'def handler(m, c):\n    return {"statusCode": 418, "headers": {"X-Tea": "pot", "Content-Length": "999", "Connection": "close", "Content-Type": "application/x-tea"}, "isBase64Encoded": True, "body": "dGVh"}',
    );
    expect([response.status, response.headers.get('x-tea'), response.headers.get('content-type'), text]).toEqual([
      418,
      'pot',
      'application/x-tea',
      'tea',
    ]);
    expect(response.headers.get('content-length')).toBe('3');
  });

  it('streams what a generator yields, as it yields it', async () => {
    await hearth.define(
      'stream',
      'import asyncio\nasync def handler(m, c):\n    for i in range(3):\n        yield f"{i}\\n"\n        await asyncio.sleep(0.3)',
    );
    const response = await hearth.call('/stream');
    const pieces: string[] = [];
    for await (const piece of response.body as ReadableStream<Uint8Array>) pieces.push(Buffer.from(piece).toString());
    expect(pieces).toEqual(['0\n', '1\n', '2\n']);
    expect(response.headers.get('transfer-encoding')).toBe('chunked');
  });

  it('streams more than the bound of buffered answers, to a slow reader too', async () => {
    await hearth.define('flood', 'def handler(m, c):\n    return (b"x" * 65536 for _ in range(64))');
    const response = await hearth.call('/flood');
    let bytes = 0;
    for await (const piece of response.body as ReadableStream<Uint8Array>) {
      bytes += piece.length;
      if (bytes < 500_000) await sleep(20);
    }
    expect(bytes).toBe(64 * 65536);
  });

  it('fails with 502 that names the exception, and its trace is in the answer', async () => {
    const { response, text } = await answer('broken', 'def handler(m, c):\n    print("before")\n    return 1 / 0');
    const problem = JSON.parse(text) as Record<string, unknown>;
    expect([response.status, problem.code, problem.correlation_id]).toEqual([502, 'function_failed', response.headers.get('x-correlation-id')]);
    expect(problem.detail).toContain('ZeroDivisionError');
    const record = await hearth.record(response);
    expect(record).toMatchObject({ state: 'failed', status: 502, error_code: 'function_failed' });
    expect(record.logs).toContain('before');
  });

  it('that ends its own process is 502, and the next call gets a new instance', async () => {
    const { response } = await answer('suicide', 'import os\ndef handler(m, c):\n    if m["query"].get("die"): os._exit(3)\n    return os.getpid()');
    expect(response.status).toBe(200);
    const dead = await hearth.call('/suicide?die=1');
    expect([dead.status, (await json(dead)).code]).toEqual([502, 'function_crashed']);
    const next = await hearth.call('/suicide');
    expect([next.status, next.headers.get('x-hearth-start')]).toEqual([200, 'cold']);
  });

  it('that crashes over its first call again and again is not started anew for every caller, who learn why at once', async () => {
    await hearth.define('crash-loop', 'import os\ndef handler(m, c):\n    os._exit(9)');
    for (let n = 0; n < 8; n++) {
      const response = await hearth.call('/crash-loop');
      const problem = await json(response);
      expect([response.status, problem.code]).toEqual([502, 'function_crashed']);
      expect(problem.detail).toContain('code 9');
    }
    const { instances } = (await hearth.get('/functions/instances?all=true&function_name=crash-loop')) as { instances: unknown[] };
    expect(instances.length).toBeLessThan(6);
    expect((await hearth.call('/plain')).status).toBe(200);
  });

  it('that can not be loaded is 502 with the reason, at once for everybody', async () => {
    await hearth.define('unloadable', 'raise RuntimeError("no luck")\ndef handler(m, c): pass');
    const responses = await Promise.all([1, 2, 3].map(() => hearth.call('/unloadable')));
    for (const response of responses) {
      const problem = await json(response);
      expect([response.status, problem.code]).toEqual([502, 'function_load_failed']);
      expect(problem.detail).toContain('no luck');
    }
  });

  it('that writes garbage to the channel is 502 and does no harm', async () => {
    const { response, text } = await answer('garbage', 'import os\ndef handler(m, c):\n    os.write(3, b"\\xff" * 64)\n    return 1');
    expect([response.status, JSON.parse(text).code]).toEqual([502, 'runtime_protocol_error']);
    expect((await hearth.call('/plain')).status).toBe(200);
  });

  it.each([
    ['status', '{"statusCode": 99, "body": ""}'],
    ['large status', '{"statusCode": 10**30, "body": ""}'],
    ['number of headers', '{"statusCode": 200, "headers": {f"X-{i}": "1" for i in range(250)}}'],
    ['header name', '{"statusCode": 200, "headers": {"bad name": "x"}}'],
    ['header value', '{"statusCode": 200, "headers": {"X-A": "x\\r\\nX-B: y"}}'],
    ['body', '{"value": float("nan")}'],
  ])('that answers with an impossible %s is 502', async (what, result) => {
    const { response, text } = await answer(`impossible-${what.replaceAll(' ', '-')}`, `def handler(m, c):\n    return ${result}`);
    expect([response.status, JSON.parse(text).code]).toEqual([502, expect.stringMatching(/^(invalid_reply|function_failed)$/)]);
  });

  it('that answers with more than the bound is 502 and can stream instead', async () => {
    const { response, text } = await answer('huge', 'def handler(m, c):\n    return "x" * 300000');
    expect([response.status, JSON.parse(text).code]).toEqual([502, 'reply_too_large']);
  });

  it('sees no header of the platform forged by the caller', async () => {
    const { text, response } = await answer(
      'ids',
      'def handler(m, c):\n    return [v for k, v in m["headers"].items() if k.lower() == "x-correlation-id"]',
      {
        headers: { 'X-Correlation-Id': 'guessed' },
      },
    );
    expect(JSON.parse(text)).toEqual([response.headers.get('x-correlation-id')]);
    expect(text).not.toContain('guessed');
    expect(response.headers.get('x-request-id')).toBe('guessed');
  });
});

describe('a script', () => {
  it('answers by the template of the seed, each run in a fresh process', async () => {
    await hearth.define(
      'script',
      `${TEMPLATE_HEAD}\nanswer(json.dumps([body, os.environ["HTTP_VERB"], os.environ["HTTP_PATH"], os.environ["HTTP_QUERY"], __name__]))\nconnection.close()`,
    );
    for (const [sent, seen] of [
      ['{"a": 1}', { body: { a: 1 } }],
      ['just text', { body: 'just text' }],
    ] as const) {
      const response = await hearth.call('/script?q=1', { method: 'POST', body: sent });
      expect([response.status, await json(response)]).toEqual([200, [seen, 'POST', '/script', 'q=1', '__main__']]);
    }
    const none = await hearth.call('/script');
    expect(await json(none)).toEqual([{ body: null }, 'GET', '/script', '', '__main__']);
  });

  it('sets content type, headers and status by the properties of its message', async () => {
    const { response, text } = await answer(
      'typed',
      `${TEMPLATE_HEAD}\nanswer("<p>", content_type="text/html", headers={"X-N": 7, "Status": "201 Created"})\nconnection.close()`,
    );
    expect([response.status, response.headers.get('content-type'), response.headers.get('x-n'), text]).toEqual([201, 'text/html', '7', '<p>']);
  });

  it('that ends well without an answer is 204, with another exit code 502', async () => {
    expect((await answer('silent', 'print("nothing to say")')).response.status).toBe(204);
    const { response } = await answer('exit3', 'import sys\nprint("why")\nsys.exit(3)');
    expect(response.status).toBe(502);
    const record = await hearth.record(response);
    expect(record).toMatchObject({ state: 'failed', error_code: 'function_failed' });
    expect(record.error_message).toContain('exited with code 3');
    expect(record.logs).toContain('why');
  });

  it('that raises is 502 with its traceback in the record', async () => {
    const { response } = await answer('raises', 'import json\njson.loads("{")');
    expect(response.status).toBe(502);
    const { logs } = await hearth.record(response);
    expect(logs).toContain('json.loads("{")');
    expect(logs).toContain('JSONDecodeError');
    expect(logs).not.toContain('hearth_agent');
  });

  it('that answers twice is served by its first answer', async () => {
    const { response, text } = await answer('twice', `${TEMPLATE_HEAD}\nanswer("one")\nanswer("two")\nconnection.close()`);
    expect([response.status, text]).toEqual([200, 'one']);
    expect((await hearth.record(response)).state).toBe('succeeded');
  });

  it('that answers and goes on is served at once, and its record waits for its end', async () => {
    const { response } = await answer('lingers', `${TEMPLATE_HEAD}\nanswer("early")\nconnection.close()\ntime.sleep(0.5)\nprint("late")`);
    expect(response.status).toBe(200);
    expect((await hearth.record(response)).logs).toContain('late');
  });

  it('that prints 100 MB is answered, and the record keeps the end of it', async () => {
    const { response } = await answer(
      'prints',
      `${TEMPLATE_HEAD}\nfor i in range(100): sys.stdout.write("x" * 1048575 + "\\n")\nprint("the end")\nanswer("done")\nconnection.close()`,
    );
    expect(response.status).toBe(200);
    const { logs } = await hearth.record(response);
    expect(logs).toMatch(/^… \d+ bytes before this were dropped …\n/);
    expect(logs?.trimEnd().endsWith('the end')).toBe(true);
    expect((logs ?? '').length).toBeLessThan(20_000);
  });

  it('can not answer for another invocation', async () => {
    const { response } = await answer(
      'forger',
      `${TEMPLATE_HEAD}\nchannel.confirm_delivery()\ntry:\n    channel.basic_publish(exchange='', routing_key="00000000-0000-4000-8000-000000000000", body="forged")\n    print("accepted")\nexcept pika.exceptions.ChannelClosedByBroker as error:\n    print("refused", error.reply_code)`,
    );
    expect(response.status).toBe(204);
    expect((await hearth.record(response)).logs).toMatch(/refused 40[34]/);
  });

  it('that kills itself is 502, and so is one that segfaults; the instance stays', async () => {
    await hearth.define('killed', 'import os, signal\nif os.environ["HTTP_QUERY"]: os.kill(os.getpid(), signal.SIGKILL)');
    const first = await hearth.call('/killed');
    expect(first.status).toBe(204);
    const dead = await hearth.call('/killed?x');
    expect(dead.status).toBe(502);
    expect((await json(dead)).detail).toContain('SIGKILL');
    const after = await hearth.call('/killed');
    expect([after.status, after.headers.get('x-hearth-start')]).toEqual([204, 'warm']);
  });

  it('with a syntax error is refused when it is registered, naming the line', async () => {
    const response = await hearth.post('/functions', { event_type: 'http|GET|/syntax', function_name: 'syntax', function_code: 'x = 1\ny = (' });
    const problem = await json(response);
    expect([response.status, problem.code, problem.line]).toEqual([422, 'invalid_code', 2]);
  });
});

describe('a deadline', () => {
  it.each([
    ['script', 'import time\ntime.sleep(60)'],
    ['spinning-handler', 'def handler(m, c):\n    while True: pass'],
    ['async-handler', 'import asyncio\nasync def handler(m, c):\n    await asyncio.sleep(60)'],
  ])('answers 504 for a %s that never ends, and kills what it runs', async (name, code) => {
    await hearth.define(`never-${name}`, code, { timeout_ms: 700 });
    const response = await hearth.call(`/never-${name}`);
    const problem = await json(response);
    expect([response.status, problem.code, problem.clock]).toEqual([504, 'deadline_exceeded', 'run']);
    expect(await hearth.record(response)).toMatchObject({ state: 'timed_out', status: 504 });
  });

  it('kills the whole tree, daemons that left their parent included', async () => {
    const marker = `hearth-test-${process.pid}`;
    await hearth.define(
      'daemon',
      `import os, time, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("/proc/self/comm", "w").write("${marker.slice(0, 15)}")
        time.sleep(120)
    os._exit(0)
time.sleep(60)`,
      { timeout_ms: 700 },
    );
    expect((await hearth.call('/daemon')).status).toBe(504);
    await until(async () => (await processesNamed(marker.slice(0, 15))).length === 0);
  });

  it('while an answer is streamed breaks the connection off', async () => {
    await hearth.define('endless', 'import time\ndef handler(m, c):\n    while True:\n        yield "tick\\n"\n        time.sleep(0.05)', {
      timeout_ms: 700,
    });
    const response = await hearth.call('/endless');
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow();
    expect(await hearth.record(response)).toMatchObject({ state: 'timed_out', status: 200 });
  });
});

describe('a caller', () => {
  it('that leaves cancels its invocation', async () => {
    await hearth.define('slow', 'import time\ntime.sleep(30)');
    const abort = new AbortController();
    const call = hearth.call('/slow', { signal: abort.signal });
    await until(async () => (await hearth.instances('slow')).some((instance) => instance.state === 'busy'));
    abort.abort();
    await expect(call).rejects.toThrow();
    expect(await hearth.recordWhere((record) => record.state === 'cancelled')).toMatchObject({ status: null, error_code: 'client_gone' });
    await until(async () => (await hearth.instances('slow')).every((instance) => instance.state === 'idle'));
  });

  it('gets 404 with the event key to register, 405 with what is allowed', async () => {
    const missing = await hearth.call('/no/such/path');
    expect([missing.status, missing.headers.get('content-type'), (await json(missing)).code]).toEqual([
      404,
      'application/problem+json',
      'no_function',
    ]);
    await hearth.register({ event_type: 'http|POST|/only-post', function_name: 'only-post', function_code: 'def handler(m, c): pass' });
    const wrong = await hearth.call('/only-post');
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST']);
    const named = await hearth.call('/no/such/path', { headers: { 'X-Request-Id': 'mine' } });
    expect(named.headers.get('x-request-id')).toBe('mine');
  });

  it('gets 413 for a body above the bound, announced or not', async () => {
    const response = await hearth.call('/plain', { method: 'POST', body: 'x'.repeat(100_001) });
    expect([response.status, (await json(response)).code]).toEqual([413, 'body_too_large']);
    const chunk = `2000\r\n${'x'.repeat(0x2000)}\r\n`;
    const chunked = await hearth.raw(`POST /plain HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(20)}0\r\n\r\n`, (text) =>
      text.includes('body_too_large'),
    );
    expect(chunked).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('gets 431 for too many or too large headers, 414 for too long a target', async () => {
    const many = Array.from({ length: 120 }, (_, index) => `X-${index}: 1\r\n`).join('');
    expect(await hearth.raw(`GET /plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${many}\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
    expect(await hearth.raw(`GET /plain HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
    expect(await hearth.raw(`GET /${'x'.repeat(9000)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 414 /);
  });

  it('gets 400 for what is no HTTP', async () => {
    const answer = await hearth.raw('NONSENSE\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"code":"malformed_request"');
    expect(await hearth.raw('GET /plain HTTP/1.1\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [\s\S]*no Host header/);
  });

  it('gets the head of GET for HEAD, and what is allowed for OPTIONS', async () => {
    await hearth.register({ event_type: 'http|GET|/heads', function_name: 'heads', function_code: 'def handler(m, c): return "12345"' });
    const head = await hearth.call('/heads', { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '5', '']);
    const options = await hearth.call('/heads', { method: 'OPTIONS' });
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, HEAD']);
  });

  it('is told to go on when it expects to be, and refused before it sends what is too large', async () => {
    const small = await hearth.raw('POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n{}');
    expect(small).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
    const large = await hearth.raw('POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\nExpect: 100-continue\r\n\r\n', (text) =>
      text.includes('body_too_large'),
    );
    expect(large).toMatch(/^HTTP\/1\.1 413 /);
  });
});

describe('a caller that misbehaves', () => {
  it('by not reading a streamed answer holds up nobody else, even when the answer is complete', async () => {
    await hearth.define(
      'stalled',
      'def handler(m, c):\n    n = int(m["query"].get("n", 0))\n    return (b"x" * 1000000 for _ in range(n)) if n else "small"',
      { max_instances: 1, timeout_ms: 5000 },
    );
    const { hostname, port } = new URL(hearth.gateway);
    const sockets = [1, 4, 20].map((n) => {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => undefined);
      socket.write(`GET /stalled?n=${n} HTTP/1.1\r\nHost: x\r\n\r\n`);
      socket.pause();
      return socket;
    });
    await sleep(500);
    sockets[2]?.destroy();
    expect(await (await hearth.call('/stalled')).text()).toBe('small');
    for (const socket of sockets) socket.destroy();
  });

  it('by sending a body that nobody wants gets its answer all the same', async () => {
    const body = Buffer.alloc(5_000_000);
    for (let n = 0; n < 10; n++) {
      const answer = await hearth.raw(
        Buffer.concat([Buffer.from(`POST /nobody/here HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`), body]),
      );
      expect(answer).toMatch(/^HTTP\/1\.1 404 /);
      expect(answer).toContain('no_function');
    }
  });

  it('by sending garbage behind a request gets the answer to the request whole, and then one to the garbage', async () => {
    await hearth.define('ticks', 'import time\ndef handler(m, c):\n    for i in range(4):\n        yield "tick\\n"\n        time.sleep(0.1)');
    const answer = await hearth.raw('GET /ticks HTTP/1.1\r\nHost: x\r\n\r\n GARBAGE \r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\n\r\n(5\r\ntick\n\r\n){4}0\r\n\r\nHTTP\/1\.1 400 /);
    expect((await hearth.call('/ticks')).status).toBe(200);
  });
});

describe('load on one function', () => {
  it('that makes callers wait for a busy instance, not for a start, is named so when time runs out', async () => {
    await hearth.define('crowded', 'import time\ndef handler(m, c):\n    time.sleep(5)', { max_instances: 1, timeout_ms: 1200 });
    const responses = await Promise.all([1, 2].map(() => hearth.call('/crowded')));
    const clocks = (await Promise.all(responses.map(json))).map((problem) => problem.clock);
    expect(clocks.sort()).toEqual(['queue', 'run']);
  });

  it('is answered 429 beyond its queue, with Retry-After', async () => {
    await hearth.define('narrow', 'import time\ndef handler(m, c):\n    time.sleep(0.6)\n    return 1', { max_instances: 1, max_queue: 1 });
    expect((await hearth.call('/narrow')).status).toBe(200);
    const responses = await Promise.all(Array.from({ length: 5 }, () => hearth.call('/narrow')));
    const statuses = responses.map((response) => response.status).sort();
    expect(statuses).toEqual([200, 200, 429, 429, 429]);
    const refused = responses.find((response) => response.status === 429) as Response;
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect((await json(refused)).reason).toBe('function_queue_full');
  });

  it('starts more instances when runs take longer than a start', async () => {
    await hearth.define('wide', 'import time\ndef handler(m, c):\n    time.sleep(0.5)\n    return 1', { max_instances: 3 });
    await hearth.call('/wide');
    const responses = await Promise.all(Array.from({ length: 6 }, () => hearth.call('/wide')));
    expect(responses.map((response) => response.status)).toEqual(Array(6).fill(200));
    expect(new Set(responses.map((response) => response.headers.get('x-serverless-instance-id'))).size).toBe(3);
  });

  it('runs several scripts at once in one instance', async () => {
    await hearth.define('parallel', 'import time\ntime.sleep(0.5)', { max_instances: 1 });
    await hearth.call('/parallel');
    const responses = await Promise.all(Array.from({ length: 4 }, () => hearth.call('/parallel')));
    expect(new Set(responses.map((response) => response.headers.get('x-serverless-instance-id'))).size).toBe(1);
    const records = await Promise.all(responses.map((response) => hearth.record(response)));
    expect(records.map((record) => record.state)).toEqual(Array(4).fill('succeeded'));
  });
});

describe('several functions on one event key', () => {
  it('all run, and the first answer wins', async () => {
    const key = 'http|GET|/race';
    await hearth.register({
      event_type: key,
      function_name: 'race-slow',
      function_code: 'import time\ndef handler(m, c):\n    time.sleep(1)\n    return "slow"',
    });
    await hearth.register({ event_type: key, function_name: 'race-fast', function_code: 'def handler(m, c):\n    return "fast"' });
    await hearth.register({ event_type: key, function_name: 'race-broken', function_code: 'def handler(m, c):\n    raise ValueError("me too")' });
    const response = await hearth.call('/race');
    expect([response.status, await response.text()]).toEqual([200, 'fast']);
    const outcomes = await Promise.all(
      ['race-slow', 'race-broken'].map((name) =>
        hearth.recordWhere((record) => (record as unknown as { function_name: string }).function_name === name),
      ),
    );
    expect(outcomes.map((record) => record.state)).toEqual(['succeeded', 'failed']);
  });

  it('fail only when all have failed', async () => {
    const key = 'http|GET|/all-fail';
    for (const name of ['fail-a', 'fail-b'])
      await hearth.register({ event_type: key, function_name: name, function_code: 'def handler(m, c):\n    raise ValueError("no")' });
    expect((await hearth.call('/all-fail')).status).toBe(502);
  });
});

describe('a new version', () => {
  it('takes over without a request being lost', async () => {
    const code = (n: number) => `import time\ndef handler(m, c):\n    time.sleep(0.02)\n    return ${n}`;
    await hearth.define('redeployed', code(0));
    let done = false;
    const seen = new Set<string>();
    const statuses = new Set<number>();
    const load = Array.from({ length: 4 }, async () => {
      while (!done) {
        const response = await hearth.call('/redeployed');
        statuses.add(response.status);
        seen.add(await response.text());
      }
    });
    for (let n = 1; n <= 5; n++) {
      await hearth.define('redeployed', code(n));
      await until(() => seen.has(String(n)));
    }
    done = true;
    await Promise.all(load);
    expect([...statuses]).toEqual([200]);
    await until(async () => new Set((await hearth.instances('redeployed')).map((instance) => instance.version)).size === 1);
  });
});

describe('the trigger of the control plane', () => {
  it('refuses a body that is too large for it, and takes no instance with it', async () => {
    await hearth.define('once', 'def handler(m, c): return "still here"', { max_instances: 1 });
    const request = { http_header: '', http_path: '/once', http_verb: 'GET' };
    const response = await hearth.post('/functions/trigger', { ...request, http_body: '"'.repeat(1_100_000) });
    expect([response.status, (await json(response)).code]).toEqual([422, 'invalid_request']);
    expect(await (await hearth.call('/once')).text()).toBe('still here');
  });

  it('answers with instance ids before the run ends, under the id that its client named', async () => {
    await hearth.define('triggered', 'import os, time\ntime.sleep(0.3)\nprint(os.environ["HTTP_HEADER"], os.environ["HTTP_BODY"])');
    const response = await hearth.post('/functions/trigger', {
      http_header: 'A: b\nX-Correlation-Id: mine-1',
      http_body: '{"body": 5 }',
      http_path: '/triggered',
      http_verb: 'GET',
    });
    const body = await json(response);
    expect(body).toMatchObject({ status: 'ok', container_ids: [expect.any(String)] });
    const [instanceId] = body.container_ids as string[];
    const record = await hearth.recordWhere((candidate) => candidate.instance_id === instanceId);
    expect(record.logs).toBe('A: b\nX-Correlation-Id: mine-1 {"body": 5 }\n');
  });
});

async function processesNamed(name: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
  const names = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')));
  return names.filter((text) => text.trim() === name);
}
