import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Hearth, sleep, until } from '../support/hearth.ts';
import { defineMirror, reachedMirror } from './support/mirror.ts';
import { exchange, parseAnswers, RawConnection, whole } from './support/raw-connection.ts';

const MIB = 1024 * 1024;
const STREAM = `
import time
def handler(m, c):
    n = int(m["query"].get("n", 1))
    return (b"x" * 100000 for _ in range(n))
`;
let hearth: Hearth;

beforeAll(async () => {
  hearth = await Hearth.start({
    settings: {
      HEARTH_GATEWAY_HEADERS_TIMEOUT_MS: '1500',
      HEARTH_GATEWAY_REQUEST_TIMEOUT_MS: '2500',
      HEARTH_GATEWAY_STREAM_IDLE_MS: '1500',
      HEARTH_GATEWAY_MAX_BODY_BYTES: String(MIB),
    },
  });
  await defineMirror(hearth);
  await hearth.define('sleeper', 'import time\ndef handler(m, c):\n    time.sleep(float(m["query"]["s"]))\n    return "rested"', {
    max_instances: 1,
  });
  await hearth.define('stream', STREAM, { max_instances: 1, timeout_ms: 30_000 });
});
afterAll(async () => hearth[Symbol.asyncDispose]());

const get = (path: string, more = '', version = '1.1') => `GET ${path} HTTP/${version}\r\nHost: a\r\n${more}\r\n`;
const post = (path: string, more: string) => `POST ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`;

