import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Hearth, json, until } from '../../support/hearth.ts';

let hearth: Hearth;

beforeAll(async () => {
  hearth = await Hearth.start();
});

afterAll(async () => {
  await hearth?.[Symbol.asyncDispose]();
});

const version = (number: number) => `def handler(m, c):\n    return "v${number}"`;
const BROKEN = 'def handler(m, c):\n    raise ValueError("broken")';

async function versions(name: string, ...codes: string[]): Promise<void> {
  for (const code of codes) await hearth.define(name, code);
}

function put(name: string, traffic: object, on = hearth): Promise<Response> {
  return fetch(`${on.api}/functions/${name}/traffic`, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(traffic),
  });
}

async function split(name: string, traffic: object): Promise<Record<string, unknown>> {
  const response = await put(name, traffic);
  const body = await json(response);
  expect([response.status, body.status], JSON.stringify(body)).toEqual([200, 'ok']);
  return body;
}

async function texts(name: string, calls: number, headers: (call: number) => Record<string, string> = () => ({})): Promise<string[]> {
  const answers: string[] = [];
  for (let call = 0; call < calls; call++) answers.push(await (await hearth.call(`/${name}`, { headers: headers(call) })).text());
  return answers;
}

/** Calls without a pause on several connections until it is told to stop. */
class Load {
  readonly answers: { status: number; text: string; start: string | null }[] = [];
  readonly #lanes: Promise<void>[];
  #stopped = false;

  constructor(path: string, lanes: number, init: RequestInit = {}) {
    this.#lanes = Array.from({ length: lanes }, async () => {
      while (!this.#stopped) {
        const response = await hearth.call(path, init);
        this.answers.push({ status: response.status, text: await response.text(), start: response.headers.get('x-hearth-start') });
      }
    });
  }

  /** Resolves once so many more answers are there. */
  async more(count: number): Promise<void> {
    const goal = this.answers.length + count;
    await until(() => this.answers.length >= goal);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#lanes);
  }
}

