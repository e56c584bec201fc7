import { describe, expect, test } from 'vitest';
import { ToRuntime } from '../../../src/protocol/frame.ts';
import { Agent, json, PYTHONS, text } from '../../support/agent.ts';

describe.each(PYTHONS)('a handler on %s', (python) => {
  const load = (code: string, options: { concurrency?: number; environment?: Record<string, string>; listen?: boolean } = {}) =>
    Agent.load({ python, style: 'handler', code, ...options });

  test('gets the request as a message and answers a dict as JSON', async () => {
    await using agent = await load('def handler(message, context):\n    return {**message, "raw_body": message["raw_body"].hex()}\n');
    const outcome = await agent.call({
      verb: 'PUT',
      path: '/cats/7',
      rawPath: '/cats/7?x=1&x=2&y=',
      query: 'x=1&x=2&y=',
      params: { id: '7' },
      headers: ['Host', 'h', 'X-Twice', 'a', 'X-Twice', 'b', 'X-Correlation-Id', 'c'],
      body: '{"n": "ä"}',
    });
    expect(outcome.head).toEqual({ status: 200, headers: ['Content-Type', 'application/json'], streaming: false });
    expect(json(outcome)).toEqual({
      headers: { Host: 'h', 'X-Twice': 'a, b', 'X-Correlation-Id': 'c' },
      body: { n: 'ä' },
      raw_body: Buffer.from('{"n": "ä"}').toString('hex'),
      path: '/cats/7',
      raw_path: '/cats/7?x=1&x=2&y=',
      verb: 'PUT',
      query: { x: '2', y: '' },
      query_all: { x: ['1', '2'], y: [''] },
      params: { id: '7' },
      message_type: 'http',
    });
  });

  test('gets a context whose keys are attributes', async () => {
    await using agent = await load(
      'def handler(message, context):\n    ok = context["correlation_id"] == context.correlation_id and 0 < context.remaining_ms() <= 60000\n' +
        '    return [ok, context.correlation_id, context.instance_id, context.function_name, context.message_queue_uri, context.deadline]\n',
    );
    const outcome = await agent.call({ correlationId: 'c-1', deadline: Date.now() + 30_000 });
    expect(json(outcome)).toEqual([true, 'c-1', 'instance-1', 'example', 'message_queue', expect.closeTo(Date.now() / 1000 + 30, -2)]);
  });

  test('sees no body as None, text as text, and bytes that are no text as surrogates that lead back to the bytes', async () => {
    await using agent = await load('def handler(message):\n    return "nothing" if message["body"] is None else message["body"]\n');
    expect(text(await agent.call())).toBe('nothing');
    expect(text(await agent.call({ body: 'no json {' }))).toBe('no json {');
    const bytes = Buffer.from([0x68, 0xff, 0x00, 0xfe]);
    expect(Buffer.concat((await agent.call({ body: bytes })).pieces)).toEqual(bytes);
    expect(text(await agent.call({ body: '"json text"' }))).toBe('json text');
  });

  test('keeps its module between invocations', async () => {
    await using agent = await load('n = 0\ndef handler():\n    global n\n    n += 1\n    return n\n');
    expect([json(await agent.call()), json(await agent.call()), json(await agent.call())]).toEqual([1, 2, 3]);
  });

  test('answers bodies of many frames byte for byte', async () => {
    await using agent = await load('def handler(m):\n    return m["raw_body"]\n');
    const body = Buffer.alloc(3 * 1024 * 1024 + 17);
    for (let i = 0; i < body.length; i += 1) body[i] = (i * 7) & 0xff;
    const outcome = await agent.call({ body });
    expect(outcome.head?.headers).toEqual(['Content-Type', 'application/octet-stream']);
    expect(Buffer.concat(outcome.pieces).equals(body)).toBe(true);
  });

  test.each([
    ['None', 204, [], ''],
    ['"text"', 200, ['Content-Type', 'text/plain; charset=utf-8'], 'text'],
    ['b"bytes"', 200, ['Content-Type', 'application/octet-stream'], 'bytes'],
    ['[1, "ä"]', 200, ['Content-Type', 'application/json'], '[1, "ä"]'],
    ['{"statusCode": 201, "body": "x"}', 201, ['Content-Type', 'text/plain; charset=utf-8'], 'x'],
    ['{"statusCode": 302, "headers": {"Location": "/a"}}', 302, ['Location', '/a'], ''],
    ['{"statusCode": 200, "body": {"a": 1}}', 200, ['Content-Type', 'application/json'], '{"a": 1}'],
    [
      '{"statusCode": 200, "headers": {"content-type": "image/gif"}, "body": "R0lG", "isBase64Encoded": True}',
      200,
      ['content-type', 'image/gif'],
      'GIF',
    ],
    [
      '{"statusCode": 200, "headers": {"A": ["1", "2"]}, "multiValueHeaders": {"B": ["3"]}, "cookies": ["c=1", "d=2"], "body": b"y"}',
      200,
      ['A', '1', 'A', '2', 'B', '3', 'Set-Cookie', 'c=1', 'Set-Cookie', 'd=2', 'Content-Type', 'application/octet-stream'],
      'y',
    ],
    ['{"statusCode": "200"}', 200, ['Content-Type', 'application/json'], '{"statusCode": "200"}'],
  ])('that returns %s answers with it', async (expression, status, headers, body) => {
    await using agent = await load(`def handler(m, c):\n    return ${expression}\n`);
    const outcome = await agent.call();
    expect(outcome.failed).toBeUndefined();
    expect(outcome.head).toEqual({ status, headers, streaming: false });
    expect(text(outcome)).toBe(body);
  });

  test.each([
    ['float("nan")', 'ValueError', /JSON/],
    ['{"x": object()}', 'TypeError', /object is not JSON serializable/],
    ['{1, 2}', 'TypeError', /set/],
    ['(lambda a: a.append(a) or a)([])', 'ValueError', /Circular/],
    ['{"statusCode": 200, "body": "!", "isBase64Encoded": True}', 'ValueError', /base64/],
    ['{"statusCode": 200, "headers": {"A": object()}}', 'TypeError', /header A/],
    ['iter([1])', 'TypeError', /yields str or bytes, not int/],
  ])('that returns %s fails and says why', async (expression, type, message) => {
    await using agent = await load(`def handler(m, c):\n    return ${expression}\n`);
    const outcome = await agent.call();
    expect(outcome.failed?.type).toBe(type);
    expect(outcome.failed?.message).toMatch(message);
    expect(outcome.head).toBeUndefined();
    expect((await agent.call()).failed?.type).toBe(type);
  });

  test('that raises fails with the type, the message and a trace of its own lines only', async () => {
    await using agent = await load('def inner():\n    raise KeyError("cat")  # here\n\ndef handler(m, c):\n    inner()\n');
    const { failed } = await agent.call();
    expect(failed).toMatchObject({ type: 'KeyError', message: "'cat'" });
    expect(failed?.trace).toContain('File "/function/example.py", line 2, in inner');
    expect(failed?.trace).toContain('raise KeyError("cat")  # here');
    expect(failed?.trace).not.toContain('hearth_agent');
  });

  test.each([
    ['raise SystemExit(3)', 'SystemExit'],
    ['raise KeyboardInterrupt', 'KeyboardInterrupt'],
    ['exit()', 'SystemExit'],
    ['class E(Exception):\n        def __str__(self): raise SystemExit\n        __repr__ = __str__\n    raise E', 'E'],
    ['class E(Exception):\n        def __str__(self): return str(self)\n        __repr__ = __str__\n    raise E', 'E'],
    ['raise ValueError("x" * 10**7)', 'ValueError'],
    ['raise ValueError("\\ud800")', 'ValueError'],
    ['def f(): f()\n    f()', 'RecursionError'],
    ['class R:\n        def __class__(self): raise ValueError\n        __class__ = property(__class__)\n    return R()', 'ValueError'],
  ])('that does %j fails, and the next invocation runs', async (statements, type) => {
    await using agent = await load(`def handler(m, c):\n    if m["body"]:\n        return "fine"\n    ${statements}\n`);
    const { failed } = await agent.call();
    expect(failed?.type).toBe(type);
    expect(Buffer.byteLength(failed?.message ?? '')).toBeLessThanOrEqual(4096);
    expect(Buffer.byteLength(failed?.trace ?? '')).toBeLessThanOrEqual(16384);
    expect(text(await agent.call({ body: 'x' }))).toBe('fine');
  });

  test('that prints is heard under the id of its invocation, and import time under none', async () => {
    await using agent = await load(
      'import sys\nprint("loading")\ndef handler(m, c):\n    print("out", m["body"])\n    sys.stderr.write("err")\n    return 1\n',
    );
    const outcome = await agent.call({ body: 'a' });
    expect([outcome.stdout.toString(), outcome.stderr.toString()]).toEqual(['out a\n', 'err']);
    expect(agent.unattributed).toBe('loading\n');
  });

  test('that prints a line and hangs has been heard', async () => {
    await using agent = await load('import time\ndef handler(m, c):\n    print("before")\n    time.sleep(3600)\n');
    await agent.invoke().printed('before\n');
  });

  test('that prints megabytes loses none of it', async () => {
    await using agent = await load('def handler(m, c):\n    for i in range(100000):\n        print("line", i)\n    print("x" * 1000000)\n');
    const outcome = await agent.call();
    const lines = outcome.stdout.toString().split('\n');
    expect(lines).toHaveLength(100_002);
    expect(lines[99_999]).toBe('line 99999');
    expect(lines[100_000]).toHaveLength(1_000_000);
  });

  test('that uses logging is heard on standard error', async () => {
    await using agent = await load('import logging\ndef handler(m, c):\n    logging.warning("careful")\n');
    expect((await agent.call()).stderr.toString()).toBe('WARNING:root:careful\n');
  });

  test('that writes to descriptor 1 itself is heard as output of the sandbox', async () => {
    await using agent = await load('import os\ndef handler(m, c):\n    os.write(1, b"raw\\n")\n');
    await agent.call();
    await agent.until(() => agent.output.includes('raw\n'));
  });

  test('may fork, and what its processes print does not get between the frames', async () => {
    await using agent = await load(
      'import multiprocessing as mp, os\ndef work(n):\n    for i in range(200):\n        print("worker", n, "x" * 500)\n    return os.path.exists("/proc/self/fd/3") and os.readlink("/proc/self/fd/3").startswith("socket")\n' +
        'def handler(m, c):\n    with mp.get_context("fork").Pool(4) as pool:\n        found = pool.map(work, range(4))\n    print("parent")\n    return found\n',
      { listen: true },
    );
    for (let i = 0; i < 3; i += 1) {
      const outcome = await agent.call();
      expect(json(outcome)).toEqual([false, false, false, false]);
      expect(outcome.stdout.toString()).toBe('parent\n');
    }
    await agent.until(() => agent.output.split('worker').length - 1 === 2400);
  });

  test('that runs programs gives them none of its descriptors', async () => {
    await using agent = await load("import os\ndef handler(m, c):\n    return os.popen(\"ls /proc/self/fd | tr '\\n' ' '\").read()\n", {
      listen: true,
    });
    expect(text(await agent.call())).toBe('0 1 2 3 ');
  });

  test('whose forked process comes back from it ends that process and answers once', async () => {
    await using agent = await load('import os\nme = os.getpid()\ndef handler(m, c):\n    os.fork()\n    return os.getpid() == me\n');
    expect(json(await agent.call())).toBe(true);
    expect(json(await agent.call())).toBe(true);
  });

  test('that returns a generator streams its pieces as they come', async () => {
    await using agent = await load(
      'import os, time\ndef handler(m, c):\n    yield "one"\n    while not os.path.exists("go"):\n        time.sleep(0.005)\n    yield b"two"\n',
    );
    const running = agent.invoke();
    expect((await running.piece(0)).toString()).toBe('one');
    await import('node:fs/promises').then(({ writeFile }) => writeFile(`${agent.temporary}/go`, ''));
    const outcome = await running.done;
    expect(outcome.head).toEqual({ status: 200, headers: ['Content-Type', 'text/plain; charset=utf-8'], streaming: true });
    expect(outcome.pieces.map(String)).toEqual(['one', 'two']);
  });

  test('whose generator fails midway breaks the response off, and before its first piece fails cleanly', async () => {
    await using agent = await load('def handler(m, c):\n    if m["body"]:\n        yield "a"\n    raise ValueError("no")\n');
    const midway = await agent.call({ body: 'x' });
    expect([midway.head?.streaming, text(midway), midway.failed?.type]).toEqual([true, 'a', 'ValueError']);
    const early = await agent.call();
    expect([early.head, early.failed?.message]).toEqual([undefined, 'no']);
  });

  test('may stream the body of a response with a status', async () => {
    await using agent = await load('def handler(m, c):\n    return {"statusCode": 201, "headers": {"A": "b"}, "body": (str(i) for i in range(3))}\n');
    const outcome = await agent.call();
    expect(outcome.head).toEqual({ status: 201, headers: ['A', 'b', 'Content-Type', 'text/plain; charset=utf-8'], streaming: true });
    expect(text(outcome)).toBe('012');
  });

  test('sees its environment, with defaults, and the arguments and builtins of an ordinary program', async () => {
    await using agent = await load(
      'import os, sys\ndef handler():\n    return [os.environ["A"], os.environ["HOME"], sys.argv, "" in sys.path, exit.__class__.__name__]\n',
      {
        environment: { A: 'b', HOME: '/x' },
      },
    );
    expect(json(await agent.call())).toEqual(['b', '/x', ['/function/example.py'], false, 'Quitter']);
  });

  test('does not find the modules of the runtime on its path', async () => {
    await using agent = await load(
      'import importlib.util as u\ndef handler():\n    return [u.find_spec(n) is None for n in ("frames", "boot", "errors", "channel", "handler")]\n',
    );
    expect(json(await agent.call())).toEqual([true, true, true, true, true]);
  });

  test.each([
    ['x = (', 'SyntaxError'],
    ['raise RuntimeError("at import")', 'RuntimeError'],
    ['import no_such_module', 'ModuleNotFoundError'],
    ['raise SystemExit(0)', 'SystemExit'],
    ['x = 1', 'LoadError'],
    ['handler = 5', 'LoadError'],
    ['def handler(a, b, c): pass', 'LoadError'],
  ])('whose code is %j is not loaded, and the runtime exits', async (code, type) => {
    await using agent = await load(code);
    expect(agent.ready).toBeUndefined();
    expect(agent.loadFailed?.type).toBe(type);
    expect(await agent.exit()).toBe(1);
  });

  test('that decorators wrap is called with what it takes', async () => {
    await using agent = await load(
      'import functools\ndef twice(f):\n    @functools.wraps(f)\n    def wrapper(*args, **kwargs):\n        return f(*args, **kwargs) * 2\n    return wrapper\n@twice\ndef handler(m):\n    return m["body"]\n',
    );
    expect(text(await agent.call({ body: 'ab' }))).toBe('abab');
  });

  test('with a concurrency runs several at once in threads, each with its own output', async () => {
    await using agent = await load(
      'import threading\nbarrier = threading.Barrier(4)\ndef handler(m, c):\n    print("at", m["body"])\n    barrier.wait()\n    print("past", m["body"])\n    return m["body"]\n',
      { concurrency: 4 },
    );
    const outcomes = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].slice(0, 4).map((body) => agent.call({ body })));
    expect(outcomes.map(text)).toEqual(['a', 'b', 'c', 'd']);
    expect(outcomes.map((outcome) => outcome.stdout.toString())).toEqual(['a', 'b', 'c', 'd'].map((name) => `at ${name}\npast ${name}\n`));
  });

  test('exits with 0 on Shutdown, after what runs has ended', async () => {
    await using agent = await load('import atexit\natexit.register(print, "bye")\ndef handler(m, c):\n    return "done"\n');
    const running = agent.invoke();
    agent.send(ToRuntime.Shutdown, 0);
    expect(text(await running.done)).toBe('done');
    expect(await agent.exit()).toBe(0);
    expect(agent.unattributed).toBe('bye\n');
  });

  test('ends when the channel ends', async () => {
    await using agent = await load('def handler(m, c):\n    return 1\n');
    agent.endChannel();
    expect(await agent.exit()).toBe(0);
  });

  test('may talk to the reply endpoint from inside an invocation', async () => {
    await using agent = await Agent.load({
      python,
      style: 'handler',
      listen: true,
      code:
        'import os, socket\nport = int(os.environ.get("PORT", 0))\ndef handler(m, c):\n' +
        '    with socket.create_connection((c.message_queue_uri, m["body"])) as s:\n        s.sendall(b"ping")\n        return s.recv(100)\n',
      onStreamData: (stream) => stream.write(`${stream.received}-pong`),
    });
    for (let i = 0; i < 3; i += 1) expect(text(await agent.call({ body: String(agent.port) }))).toBe('ping-pong');
    await agent.until(() => agent.streams.length === 3 && agent.streams.every((stream) => stream.closed));
  });

  test('may keep a connection to the reply endpoint open between invocations', async () => {
    await using agent = await Agent.load({
      python,
      style: 'handler',
      listen: true,
      code:
        'import socket\ns = None\ndef handler(m, c):\n    global s\n    if s is None:\n        s = socket.create_connection(("message_queue", m["body"]))\n' +
        '    s.sendall(b"x")\n    return s.recv(100)\n',
      onStreamData: (stream) => stream.write(`${stream.received.length}`),
    });
    const answers: string[] = [];
    for (let i = 0; i < 20; i += 1) answers.push(text(await agent.call({ body: String(agent.port) })));
    expect(answers).toEqual(Array.from({ length: 20 }, (_, i) => String(i + 1)));
    expect(agent.streams).toHaveLength(1);
  });
});

