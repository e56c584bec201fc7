import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Hearth, json, sleep, until } from '../../support/hearth.ts';

const HELLO = 'def handler(m, c):\n    return "hello"';
const SLEEPER = 'import time\ndef handler(m, c):\n    time.sleep(float(m["query"].get("s", 0)))\n    return "slept"';

/** Processes whose environment or arguments name that data folder's platform can't be told from outside; descendants can. */
async function descendants(pid: number): Promise<number[]> {
  const found: number[] = [];
  for (const task of await readdir(`/proc/${pid}/task`).catch(() => [])) {
    const children = (await readFile(`/proc/${pid}/task/${task}/children`, 'utf8').catch(() => '')).split(' ').filter(Boolean).map(Number);
    for (const child of children) found.push(child, ...(await descendants(child)));
  }
  return found;
}

/** The start time beside the pid, so that a reused pid isn't taken for the same process. */
async function startTime(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

describe('a restart', () => {
  it('keeps functions, versions, layers and the records of instances and invocations', async () => {
    await using first = await Hearth.start();
    await first.define('kept', 'def handler(m, c):\n    return 1');
    await first.define('kept', 'def handler(m, c):\n    return 2');
    await first.define('deleted', HELLO);
    await fetch(`${first.api}/functions/deleted`, { method: 'DELETE' });
    const before = await first.call('/kept');
    const record = await first.record(before);
    expect(await first.stop()).toBe(0);

    await using second = await Hearth.start({ dataFolder: first.dataFolder });
    const after = await second.call('/kept');
    expect([after.status, await after.text(), after.headers.get('x-hearth-start')]).toEqual([200, '2', 'cold']);
    expect((await second.call('/deleted')).status).toBe(404);
    const { versions } = (await second.get('/functions/kept/versions')) as { versions: { version: number }[] };
    expect(versions.map((version) => version.version)).toEqual([2, 1]);
    expect(await second.get(`/invocations/${record.id}`)).toEqual(record);
    expect(await second.get(`/functions/instances/${record.instance_id}`)).toMatchObject({ state: 'stopped', function_name: 'kept' });
    // What was counted over time is read while calls are counted already.
    await until(async () => {
      const { total } = (await second.get('/functions/kept/series?window=24h')) as { total: { starts: object } };
      return isDeepStrictEqual(total.starts, { cold: 2, warm: 0, none: 0 });
    });
  });

  it('after SIGKILL finds nothing left running, closes open records and goes on', async () => {
    await using first = await Hearth.start();
    await first.define('busy', SLEEPER);
    await first.call('/busy');
    const lost = first.call('/busy?s=60').catch(() => undefined);
    await until(async () => (await first.instances('busy')).some((instance) => instance.state === 'busy'));
    const children = await descendants(first.child.pid as number);
    expect(children.length).toBeGreaterThan(0);
    const started = await Promise.all(children.map(startTime));
    const id = (await first.instances('busy'))[0]?.id;
    await sleep(300);
    await first.stop('SIGKILL');
    await lost;
    await until(async () => (await Promise.all(children.map(async (pid, index) => (await startTime(pid)) !== started[index]))).every(Boolean));

    await using second = await Hearth.start({ dataFolder: first.dataFolder });
    expect((await second.call('/busy')).status).toBe(200);
    expect(await second.get(`/functions/instances/${id}`)).toMatchObject({ state: 'stopped' });
  });
});

describe('SIGTERM', () => {
  it('lets what runs end, takes nothing new, and leaves no process', async () => {
    await using hearth = await Hearth.start();
    await hearth.define('drained', SLEEPER);
    await hearth.call('/drained');
    const running = hearth.call('/drained?s=1');
    await until(async () => (await hearth.instances('drained')).some((instance) => instance.state === 'busy'));
    const children = await descendants(hearth.child.pid as number);
    const stopped = hearth.stop();
    await until(async () => (await hearth.call('/drained').catch(() => undefined))?.status !== 200);
    const response = await running;
    expect([response.status, await response.text()]).toEqual([200, 'slept']);
    expect(await stopped).toBe(0);
    await until(async () => (await Promise.all(children.map(startTime))).every((time) => time === undefined));
  });

  it('ends what does not end in its time, with an answer', async () => {
    await using hearth = await Hearth.start({ settings: { HEARTH_LIMITS_DRAIN_MS: '500' } });
    await hearth.define('stubborn', SLEEPER);
    await hearth.call('/stubborn');
    const running = hearth.call('/stubborn?s=60');
    await until(async () => (await hearth.instances('stubborn')).some((instance) => instance.state === 'busy'));
    const stopped = hearth.stop();
    const response = await running;
    expect([response.status, (await json(response)).code]).toEqual([503, 'draining']);
    expect(await stopped).toBe(0);
  });
});

describe('instances', () => {
  it('that are idle for too long go, and the next call is cold', async () => {
    await using hearth = await Hearth.start({ settings: { HEARTH_LIMITS_IDLE_MS: '300' } });
    await hearth.define('idle', HELLO);
    await hearth.call('/idle');
    await until(async () => (await hearth.instances('idle')).length === 0);
    expect((await hearth.call('/idle')).headers.get('x-hearth-start')).toBe('cold');
  });

  it('give way to other functions when the machine is full, the one that is cheapest to start again first', async () => {
    await using hearth = await Hearth.start({ settings: { HEARTH_LIMITS_MAX_INSTANCES: '2' } });
    await hearth.define('dear', `import time\ntime.sleep(4)\n${HELLO}`);
    await hearth.define('cheap', HELLO);
    await hearth.define('third', HELLO);
    for (const name of ['dear', 'cheap', 'third']) expect((await hearth.call(`/${name}`)).status).toBe(200);
    await until(async () => {
      const names = (await hearth.instances()).map((instance) => instance.function_name).sort();
      return names.join() === 'dear,third';
    });
    expect((await hearth.call('/dear')).headers.get('x-hearth-start')).toBe('warm');
  });

  it('of a function that has more than its share make room for one that has none', async () => {
    await using hearth = await Hearth.start({ settings: { HEARTH_LIMITS_MAX_INSTANCES: '3' } });
    await hearth.define('greedy', SLEEPER);
    await hearth.define('modest', HELLO);
    await hearth.call('/greedy?s=0.3');
    let done = false;
    const flood = Array.from({ length: 12 }, async () => {
      while (!done) await (await hearth.call('/greedy?s=0.3')).text();
    });
    await until(async () => (await hearth.instances('greedy')).filter((instance) => instance.state === 'busy').length === 3);
    expect((await hearth.call('/modest')).status).toBe(200);
    done = true;
    await Promise.all(flood);
  });

  it('of a busy machine let the next one wait for room', async () => {
    await using hearth = await Hearth.start({ settings: { HEARTH_LIMITS_MAX_INSTANCES: '1' } });
    await hearth.define('first', SLEEPER);
    await hearth.define('second', HELLO);
    await hearth.call('/first');
    const long = hearth.call('/first?s=1');
    await until(async () => (await hearth.instances('first')).some((instance) => instance.state === 'busy'));
    const waited = await hearth.call('/second');
    expect([waited.status, (await long).status]).toEqual([200, 200]);
  });
});

describe('reserved instances', () => {
  it('are there before the first call, come back when they die, and outlast idleness and a restart', async () => {
    await using first = await Hearth.start({ settings: { HEARTH_LIMITS_IDLE_MS: '300' } });
    await first.define('ready', 'import os\ndef handler(m, c):\n    if m["query"].get("die"): os._exit(1)\n    return 1', { reserved: 2 });
    const two = async (hearth: Hearth) => (await hearth.instances('ready')).filter((instance) => instance.state === 'idle').length === 2;
    await until(() => two(first));
    await sleep(1500);
    expect(await two(first)).toBe(true);
    expect((await first.call('/ready')).headers.get('x-hearth-start')).toBe('warm');
    expect((await first.call('/ready?die=1')).status).toBe(502);
    await until(() => two(first));
    await first.stop();
    await using second = await Hearth.start({ dataFolder: first.dataFolder });
    await until(() => two(second));
    expect((await second.call('/ready')).headers.get('x-hearth-start')).toBe('warm');
  });

  it('of a function that can not be loaded do not keep the machine busy, and do not keep it from stopping', async () => {
    await using hearth = await Hearth.start();
    await hearth.define('hopeless', 'raise RuntimeError("no")\ndef handler(m, c): pass', { reserved: 1 });
    await hearth.define('restless', 'import os, threading\nthreading.Timer(0.05, lambda: os._exit(1)).start()\ndef handler(m, c): pass', {
      reserved: 1,
    });
    await sleep(2500);
    for (const name of ['hopeless', 'restless']) {
      const { instances } = (await hearth.get(`/functions/instances?all=true&function_name=${name}`)) as { instances: unknown[] };
      expect(instances.length).toBeGreaterThan(0);
      expect(instances.length).toBeLessThan(8);
    }
    expect(await hearth.stop()).toBe(0);
  });
});

describe('slow requests', () => {
  it('are answered 408 when headers or body do not come', async () => {
    await using hearth = await Hearth.start({ settings: { HEARTH_GATEWAY_HEADERS_TIMEOUT_MS: '300', HEARTH_GATEWAY_REQUEST_TIMEOUT_MS: '600' } });
    await hearth.define('any', HELLO);
    expect(await hearth.raw('GET /any HTTP/1.1\r\nHost: x\r\nX-Slow: ')).toMatch(/^HTTP\/1\.1 408 /);
    expect(await hearth.raw('POST /any HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc')).toMatch(/^HTTP\/1\.1 408 /);
    expect((await hearth.call('/any')).status).toBe(200);
  });
});

describe('a start that can not succeed', () => {
  it('says which port is taken and what to do', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await until(() => server.listening);
    const { port } = server.address() as AddressInfo;
    await expect(Hearth.start({ settings: { HEARTH_GATEWAY_PORT: String(port) } })).rejects.toThrow(
      /can't listen on 127\.0\.0\.1:\d+: something else listens there already; .* HEARTH_GATEWAY_PORT/,
    );
    await expect(Hearth.start({ settings: { HEARTH_API_PORT: String(port) } })).rejects.toThrow(/control plane can't listen .* HEARTH_API_PORT/);
    server.close();
  });

  it('names the setting that is wrong', async () => {
    await expect(Hearth.start({ settings: { HEARTH_GATEWAY_MAX_HEADERS: 'many' } })).rejects.toThrow(/gateway\.max_headers must be integer/);
    await expect(Hearth.start({ settings: { HEARTH_GATEWAI_PORT: '1' } })).rejects.toThrow(/HEARTH_GATEWAI_PORT, which is no setting/);
  });

  it('refuses a data folder that another platform uses', async () => {
    await using first = await Hearth.start();
    await expect(Hearth.start({ dataFolder: first.dataFolder })).rejects.toThrow(/another platform|in use|locked/);
    await first.define('unharmed', HELLO);
    expect((await first.call('/unharmed')).status).toBe(200);
  });
});

describe('the network of a function', () => {
  const PROBE = `
import socket
def handler(m, c):
    host, port = m["query"]["to"].split(":")
    s = socket.socket()
    s.settimeout(3)
    try:
        s.connect((host, int(port)))
        return "reached"
    except OSError as error:
        return "refused"
`;
  const own = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter((address) => address.family === 'IPv4' && !address.internal)
    .map((address) => address.address);

  let hearth: Hearth;
  let port: string;
  beforeAll(async () => {
    hearth = await Hearth.start({ settings: { HEARTH_GATEWAY_HOST: '0.0.0.0' } });
    port = new URL(hearth.gateway).port;
    hearth.gateway = `http://127.0.0.1:${port}`;
  });
  afterAll(() => hearth?.[Symbol.asyncDispose]());

  it.each(['none', 'egress', 'host'] as const)('in mode %s reaches no more than it should', async (network) => {
    await hearth.define(`probe-${network}`, PROBE, { network });
    for (const address of ['127.0.0.1', ...own, '10.0.2.2']) {
      const reached = await (await hearth.call(`/probe-${network}?to=${address}:${port}`)).text();
      expect([address, reached]).toEqual([address, network === 'host' && address !== '10.0.2.2' ? 'reached' : 'refused']);
    }
  });
});

describe('the process driver', () => {
  it('runs handlers and scripts without isolation, and says so loudly', async () => {
    await using hearth = await Hearth.start({ settings: { HEARTH_DRIVER: 'process' }, requirements: 'pika\n' });
    expect(hearth.output).toMatch(/"level":"warn".*"driver":"process"/);
    await hearth.define('plain', HELLO);
    expect(await (await hearth.call('/plain')).text()).toBe('hello');
    await hearth.define(
      'amqp',
      'import os, pika\nq = [l.split(": ")[1] for l in os.environ["HTTP_HEADER"].splitlines() if l.startswith("X-Correlation-Id")][0]\nc = pika.BlockingConnection(pika.ConnectionParameters(host="message_queue"))\nc.channel().basic_publish(exchange="", routing_key=q, body="by amqp")\nc.close()',
    );
    expect(await (await hearth.call('/amqp')).text()).toBe('by amqp');
  });
});