describe('a split', () => {
  it('reaches both versions, says which one answered, and counts', async () => {
    await versions('canary', version(1), version(2));
    await split('canary', { weights: { 1: 50, 2: 50 } });
    const answers: string[] = [];
    // Random: 100 calls that all miss one of two halves would be a wonder.
    for (let call = 0; call < 100; call++) {
      const response = await hearth.call('/canary');
      const text = await response.text();
      expect(response.headers.get('x-hearth-version')).toBe(text.slice(1));
      answers.push(text);
    }
    expect(new Set(answers)).toEqual(new Set(['v1', 'v2']));
    const counted = (await hearth.get('/functions/canary/traffic')) as { versions: { version: number; calls: number; errors: number }[] };
    expect(counted.versions).toMatchObject([
      { version: 2, calls: answers.filter((text) => text === 'v2').length, errors: 0 },
      { version: 1, calls: answers.filter((text) => text === 'v1').length, errors: 0 },
    ]);
    expect((await hearth.instances('canary')).map((instance) => instance.version).sort()).toEqual([1, 2]);
  });

  it('gives no call to a version of weight 0 but by X-Hearth-Version', async () => {
    await versions('dark', version(1), version(2), version(3));
    await split('dark', { weights: { 1: 100, 2: 0 } });
    expect(new Set(await texts('dark', 30))).toEqual(new Set(['v1']));
    const chosen = await Promise.all(['1', '2', '3'].map((number) => hearth.call('/dark', { headers: { 'x-hearth-VERSION': number } })));
    expect(await Promise.all(chosen.map((response) => response.text()))).toEqual(['v1', 'v2', 'v3']);
    expect(chosen.map((response) => response.headers.get('x-hearth-version'))).toEqual(['1', '2', '3']);
    const unknown = await hearth.call('/dark', { method: 'POST', body: 'never read', headers: { 'X-Hearth-Version': '4' } });
    expect([unknown.status, (await json(unknown)).code]).toEqual([404, 'unknown_version']);
  });

  it('keeps a caller with one version by the sticky header, after a restart too, and survives it', async () => {
    await using first = await Hearth.start();
    await first.define('sticky', version(1));
    await first.define('sticky', version(2));
    expect((await put('sticky', { weights: { 1: 50, 2: 50 }, sticky_header: 'X-User' }, first)).status).toBe(200);
    const before = await first.get('/functions/sticky/traffic');
    const users = Array.from({ length: 20 }, (_, index) => `user-${index}`);
    const versionsOf = async (on: Hearth) => {
      const answers: string[] = [];
      for (const user of users) answers.push(await (await on.call('/sticky', { headers: { 'X-User': user } })).text());
      return answers;
    };
    const answers = await versionsOf(first);
    expect(new Set(answers)).toEqual(new Set(['v1', 'v2']));
    expect(await versionsOf(first)).toEqual(answers);
    expect(await first.stop()).toBe(0);

    await using second = await Hearth.start({ dataFolder: first.dataFolder });
    const { versions: counts, counted_since: since, ...kept } = (await second.get('/functions/sticky/traffic')) as Record<string, unknown>;
    expect(before).toMatchObject(kept);
    expect(counts).toMatchObject([
      { version: 2, calls: 0 },
      { version: 1, calls: 0 },
    ]);
    expect(since).toEqual(expect.any(Number));
    expect(await versionsOf(second)).toEqual(answers);
  });

  it('takes a failing newest version out by itself', async () => {
    await versions('guarded', version(1), BROKEN);
    await split('guarded', { weights: { 1: 50, 2: 50 }, rollback_on: { error_rate: 0.2, minimum_calls: 5, window_ms: 60_000 } });
    const statuses: number[] = [];
    for (let call = 0; call < 100; call++) statuses.push((await hearth.call('/guarded')).status);
    // A failure counts in the tick in which its answer is written, so the fifth is the last.
    expect(statuses.filter((status) => status === 502)).toHaveLength(5);
    expect(await hearth.get('/functions/guarded/traffic')).toMatchObject({
      state: 'rolled_back',
      weights: { 1: 100, 2: 0 },
      rolled_back: { version: 2, reason: expect.stringContaining('5 of the last 5 calls of version 2 failed') },
      versions: [
        { version: 2, calls: 5, errors: 5 },
        { version: 1, calls: 95, errors: 0 },
      ],
    });
    expect(hearth.output).toContain('a version was rolled back by itself');
    expect((await hearth.call('/guarded', { headers: { 'X-Hearth-Version': '2' } })).status).toBe(502);
  });

  it('ends: all calls go to the current version, and instances of the others go', async () => {
    await versions('ended', version(1), version(2));
    await split('ended', { weights: { 1: 100 } });
    expect(await texts('ended', 3)).toEqual(['v1', 'v1', 'v1']);
    const ended = await fetch(`${hearth.api}/functions/ended/traffic`, { method: 'DELETE' });
    expect(await json(ended)).toMatchObject({ status: 'ok', deleted: true, current_version: 2 });
    const response = await hearth.call('/ended');
    expect([await response.text(), response.headers.get('x-hearth-version'), response.headers.get('x-hearth-start')]).toEqual(['v2', null, 'warm']);
    await until(async () => (await hearth.instances('ended')).every((instance) => instance.version === 2));
  });

  it("applies to the control plane's trigger too", async () => {
    await versions('triggered', version(1), version(2));
    await split('triggered', { weights: { 1: 100, 2: 0 } });
    const trigger = (header: string) =>
      hearth.post('/functions/trigger', { http_header: header, http_body: '{"body": null}', http_path: '/triggered', http_verb: 'GET' });
    for (const header of ['', 'X-Hearth-Version: 2']) expect((await trigger(header)).status).toBe(200);
    const { instances } = (await hearth.get('/functions/instances?function_name=triggered')) as { instances: { version: number }[] };
    expect(instances.map((instance) => instance.version).sort()).toEqual([1, 2]);
    expect((await json(await trigger('X-Hearth-Version: 9'))).code).toBe('unknown_version');
  });
});

