import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Hearth, json, type RecordOnTheWire, until } from '../../support/hearth.ts';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

/** A handler that does what its body's text says, with `hearth` imported. */
const EVAL = 'import hearth\ndef handler(m, c):\n    return eval(m["body"], {"hearth": hearth, "m": m, "c": c, "tried": tried})\n';
const TRIED = `
import hearth
def tried(*args, **kwargs):
    try:
        return {"answer": hearth.invoke(*args, **kwargs)}
    except hearth.InvokeError as error:
        return {"code": error.code, "status": error.status, "message": str(error), "body": error.body}
`;
const CALLER = TRIED + EVAL;

describe('functions that invoke functions', () => {
  let hearth: Hearth;

  beforeAll(async () => {
    hearth = await Hearth.start({ settings: { HEARTH_SANDBOX_NETWORK: 'none' } });
    const invokes = [
      'echo',
      'broken',
      'teapot',
      'sleepy',
      'self',
      'loop',
      'bytes',
      'stream',
      'gone',
      'tick',
      'script',
      'async-self',
      'nothing',
      'big',
    ];
    await hearth.define(
      'echo',
      'def handler(m, c):\n    return {"body": m["body"], "type": m["headers"].get("Content-Type"), "trace": m["headers"].get("traceparent"), "id": c.correlation_id, "left": c.remaining_ms(), "depth": m["headers"].get("X-Hearth-Depth")}\n',
    );
    await hearth.define('broken', 'def handler(m, c):\n    raise ValueError("no luck")\n');
    await hearth.define('teapot', 'def handler(m, c):\n    return {"statusCode": 418, "body": {"short": "stout"}}\n');
    await hearth.define('sleepy', 'import time\ndef handler(m, c):\n    time.sleep(float(m["body"]))\n    return "slept"\n', { timeout_ms: 20_000 });
    await hearth.define('bytes', 'def handler(m, c):\n    return {"statusCode": 200, "body": bytes([255, 0]) + m["raw_body"]}\n');
    await hearth.define('big', 'def handler(m, c):\n    return "x" * (3 * 1024 * 1024) + str(len(m["raw_body"]))\n');
    await hearth.define('stream', 'def handler(m, c):\n    yield "a"\n    yield "b"\n');
    await hearth.define('tick', 'def handler(m, c):\n    print("ticked", m["body"])\n    return "tock"\n');
    await hearth.define('script', 'import hearth, os, json\nbody = json.loads(os.environ["HTTP_BODY"])["body"]\nprint(json.dumps(eval(body)))\n', {
      invokes,
    });
    await hearth.define('caller', CALLER, { invokes });
    await hearth.define('threads', CALLER, { invokes, concurrency: 8 });
    await hearth.define(
      'async-caller',
      'import hearth, asyncio\nasync def handler(m, c):\n    return await eval(m["body"], {"hearth": hearth, "asyncio": asyncio})\n',
      { invokes },
    );
    await hearth.define('lonely', CALLER);
    await hearth.define('self', 'import hearth\ndef handler(m, c):\n    n = m["body"]\n    return hearth.invoke("self", n - 1) + 1 if n else 0\n', {
      invokes,
    });
    await hearth.define('loop', 'import hearth\ndef handler(m, c):\n    return hearth.invoke("loop", m["body"] + 1)\n', { invokes });
  });
  afterAll(async () => {
    await hearth?.[Symbol.asyncDispose]();
  });

  const run = (name: string, code: string, init: RequestInit = {}) =>
    hearth.call(`/${name}`, { method: 'POST', body: JSON.stringify(code), ...init });
  const value = async (name: string, code: string, init: RequestInit = {}) => {
    const response = await run(name, code, init);
    const text = await response.text();
    expect(response.status, text).toBe(200);
    return JSON.parse(text) as Record<string, unknown>;
  };

  it('get its answer, its id apart from theirs, without any network', async () => {
    const response = await run('caller', 'hearth.invoke("echo", {"a": [1, "ü"]})', { headers: { traceparent: TRACE } });
    const found = await json(response);
    expect(found).toMatchObject({ body: { a: [1, 'ü'] }, type: 'application/json', trace: TRACE });
    expect(found.id).not.toBe(response.headers.get('x-correlation-id'));
    const record = await hearth.recordWhere(({ id }) => id === found.id);
    expect(record).toMatchObject({ state: 'succeeded', trigger: 'function', function_name: 'echo' });
  });

  it('give bytes and get bytes, nothing and large things', async () => {
    expect(await value('caller', '[*hearth.invoke("bytes", b"\\x01\\x02")]')).toEqual([255, 0, 1, 2]);
    expect(await value('caller', 'hearth.invoke("echo")')).toMatchObject({ body: null, type: null });
    expect(await value('caller', '[hearth.invoke("stream")]')).toEqual(['ab']);
    expect(await value('caller', 'len(hearth.invoke("big", b"y" * 2500000))')).toBe(3 * 1024 * 1024 + 7);
  }, 60_000);

  it('are told what the other one failed of', async () => {
    expect(await value('caller', 'tried("broken")')).toMatchObject({
      code: 'function_failed',
      status: 502,
      message: expect.stringContaining('no luck'),
    });
    expect(await value('caller', 'tried("teapot")')).toMatchObject({ code: 'status', status: 418, body: { short: 'stout' } });
    expect(await value('caller', 'tried("nothing")')).toMatchObject({ code: 'not_found' });
    const uncaught = await run('caller', 'hearth.invoke("broken")');
    expect(uncaught.status).toBe(502);
    expect(await uncaught.text()).toContain('no luck');
  });

  it('may invoke none that they were not registered with', async () => {
    expect(await value('lonely', 'tried("echo")')).toMatchObject({ code: 'invoke_not_allowed', status: 403 });
    expect(await value('caller', 'tried("caller")')).toMatchObject({
      code: 'invoke_not_allowed',
      message: expect.stringContaining('"invokes": ["caller"'),
    });
    await hearth.define(
      'lonely-script',
      'import hearth\ntry:\n    hearth.invoke("echo")\nexcept hearth.InvokeError as error:\n    print(error.code)\n',
    );
    expect((await hearth.record(await hearth.call('/lonely-script'))).logs).toBe('invoke_not_allowed\n');
  });

  it('have others wait no longer than they are waited for themselves', async () => {
    const asked = await value('caller', 'tried("sleepy", 5, timeout_ms=200)');
    expect(asked).toMatchObject({ code: 'deadline_exceeded', status: 504 });
    await hearth.define('hasty', CALLER, { invokes: ['echo', 'sleepy'], timeout_ms: 1500 });
    expect((await value('hasty', 'hearth.invoke("echo")')).left).toBeLessThan(1500);
    expect((await run('hasty', 'hearth.invoke("sleepy", 15)')).status).toBe(504);
    const record = await hearth.recordWhere(({ error_code, state, ...rest }) => {
      const { function_name: name } = rest as unknown as { function_name: string };
      return name === 'sleepy' && state !== 'succeeded' && error_code !== null;
    });
    expect(record.state).toMatch(/timed_out|cancelled/);
  });

  it('may invoke themselves, each in an instance of its own, but not without end', async () => {
    expect(await json(await hearth.call('/self', { method: 'POST', body: '3' }))).toBe(3);
    const looped = await hearth.call('/loop', { method: 'POST', body: '0' });
    expect(looped.status).toBe(502);
    expect(await looped.text()).toContain('invocation_too_deep');
  }, 60_000);

  it('are refused what would wait for itself for ever', async () => {
    await hearth.define('single', `${TRIED}def handler(m, c):\n    return tried("single")\n`, {
      invokes: ['single'],
      max_instances: 1,
      concurrency: 1,
    });
    expect(await json(await hearth.call('/single'))).toMatchObject({ code: 'queue_full', message: expect.stringContaining('wait for itself') });
  });

  it('hand over what is to run later, and get its id', async () => {
    const [id] = (await value('caller', '[hearth.invoke("tick", 7, mode="async")]', { headers: { traceparent: TRACE } })) as unknown as string[];
    const record = (await hearth.get(`/invocations/${id}?wait=20s`)) as RecordOnTheWire;
    expect(record).toMatchObject({ state: 'succeeded', mode: 'async', trigger: 'function', result: { body: 'tock' } });
    expect(record.logs).toContain('ticked 7');
    const looping = 'import hearth\ndef handler(m, c):\n    return hearth.invoke("later-loop", m["body"] + 1, mode="async")\n';
    await hearth.define('later-loop', looping, { invokes: ['later-loop'], retry: { attempts: 1 } });
    await hearth.call('/later-loop', { method: 'POST', body: '0' });
    const end = await hearth.recordWhere((one) => (one as { function_name?: string }).function_name === 'later-loop' && one.state === 'failed');
    expect(end.error_message).toContain('invocation_too_deep');
    const { invocations } = (await hearth.get('/invocations?function=later-loop')) as { invocations: unknown[] };
    expect(invocations).toHaveLength(9);
  }, 60_000);

  it('call at once from threads and tasks', async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, (_, index) => value('threads', `hearth.invoke("echo", ${index})["body"]`)));
    expect(answers).toEqual(Array.from({ length: 12 }, (_, index) => index));
    const gathered = 'asyncio.gather(*[hearth.ainvoke("echo", n) for n in range(5)])';
    await hearth.define('gather', `import hearth, asyncio\nasync def handler(m, c):\n    return [one["body"] for one in await ${gathered}]\n`, {
      invokes: ['echo'],
    });
    expect(await json(await hearth.call('/gather'))).toEqual([0, 1, 2, 3, 4]);
    await hearth.define(
      'own-loop',
      `import hearth, asyncio\nasync def run():\n    return [one["body"] for one in await ${gathered}]\ndef handler(m, c):\n    return asyncio.run(run())\n`,
      { invokes: ['echo'] },
    );
    expect(await json(await hearth.call('/own-loop'))).toEqual([0, 1, 2, 3, 4]);
    await hearth.define('stopping', 'import hearth\nasync def handler(m, c):\n    return hearth.invoke("echo")\n', { invokes: ['echo'] });
    expect(await (await hearth.call('/stopping')).text()).toContain('ainvoke');
  }, 60_000);

  it('run on while calls come ahead of their turn', async () => {
    await hearth.define('busy', `${TRIED}def handler(m, c):\n    return hearth.invoke("echo", m["body"])["body"]\n`, {
      invokes: ['echo'],
      max_instances: 2,
    });
    const all = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => json(await hearth.call('/busy', { method: 'POST', body: String(index) })) as unknown),
    );
    expect(all).toEqual(Array.from({ length: 200 }, (_, index) => index));
  }, 60_000);

  it('end what they had called when they are killed', async () => {
    await hearth.define(
      'dying',
      'import hearth, os, threading\ndef handler(m, c):\n    threading.Timer(0.3, os._exit, (3,)).start()\n    hearth.invoke("drowsy", 15)\n',
      {
        invokes: ['drowsy'],
      },
    );
    await hearth.define('drowsy', 'import time\ndef handler(m, c):\n    time.sleep(float(m["body"]))\n', { timeout_ms: 20_000 });
    expect((await hearth.call('/dying')).status).toBe(502);
    const record = await hearth.recordWhere((one) => (one as { function_name?: string }).function_name === 'drowsy');
    expect(record.state).toBe('cancelled');
  }, 60_000);

  describe('as scripts', () => {
    const logs = async (code: string): Promise<string | null> => (await hearth.record(await run('script', code))).logs;

    it('get answers, errors and ids', async () => {
      expect(await logs('hearth.invoke("echo", {"a": 1})["body"]')).toBe('{"a": 1}\n');
      expect(await logs('hearth.invoke("teapot")')).toContain('hearth.InvokeError: status: the function teapot answered with the status 418');
      expect(await logs('len(hearth.invoke("big", b"y" * 2500000))')).toBe(`${3 * 1024 * 1024 + 7}\n`);
      const id = JSON.parse((await logs('hearth.invoke("tick", 8, mode="async")')) as string) as string;
      expect(await hearth.get(`/invocations/${id}?wait=20s`)).toMatchObject({ state: 'succeeded', result: { body: 'tock' } });
    }, 60_000);

    it('call at once, each in its own name', async () => {
      const told = await Promise.all(Array.from({ length: 12 }, (_, index) => logs(`hearth.invoke("echo", ${index})["body"]`)));
      expect(told).toEqual(Array.from({ length: 12 }, (_, index) => `${index}\n`));
    }, 60_000);

    it('call from what they have started, but not once they are over', async () => {
      await hearth.define(
        'child',
        'import hearth, subprocess, sys, os\npid = os.fork()\nif pid == 0:\n    print(hearth.invoke("echo", "child")["body"], flush=True)\n    os._exit(0)\nos.waitpid(pid, 0)\n',
        { invokes: ['echo'] },
      );
      expect((await hearth.record(await hearth.call('/child'))).logs).toBe('child\n');
    });
  });

  it('leave no call behind that nobody waits for', async () => {
    const open = await until(async () => {
      const { invocations } = (await hearth.get('/invocations?state=running')) as { invocations: unknown[] };
      return invocations.length === 0 ? invocations : undefined;
    });
    expect(open).toEqual([]);
  });
});