describe.each(PYTHONS)('an asynchronous handler on %s', (python) => {
  const load = (code: string) => Agent.load({ python, style: 'handler', code, concurrency: 16 });

  test('runs several at once in one loop, each with its own output', async () => {
    await using agent = await load(
      'import asyncio\nevents = {}\nasync def handler(m, c):\n    me, other = m["body"]\n    print("start", me)\n    events.setdefault(me, asyncio.Event()).set()\n' +
        '    await events.setdefault(other, asyncio.Event()).wait()\n    print("end", me)\n    return me\n',
    );
    const [a, b] = await Promise.all([agent.call({ body: '["a", "b"]' }), agent.call({ body: '["b", "a"]' })]);
    expect([text(a), text(b)]).toEqual(['a', 'b']);
    expect([a.stdout.toString(), b.stdout.toString()]).toEqual(['start a\nend a\n', 'start b\nend b\n']);
  });

  test('that is cancelled stops and confirms, and others go on', async () => {
    await using agent = await load(
      'import asyncio\nasync def handler(m, c):\n    if m["body"]:\n        return "other"\n    try:\n        print("waiting")\n        await asyncio.sleep(3600)\n    finally:\n        print("cleaned up")\n',
    );
    const running = agent.invoke();
    await running.printed('waiting');
    agent.cancel(running.id);
    const outcome = await running.done;
    expect(outcome.failed?.type).toBe('Cancelled');
    expect(outcome.stdout.toString()).toBe('waiting\ncleaned up\n');
    expect(text(await agent.call({ body: 'x' }))).toBe('other');
  });

  test('that is cancelled before its first step confirms that', async () => {
    await using agent = await load('async def handler(m, c):\n    return "ran"\n');
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, () => {
        const running = agent.invoke();
        agent.cancel(running.id);
        return running.done;
      }),
    );
    for (const outcome of outcomes) expect(outcome.failed?.type ?? text(outcome)).toMatch(/^(Cancelled|ran)$/);
    expect(text(await agent.call())).toBe('ran');
  });

  test('that is an async generator streams', async () => {
    await using agent = await load(
      'import asyncio\nasync def handler(m, c):\n    for i in range(3):\n        yield f"{i};"\n        await asyncio.sleep(0)\n',
    );
    const outcome = await agent.call();
    expect([outcome.head?.streaming, text(outcome)]).toEqual([true, '0;1;2;']);
  });

  test('may stream an async generator as the body of a response', async () => {
    await using agent = await load(
      'async def numbers():\n    yield "1"\n    yield "2"\nasync def handler(m, c):\n    return {"statusCode": 202, "body": numbers()}\n',
    );
    const outcome = await agent.call();
    expect([outcome.head?.status, outcome.head?.streaming, text(outcome)]).toEqual([202, true, '12']);
  });

  test.each([
    ['raise ValueError("no")', 'ValueError'],
    ['raise SystemExit(1)', 'SystemExit'],
    ['raise KeyboardInterrupt', 'KeyboardInterrupt'],
  ])('that does %j fails alone', async (statement, type) => {
    await using agent = await load(`async def handler(m, c):\n    if m["body"]:\n        return "fine"\n    ${statement}\n`);
    expect((await agent.call()).failed).toMatchObject({ type });
    expect(text(await agent.call({ body: 'x' }))).toBe('fine');
  });

  test('that blocks its loop on the reply endpoint is answered all the same', async () => {
    await using agent = await Agent.load({
      python,
      style: 'handler',
      listen: true,
      concurrency: 4,
      code: 'import socket\nasync def handler(m, c):\n    with socket.create_connection(("message_queue", m["body"])) as s:\n        s.sendall(b"ping")\n        return s.recv(100)\n',
      onStreamData: (stream) => stream.write('pong'),
    });
    const outcomes = await Promise.all([1, 2, 3].map(() => agent.call({ body: String(agent.port) })));
    expect(outcomes.map(text)).toEqual(['pong', 'pong', 'pong']);
  });

  test('finishes what runs before it exits on Shutdown', async () => {
    await using agent = await load('import asyncio\nasync def handler(m, c):\n    await asyncio.sleep(0.05)\n    return "done"\n');
    const running = agent.invoke();
    agent.send(ToRuntime.Shutdown, 0);
    expect(text(await running.done)).toBe('done');
    expect(await agent.exit()).toBe(0);
  });
});

