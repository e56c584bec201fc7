import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { FrontProxy } from '../support/front-proxy.ts';
import { Hearth } from '../support/hearth.ts';
import { readCorpus } from './support/corpus.ts';
import { defineMirror, reachedMirror, type Seen } from './support/mirror.ts';
import { RawConnection, whole } from './support/raw-connection.ts';

const CASES = [...readCorpus('framing.txt'), ...readCorpus('targets.txt')];
/** Of one hop only, or of the way here; nginx drops names with an underscore. */
const NOT_COMPARED =
  /^(connection|keep-alive|te|upgrade|http2-settings|transfer-encoding|content-length|expect|host|x-correlation-id|x-forwarded-.*|.*_.*)$/i;

/** What of a request means the same through any number of proxies. */
function meaning({ verb, path, headers, body }: Seen): object {
  const kept = Object.entries(headers).filter(([name]) => !NOT_COMPARED.test(name));
  return { verb, path, body, headers: Object.fromEntries(kept.map(([name, value]) => [name.toLowerCase(), value])) };
}

/** Of messages, or of what comes of a body while it comes. */
const ECHO = `
async def handler(message, context):
    if message["websocket"] is None:
        async for piece in message["stream"]:
            yield piece
        return
    ws = await message["websocket"].accept()
    async for data in ws:
        await ws.send(data)
`;

let hearth: Hearth;
beforeAll(async () => {
  hearth = await Hearth.start({ settings: { HEARTH_GATEWAY_TRUSTED_PROXIES: '127.0.0.1' } });
  await defineMirror(hearth);
  await hearth.define('echo', ECHO, { stream_body: true, websocket: true });
});
afterAll(async () => hearth[Symbol.asyncDispose]());

/** What reaches the function of some bytes sent to an address, and how many final answers come back. */
async function reach(url: string, bytes: string, answers: number): Promise<{ seen: object[]; answers: number }> {
  await reachedMirror(hearth);
  using connection = await RawConnection.open(url);
  connection.send(bytes);
  // A proxy that waits for more answers nothing: what has reached the function by then counts.
  await connection.until(whole(answers), 800).catch(() => undefined);
  // Pipelined requests may run side by side, in any order.
  const seen = (await reachedMirror(hearth)).sort((a, b) => a.path.localeCompare(b.path)).map(meaning);
  // What has reached it is answered, on a slow machine a little later.
  await connection.until(whole(seen.length), 5000).catch(() => undefined);
  return {
    seen,
    answers: connection.received.match(/HTTP\/1\.[01] [2-5]\d\d /g)?.length ?? 0,
  };
}

describe.each(['nginx', 'haproxy'] as const)('%s in front', (kind) => {
  let proxy: FrontProxy;
  beforeAll(async () => {
    proxy = await FrontProxy.start(kind === 'nginx' ? 'nginx.conf' : 'haproxy.cfg', [hearth.gateway]);
  });
  afterAll(async () => proxy[Symbol.asyncDispose]());

  it('lets an ordinary request through, with the address of who called it', async () => {
    await reachedMirror(hearth);
    await fetch(`${proxy.url}/hello?x=y`, { method: 'POST', body: 'abc', headers: { 'X-Forwarded-For': '6.6.6.6' } });
    expect(await reachedMirror(hearth)).toMatchObject([{ verb: 'POST', path: '/hello', rawPath: '/hello?x=y', body: 'abc' }]);
  });

  it('lets WebSockets through, and bodies as they come', async () => {
    const socket = new WebSocket(`${proxy.url.replace('http', 'ws')}/echo`);
    await once(socket, 'open');
    socket.send('hello');
    expect(String((await once(socket, 'message'))[0])).toBe('hello');
    socket.close(1000);
    expect((await once(socket, 'close'))[0]).toBe(1000);

    using connection = await RawConnection.open(proxy.url);
    connection.send('POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n');
    await connection.until((text) => text.includes('one'));
    connection.send('3\r\ntwo\r\n0\r\n\r\n');
    expect(await connection.until(whole(1))).toContain('two');
  });

  it.each(CASES)('sees the same in: $name', async ({ bytes, statuses }) => {
    const direct = await reach(hearth.gateway, bytes, statuses.length);
    const through = await reach(proxy.url, bytes, statuses.length);
    // A proxy that is more lenient than the gateway sends on what it understood, in a form of its own; each such request has one answer.
    expect(through.seen.length).toBeLessThanOrEqual(through.answers);
    expect(direct.seen.length).toBeLessThanOrEqual(direct.answers);
    // One of both may refuse. What both take, both understand in the same way.
    const common = Math.min(direct.seen.length, through.seen.length);
    expect(through.seen.slice(0, common)).toEqual(direct.seen.slice(0, common));
  });
});