/** Bytes of memory that the platform's own process holds. */
async function residentBytes(): Promise<number> {
  const status = await readFile(`/proc/${hearth.child.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

const idle = (name: string) => until(async () => (await hearth.instances(name)).every(({ state }) => state === 'idle'));
const busy = (name: string) => until(async () => (await hearth.instances(name)).some(({ state }) => state === 'busy'));

describe('a slow request', () => {
  it.each([
    ['that sends nothing', ''],
    ['whose headers do not end', 'GET / HTTP/1.1\r\nHost: a\r\nX: '],
    ['whose body does not come', post('/', 'Content-Length: 10\r\n')],
    ['whose chunks do not end', `${post('/', 'Transfer-Encoding: chunked\r\n')}3\r\nabc\r\n`],
  ])('%s is cut with 408', async (_name, bytes) => {
    const [answer] = parseAnswers(await exchange(hearth.gateway, bytes));
    expect([answer?.status, answer?.headers.connection]).toEqual([408, 'close']);
  });

  it.each([
    ['headers', 'GET / HTTP/1.1\r\nHost: a\r\n', 'X-Drip: 1\r\n'],
    ['body', post('/', 'Content-Length: 1000\r\n'), 'x'],
  ])('that drips its %s is cut with 408 however steadily', async (_name, head, drop) => {
    using connection = await RawConnection.open(hearth.gateway);
    connection.send(head);
    const timer = setInterval(() => connection.send(drop), 100);
    try {
      expect(parseAnswers(await connection.closed())[0]?.status).toBe(408);
    } finally {
      clearInterval(timer);
    }
  });

  it('behind another one does not spoil its answer', async () => {
    const answers = parseAnswers(await exchange(hearth.gateway, `${get('/sleeper?s=3')}GET / HTTP/1.1\r\nX: `));
    expect(answers.map(({ status, body }) => [status, body === 'rested'])).toEqual([
      [200, true],
      [408, false],
    ]);
  });
});

describe('a body of 100 MB', () => {
  it('is refused with 413 before it comes', async () => {
    const before = await residentBytes();
    using connection = await RawConnection.open(hearth.gateway);
    connection.send(post('/', `Content-Length: ${100 * MIB}\r\n`));
    const piece = Buffer.alloc(MIB);
    for (let sent = 0; sent < 100 && !connection.ended; sent++) {
      connection.send(piece);
      await sleep(1);
    }
    expect(parseAnswers(await connection.closed())[0]).toMatchObject({ status: 413, headers: { connection: 'close' } });
    expect((await residentBytes()) - before).toBeLessThan(50 * MIB);
  });

  it('in chunks is refused when it is too large, and not kept', async () => {
    using connection = await RawConnection.open(hearth.gateway);
    connection.send(post('/', 'Transfer-Encoding: chunked\r\n'));
    const chunk = Buffer.from(`10000\r\n${'x'.repeat(0x10000)}\r\n`);
    for (let sent = 0; sent < 200 && !connection.ended; sent++) {
      connection.send(chunk);
      await sleep(1);
    }
    expect(parseAnswers(await connection.closed())[0]?.status).toBe(413);
  });
});

describe('Expect: 100-continue', () => {
  it('is answered by 100, and then by the answer', async () => {
    using connection = await RawConnection.open(hearth.gateway);
    connection.send(post('/', 'Content-Length: 3\r\nExpect: 100-continue\r\n'));
    expect(await connection.until((text) => text.endsWith('\r\n\r\n'))).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    connection.send('abc');
    const answers = parseAnswers(await connection.until(whole(1)));
    expect(answers.map(({ status }) => status)).toEqual([100, 200]);
    expect(JSON.parse(answers[1]?.body ?? '')).toMatchObject({ body: 'abc' });
  });

  it('of a body that is refused is answered by the refusal, at once', async () => {
    const answers = parseAnswers(await exchange(hearth.gateway, post('/', `Content-Length: ${2 * MIB}\r\nExpect: 100-continue\r\n`)));
    expect(answers.map(({ status }) => status)).toEqual([413]);
  });

  it('means nothing in HTTP/1.0', async () => {
    const text = await exchange(hearth.gateway, 'POST / HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc');
    expect(parseAnswers(text).map(({ status }) => status)).toEqual([200]);
  });
});

describe('HEAD', () => {
  it('gets the headers of GET and no body', async () => {
    await hearth.register({ event_type: 'http|GET|/fixed', function_name: 'fixed', function_code: 'def handler(m, c): return "12345"' });
    const [full] = parseAnswers(await exchange(hearth.gateway, get('/fixed', 'Connection: close\r\n')));
    const [head] = parseAnswers(await exchange(hearth.gateway, get('/fixed', 'Connection: close\r\n').replace('GET', 'HEAD')), true);
    expect(Object.keys(head?.headers ?? {})).toEqual(Object.keys(full?.headers ?? {}));
    expect(head?.headers['content-length']).toBe('5');
  });
});

describe('HTTP/1.0', () => {
  it('ends the connection, and keeps it when asked to', async () => {
    const [answer] = parseAnswers(await exchange(hearth.gateway, 'GET / HTTP/1.0\r\n\r\n'));
    expect([answer?.status, answer?.headers.connection]).toEqual([200, 'close']);
    const kept = await exchange(hearth.gateway, get('/', 'Connection: keep-alive\r\n', '1.0').repeat(2), whole(2));
    expect(parseAnswers(kept).map(({ headers }) => headers.connection)).toEqual(['keep-alive', 'keep-alive']);
  });

  it('gets no chunks', async () => {
    const [answer] = parseAnswers(await exchange(hearth.gateway, get('/stream?n=3', 'Connection: keep-alive\r\n', '1.0')));
    expect([answer?.headers['transfer-encoding'], answer?.body.length]).toEqual([undefined, 300_000]);
  });
});

describe('an answer out of the queue', () => {
  it('ends the connection where nothing behind its request is read', async () => {
    const [answer] = parseAnswers(await exchange(hearth.gateway, get('/', 'Prefer: respond-async\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n')));
    expect([answer?.status, answer?.headers.connection]).toEqual([202, 'close']);
  });
});

describe('a caller that ends its side', () => {
  it.each(['1.1', '1.0'])('gets its answer in HTTP/%s all the same', async (version) => {
    using connection = await RawConnection.open(hearth.gateway);
    connection.send(get('/sleeper?s=0.3', '', version)).finish();
    const answers = parseAnswers(await connection.closed()).filter(({ status }) => status >= 200);
    expect(answers.map(({ status, body }) => [status, body])).toEqual([[200, 'rested']]);
  });

  it('in the middle of its request is told so', async () => {
    using connection = await RawConnection.open(hearth.gateway);
    connection.send(`${post('/', 'Content-Length: 10\r\n')}abc`).finish();
    expect(parseAnswers(await connection.closed())[0]?.status).toBe(400);
  });
});

describe('a caller that leaves', () => {
  it.each(['destroy', 'resetAndDestroy'] as const)('by %s frees its slot', async (how) => {
    await idle('sleeper');
    using connection = await RawConnection.open(hearth.gateway);
    connection.send(get('/sleeper?s=50'));
    await busy('sleeper');
    connection.socket[how]();
    // The only instance is taken from it, and serves the next one.
    expect(await (await hearth.call('/sleeper?s=0')).text()).toBe('rested');
  });

  it('in the middle of a streamed answer frees its slot', async () => {
    using connection = await RawConnection.open(hearth.gateway);
    connection.send(get('/stream?n=100000'));
    await connection.until((text) => text.length > 100_000);
    connection.socket.resetAndDestroy();
    expect((await (await hearth.call('/stream')).text()).length).toBe(100_000);
  });
});

describe('a caller that leaves with more than one request open', () => {
  it('frees the slot of the request behind the first, and what its body held', async () => {
    await using small = await Hearth.start({ settings: { HEARTH_GATEWAY_BODY_MEMORY_BYTES: '100000' } });
    for (const name of ['first', 'second']) {
      await small.define(name, 'import time\ndef handler(m, c):\n    time.sleep(float(m["query"]["s"]))\n    return "rested"', { max_instances: 1 });
    }
    using connection = await RawConnection.open(small.gateway);
    connection.send(`${get('/first?s=50')}${post('/second?s=50', 'Content-Length: 90000\r\n')}${'x'.repeat(90_000)}`);
    await until(async () => (await small.instances('second')).some(({ state }) => state === 'busy'));
    connection.socket.resetAndDestroy();
    const response = await small.call('/second?s=0', { method: 'POST', body: 'x'.repeat(90_000) });
    expect([response.status, await response.text()]).toEqual([200, 'rested']);
  });
});

describe('an answer behind a slow one', () => {
  it('may wait for its turn for as long as that takes: nobody could have read it', async () => {
    const large = 'def handler(m, c):\n    return b"y" * 1000000';
    await hearth.define('megabyte', large);
    const answers = parseAnswers(await exchange(hearth.gateway, `${get('/sleeper?s=4')}${get('/megabyte', 'Connection: close\r\n')}`));
    expect(answers.map(({ status, body }) => [status, body.length])).toEqual([
      [200, 6],
      [200, 1_000_000],
    ]);
  });
});

describe('a caller that does not read', () => {
  it('its streamed answer holds back the function, costs little memory, and is cut', async () => {
    const before = await residentBytes();
    using connection = await RawConnection.open(hearth.gateway);
    connection.socket.pause();
    connection.send(get('/stream?n=100000'));
    await busy('stream');
    await idle('stream');
    expect((await residentBytes()) - before).toBeLessThan(100 * MIB);
    const record = await hearth.recordWhere(({ state, error_code }) => state === 'timed_out' && error_code === 'deadline_exceeded');
    expect(record.status).toBe(200);
  });
});

describe('a caller that reads at a trickle', () => {
  /** 16 MiB, more than sockets hold. */
  const LARGE = 'def handler(m, c):\n    return b"x" * (16 * 1024 * 1024)';

  /** Reads 64 KiB at a time, and never stops for long. @returns bytes read when the connection has ended, or the answer is whole */
  async function trickle(url: string, pauseMs: number): Promise<number> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port) });
    let bytes = 0;
    let ended = false;
    socket.on('error', () => undefined).on('close', () => (ended = true));
    socket.write(get('/large'));
    while (!ended && bytes <= 16 * MIB) {
      await sleep(pauseMs);
      bytes += (socket.read(Math.min(64 * 1024, socket.readableLength || 1)) as Buffer | null)?.length ?? 0;
    }
    socket.destroy();
    return bytes;
  }

  it.each([
    ['is cut when it is slower than what is asked for', '50000000', 40, false],
    ['gets it all when it is not', '8192', 10, true],
  ])('%s', async (_what, rate, pauseMs, gets) => {
    const settings = {
      HEARTH_GATEWAY_STREAM_IDLE_MS: '1500',
      HEARTH_GATEWAY_MIN_READ_BYTES_PER_S: rate,
      HEARTH_GATEWAY_MAX_REPLY_BYTES: String(20 * MIB),
    };
    await using patient = await Hearth.start({ settings });
    await patient.define('large', LARGE);
    expect((await trickle(patient.gateway, pauseMs)) > 16 * MIB).toBe(gets);
    expect((await patient.call('/large', { method: 'HEAD' })).status).toBe(200);
  });
});

describe('many connections', () => {
  it('2,000 idle ones and 200 with half a body cost bounded memory, and a call is answered', async () => {
    await using crowd = new AsyncDisposableStack();
    const before = await residentBytes();
    const half = post('/', 'Content-Length: 100000\r\n') + 'x'.repeat(50_000);
    const first = get('/nobody/here', 'X: 1\r\n').replace('GET', 'OPTIONS');
    for (let count = 0; count < 2200; count++) {
      const connection = crowd.use(await RawConnection.open(hearth.gateway));
      connection.send(count < 2000 ? first : half);
    }
    // On a slow machine the first requests of all these may still stand in the function's line.
    await until(async () => (await hearth.call('/')).status === 200);
    // 200 half bodies are 10 MB; what is left is some 40 KiB a connection.
    expect((await residentBytes()) - before).toBeLessThan(100 * MIB);
  });

  it('beyond the bound are answered 503, and there is room again when others leave', async () => {
    await using small = await Hearth.start({ settings: { HEARTH_GATEWAY_MAX_CONNECTIONS: '10', HEARTH_GATEWAY_HEADERS_TIMEOUT_MS: '60000' } });
    await defineMirror(small);
    const connections = await Promise.all(Array.from({ length: 10 }, () => RawConnection.open(small.gateway)));
    const [answer] = parseAnswers(await exchange(small.gateway, get('/')));
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1', connection: 'close' } });
    expect(JSON.parse(answer?.body ?? '').code).toBe('gateway_full');
    for (const connection of connections) connection.socket.destroy();
    await until(async () => (await exchange(small.gateway, get('/', 'Connection: close\r\n'))).startsWith('HTTP/1.1 200'));
  });

  it('whose bodies together are too large are answered 503, and room comes back', async () => {
    await using small = await Hearth.start({ settings: { HEARTH_GATEWAY_BODY_MEMORY_BYTES: '100000' } });
    await defineMirror(small);
    using first = await RawConnection.open(small.gateway);
    first.send(post('/', 'Content-Length: 90001\r\n') + 'x'.repeat(90_000));
    const call = () => exchange(small.gateway, post('/', 'Connection: close\r\nContent-Length: 20000\r\n') + 'x'.repeat(20_000));
    expect(await until(async () => (await call()).match(/^HTTP\/1\.1 503[\s\S]*gateway_full/))).toBeTruthy();
    first.send('x');
    await first.until(whole(1));
    await until(async () => (await call()).startsWith('HTTP/1.1 200'));
  });
});

describe('what is said of the way of a request', () => {
  const spoofed =
    'X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n';

  it('is not believed of anybody', async () => {
    await exchange(hearth.gateway, get('/', spoofed), whole(1));
    const [{ headers } = { headers: {} }] = (await reachedMirror(hearth)).slice(-1);
    expect(headers).toMatchObject({ 'X-Forwarded-For': '127.0.0.1', 'X-Forwarded-Proto': 'http' });
    expect(JSON.stringify(headers)).not.toMatch(/evil|6\.6\.6\.6/);
  });

  it('is believed of a named proxy, up to the first address that is none', async () => {
    await using named = await Hearth.start({ settings: { HEARTH_GATEWAY_TRUSTED_PROXIES: '127.0.0.0/8,::1' } });
    await defineMirror(named);
    await exchange(named.gateway, get('/', spoofed), whole(1));
    const [{ headers } = { headers: {} }] = await reachedMirror(named);
    expect(headers).toMatchObject({ 'X-Forwarded-For': '203.0.113.9', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'evil' });
    expect(JSON.stringify(headers)).not.toMatch(/6\.6\.6\.6/);
  });

  it('needs addresses that are some', async () => {
    await expect(Hearth.start({ settings: { HEARTH_GATEWAY_TRUSTED_PROXIES: '10.0.0.0/33' } })).rejects.toThrow(
      /gateway\.trusted_proxies has "10\.0\.0\.0\/33"/,
    );
  });
});