describe('a switch under load', () => {
  it('by a new version loses no call, and no caller sees a cold start', async () => {
    await versions('redeployed', version(1));
    expect(await texts('redeployed', 1)).toEqual(['v1']);
    const load = new Load('/redeployed', 4);
    try {
      for (let number = 2; number <= 5; number++) {
        await load.more(50);
        const body = await hearth.register({ event_type: 'http|*|/redeployed', function_name: 'redeployed', function_code: version(number) });
        expect(body.warnings).toEqual([]);
        // Whoever calls after the answer of the registration gets the new version.
        expect(await texts('redeployed', 1)).toEqual([`v${number}`]);
      }
      await load.more(50);
    } finally {
      await load.stop();
    }
    expect(load.answers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(load.answers.filter(({ start }) => start !== 'warm')).toEqual([]);
    expect(new Set(load.answers.map(({ text }) => text))).toEqual(new Set(['v1', 'v2', 'v3', 'v4', 'v5']));
    await until(async () => (await hearth.instances('redeployed')).every((instance) => instance.version === 5));
  });

  it('back to an earlier version loses no call, with bodies under way and slow calls running', async () => {
    const slow = (number: number) => `import time\ndef handler(m, c):\n    time.sleep(0.03)\n    return f"v${number} {m['body']}"`;
    await versions('restored', slow(1), slow(2));
    await hearth.call('/restored');
    const load = new Load('/restored', 4, { method: 'POST', body: 'x' });
    try {
      for (const target of [1, 2, 1]) {
        await load.more(20);
        const response = await hearth.post('/functions/restored/rollback', { version: target });
        expect(await json(response)).toMatchObject({ status: 'ok', version: target, warnings: [] });
        const next = await hearth.call('/restored', { method: 'POST', body: 'x' });
        expect([await next.text(), next.headers.get('x-hearth-start')]).toEqual([`v${target} x`, 'warm']);
      }
      await load.more(20);
    } finally {
      await load.stop();
    }
    expect(load.answers.filter(({ status, start }) => status !== 200 || start !== 'warm')).toEqual([]);
    expect((await json(await hearth.post('/functions/restored/rollback', { version: 7 }))).code).toBe('unknown_version');
  });

  it('serves a call by the version that it was routed to, even when its body comes after the switch', async () => {
    await versions('late', version(1));
    await hearth.call('/late');
    const { hostname, port } = new URL(hearth.gateway);
    const socket = connect(Number(port), hostname);
    let received = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      received += chunk;
    });
    const closed = once(socket, 'close');
    socket.write('POST /late HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\n');
    // It is routed once it is asked for its body.
    await until(() => received.includes('100 Continue'));
    await hearth.define('late', version(2));
    await until(async () => (await hearth.instances('late')).every((instance) => instance.version === 2));
    socket.write('x');
    await closed;
    expect(received).toMatch(/\r\n\r\nHTTP\/1\.1 200 OK\r\n[\s\S]*v1$/);
    expect(await texts('late', 1)).toEqual(['v2']);
    await until(async () => (await hearth.instances('late')).every((instance) => instance.version === 2));
  });

  it('is made also on a machine that has room for one instance, which the old version holds', async () => {
    await using narrow = await Hearth.start({ settings: { HEARTH_LIMITS_MAX_INSTANCES: '1' } });
    await narrow.define('narrow', version(1));
    await narrow.call('/narrow');
    const body = await narrow.register({ event_type: 'http|*|/narrow', function_name: 'narrow', function_code: version(2) });
    expect(body.warnings).toEqual([]);
    const response = await narrow.call('/narrow');
    expect([await response.text(), response.headers.get('x-hearth-start')]).toEqual(['v2', 'warm']);
  });

  it('to a version that can not be loaded is made all the same, and the answer says why', async () => {
    await versions('unwarmed', version(1));
    await hearth.call('/unwarmed');
    const body = await hearth.register({
      event_type: 'http|*|/unwarmed',
      function_name: 'unwarmed',
      function_code: 'raise RuntimeError("no luck")\ndef handler(m, c): pass',
    });
    expect(body).toMatchObject({ status: 'ok', version: 2, created: true, warnings: [expect.stringContaining('no luck')] });
    const response = await hearth.call('/unwarmed');
    expect([response.status, (await json(response)).code]).toEqual([502, 'function_load_failed']);
    expect(await json(await hearth.post('/functions/unwarmed/rollback', {}))).toMatchObject({ version: 1, rolled_back_from: 2 });
    expect(await texts('unwarmed', 1)).toEqual(['v1']);
  });
});