describe.each(PYTHONS)('a synchronous handler on %s', (python) => {
  test('that returns an awaitable or an async generator is awaited', async () => {
    await using agent = await Agent.load({
      python,
      style: 'handler',
      code: 'async def work():\n    return "awaited"\nasync def many():\n    yield "a"\n    yield "b"\ndef handler(m):\n    return many() if m["body"] else work()\n',
    });
    expect(text(await agent.call())).toBe('awaited');
    expect(text(await agent.call({ body: 'x' }))).toBe('ab');
  });
});

describe.each(PYTHONS)('the runtime on %s', (python) => {
  test('says Hello with its version before it is asked anything', async () => {
    await using agent = await Agent.spawn({ python, style: 'handler', code: '' });
    expect(agent.hello).toEqual({ protocol: 1, runtime: 'python', version: expect.stringMatching(/^3\.\d+\.\d+$/) });
  });

  test.each([
    ['a frame above the bound', Buffer.from('0010000103000000010000', 'hex')],
    ['a second Load', Buffer.from('0000000201000000007b7d', 'hex')],
    ['an unknown type', Buffer.from('000000007f00000000', 'hex')],
    ['an Invoke that lacks members', Buffer.from('0000000203000000017b7d', 'hex')],
    ['JSON that is none', Buffer.from('00000001030000000178', 'hex')],
  ])('exits with 70 and says why on %s', async (_name, bytes) => {
    for (const style of ['handler', 'script'] as const) {
      await using agent = await Agent.load({ python, style, code: 'def handler(): pass\n' });
      agent.write(bytes);
      expect(await agent.exit()).toBe(70);
      expect(agent.output).toMatch(/hearth: protocol error: /);
    }
  });

  test('applies the limits before it loads code', async () => {
    await using agent = await Agent.load({
      python,
      style: 'handler',
      limits: { openFiles: 77, fileBytes: 1234567 },
      code: 'import resource as r\nlimits = [r.getrlimit(x) for x in (r.RLIMIT_NOFILE, r.RLIMIT_FSIZE, r.RLIMIT_CORE)]\ndef handler():\n    return limits\n',
    });
    expect(json(await agent.call())).toEqual([
      [77, 77],
      [1234567, 1234567],
      [0, 0],
    ]);
  });

  test('searches the layers in their order', async () => {
    const { mkdtemp, mkdir, writeFile, rm } = await import('node:fs/promises');
    const { tmpdir } = await import('node:os');
    const root = await mkdtemp(`${tmpdir()}/hearth-layers-`);
    try {
      for (const name of ['first', 'second']) {
        await mkdir(`${root}/${name}`);
        await writeFile(`${root}/${name}/which.py`, `name = ${JSON.stringify(name)}\n`);
        await writeFile(`${root}/${name}/only_${name}.py`, '');
      }
      await using agent = await Agent.load({
        python,
        style: 'handler',
        layers: [`${root}/first`, `${root}/second`],
        code: 'import which, only_first, only_second\ndef handler():\n    return which.name\n',
      });
      expect(text(await agent.call())).toBe('first');
    } finally {
      await rm(root, { recursive: true });
    }
  });

  test('fails the load when the address of the reply endpoint is taken', async () => {
    await using first = await Agent.load({ python, style: 'script', code: 'pass', listen: true });
    await using second = await Agent.spawn({ python, style: 'script', code: '' });
    second.send(
      ToRuntime.Load,
      0,
      JSON.stringify({
        function: 'x',
        style: 'script',
        runtime: 'python',
        codeLength: 0,
        layers: [],
        environment: {},
        concurrency: 1,
        streamListen: { host: '127.0.0.1', port: first.port, name: 'message_queue' },
        limits: {},
      }),
    );
    await second.until(() => second.loadFailed !== undefined);
    expect(second.loadFailed?.message).toContain(`can't listen on 127.0.0.1:${first.port}`);
    expect(await second.exit()).toBe(1);
  });
});
