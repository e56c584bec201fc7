import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NodeAgent, type NodeCall, WINDOW } from '../../support/node-agent.ts';

const CODEC = new URL('../../../runtimes/node/agent/websocket-codec.mjs', import.meta.url).href;
const { closePayload, encodeFrame, MessageReader, OPCODE } = await import(CODEC);

const MASK = Buffer.from([1, 2, 3, 4]);
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const HALF = WINDOW / 2;

describe('streamed bodies in Node.js', () => {
  it('are read as they come, by iteration, and answered before they have ended', async () => {
    await using agent = await NodeAgent.load(
      'export default async function* ({ stream, body, raw_body }) { yield body + " " + raw_body + ";"; for await (const piece of stream) yield "[" + piece + "]"; }',
      {
        streamBody: true,
      },
    );
    const call = agent.call();
    call.send('one');
    await call.until(() => call.body.includes('[one]'));
    call.send('two');
    await call.until(() => call.body.includes('[two]'));
    call.end();
    expect((await call.over()).body.toString()).toBe('null null;[one][two]');
  });

  it('are credited as they are read, and not before', async () => {
    await using agent = await NodeAgent.load(
      `import { pipeline } from 'node:stream/promises';
       import { Writable } from 'node:stream';
       export default async ({ stream, path }) => {
         if (path === '/unread') return 'unread';
         let bytes = 0;
         await pipeline(stream, new Writable({ write(chunk, _, done) { bytes += chunk.length; setImmediate(done); } }));
         return { bytes };
       }`,
      { streamBody: true },
    );
    const call = agent.call();
    const piece = Buffer.alloc(HALF);
    for (let sent = 0; sent < 20; sent++) {
      await call.until(() => sent * HALF - call.credited <= HALF);
      call.send(piece);
    }
    call.end();
    expect(JSON.parse((await call.over()).body.toString())).toEqual({ bytes: 20 * HALF });

    const unread = agent.call({ path: '/unread' });
    unread.send(piece);
    unread.send(piece);
    expect([(await unread.over()).body.toString(), unread.credited]).toEqual(['unread', 0]);
    // What comes late is dropped, and the instance goes on.
    unread.send('late');
    unread.end();
    const next = agent.call();
    next.end();
    expect((await next.over()).body.toString()).toBe('{"bytes":0}');
  });

  it('are bounded: a platform that sends more than the window is not believed', async () => {
    await using agent = await NodeAgent.load('export default () => new Promise(() => {})', { streamBody: true });
    const call = agent.call();
    call.send(Buffer.alloc(WINDOW));
    call.send('x');
    expect(await agent.exit()).toBe(70);
    expect(agent.output).toContain('more of a body came than the window has room for');
  });

  it('that came whole look the same', async () => {
    await using agent = await NodeAgent.load(
      'export default async ({ stream, body }) => { const pieces = []; for await (const piece of stream) pieces.push(String(piece)); return { pieces, body }; }',
      {
        streamBody: true,
      },
    );
    const call = agent.call({ bodyLength: 5 });
    call.send('whole');
    expect(JSON.parse((await call.over()).body.toString())).toEqual({ pieces: ['whole'], body: null });
    expect(JSON.parse((await agent.call({ bodyLength: 0 }).over()).body.toString())).toEqual({ pieces: [], body: null });
  });

  it('end with the reason of the signal when the call is cancelled, whether they are read or not', async () => {
    await using agent = await NodeAgent.load(
      `export default async ({ stream, path }, { signal }) => {
         console.log('begun');
         if (path === '/unread') await new Promise((go) => signal.addEventListener('abort', go));
         const error = await (async () => { for await (const piece of stream) console.log(piece.length); })().catch((error) => error);
         console.log(error === signal.reason);
         throw error;
       }`,
      { streamBody: true },
    );
    for (const path of ['/read', '/unread']) {
      const call = agent.call({ path });
      await call.until(() => call.log === 'begun\n');
      call.cancel();
      expect((await call.over()).failed?.type).toBe('AbortError');
      expect(call.log).toContain('true\n');
    }
  });

  it('go on to nobody when the handler has returned', async () => {
    await using agent = await NodeAgent.load(
      `export let later;
       export default async ({ stream, path }) => {
         if (path === '/asks') return String(await later);
         later = (async () => { for await (const piece of stream); })().catch((error) => error.message);
       }`,
      { streamBody: true },
    );
    expect((await agent.call().over()).head?.status).toBe(204);
    expect((await agent.call({ path: '/asks' }).over()).body.toString()).toBe('the invocation is over');
  });

  it('are not for handlers of other platforms, which take them whole', async () => {
    const loading = NodeAgent.load('export default async (event) => event.body', {
      streamBody: true,
      module: { format: 'module', web: false, shape: 'openfaas' },
    });
    await expect(loading).rejects.toThrow('register it without stream_body');
  });

  it('are the body of a Request', async () => {
    await using agent = await NodeAgent.load(
      `export default { async fetch(request) {
         const { pathname } = new URL(request.url);
         if (pathname === '/echo') return new Response(request.body.pipeThrough(new TextDecoderStream()).pipeThrough(new TextEncoderStream()));
         if (pathname === '/form') return Response.json([...await request.formData()]);
         if (pathname === '/text') return new Response(await request.text());
         return new Response('ignored');
       } }`,
      { streamBody: true },
    );
    const echo = agent.call({ rawPath: '/echo' });
    echo.send('a');
    await echo.until(() => echo.body.toString() === 'a');
    echo.send('b');
    echo.end();
    expect((await echo.over()).body.toString()).toBe('ab');

    const form = agent.call({ rawPath: '/form', headers: ['Content-Type', 'application/x-www-form-urlencoded'] });
    form.send('a=1&');
    form.send('b=2');
    form.end();
    expect(JSON.parse((await form.over()).body.toString())).toEqual([
      ['a', '1'],
      ['b', '2'],
    ]);

    const text = agent.call({ rawPath: '/text' });
    for (let at = 0; at < 2000; at++) text.send('x');
    text.end();
    expect((await text.over()).body.toString()).toBe('x'.repeat(2000));
    expect((await agent.call({ rawPath: '/ignored' }).over()).body.toString()).toBe('ignored');
    const get = agent.call({ rawPath: '/text', verb: 'GET' });
    get.end();
    expect((await get.over()).body.toString()).toBe('');
  });
});

/** A caller of a WebSocket, by frames. */
class Peer {
  readonly call: NodeCall;
  readonly events: unknown[] = [];
  readonly #reader: { push(bytes: Buffer): void };
  #seen = 0;

  constructor(agent: NodeAgent, invoke: Record<string, unknown> = {}) {
    const { headers = [], ...members } = invoke as { headers?: string[] };
    this.call = agent.call({ verb: 'GET', upgrade: 'websocket', headers: ['Host', 'localhost', 'Sec-WebSocket-Key', KEY, ...headers], ...members });
    const on = {
      message: (data: string | Buffer) => this.events.push(typeof data === 'string' ? data : [...data]),
      ping: (data: Buffer) => this.events.push(['ping', data.toString()]),
      close: (code: number, reason: string) => this.events.push(['close', code, reason]),
    };
    this.#reader = new MessageReader(on, 10_000_000, false);
  }

  async opened(): Promise<this> {
    await this.call.until(() => this.call.head !== undefined);
    expect(this.call.head).toMatchObject({ status: 101, streaming: true });
    return this;
  }

  send(opcode: number, payload: string | Buffer = '', isLast = true): void {
    this.call.send(encodeFrame(opcode, Buffer.from(payload), MASK, isLast));
  }

  /** Resolves once so many events have come, in all. */
  async seen(count: number): Promise<unknown[]> {
    await this.call.until(() => {
      this.take();
      return this.events.length >= count;
    });
    return this.events;
  }

  take(): void {
    const bytes = this.call.body.subarray(this.#seen);
    this.#seen += bytes.length;
    this.#reader.push(bytes);
  }

  close(code = 1000, reason = ''): void {
    this.send(OPCODE.close, closePayload(code, reason));
  }
}

const ECHO = `export default async ({ websocket, path }) => {
  if (websocket === null) return 'plain';
  const socket = websocket.accept({ maxMessageBytes: path === '/large' ? 4_000_000 : undefined });
  for await (const data of socket) await socket.send(data);
  console.log(JSON.stringify(await socket.closed));
}`;

describe('WebSockets in Node.js', () => {
  let echo: NodeAgent;

  beforeAll(async () => {
    echo = await NodeAgent.load(ECHO, { websocket: true });
  });
  afterAll(() => echo?.[Symbol.asyncDispose]());

  it('carry texts and bytes, fragments, pings, and end by the caller’s Close', async () => {
    const peer = await new Peer(echo).opened();
    expect(peer.call.head?.headers).toEqual(['Sec-WebSocket-Accept', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=']);
    peer.send(OPCODE.text, 'hé', false);
    peer.send(OPCODE.ping, 'now');
    peer.send(OPCODE.continuation, 'llo');
    peer.send(OPCODE.binary, Buffer.from([0, 255]));
    await peer.seen(2);
    peer.close(1001, 'away');
    await peer.call.over();
    expect(await peer.seen(3)).toEqual(['héllo', [0, 255], ['close', 1001, '']]);
    expect(peer.call.log).toBe('{"code":1001,"reason":"away"}\n');
    expect((await echo.call({ bodyLength: 0 }).over()).body.toString()).toBe('plain');
  });

  it('answer pings that come while nobody reads', async () => {
    await using agent = await NodeAgent.load('export default async ({ websocket }) => { const socket = websocket.accept(); await socket.closed; }', {
      websocket: true,
    });
    const peer = await new Peer(agent).opened();
    peer.send(OPCODE.text, 'unread');
    peer.send(OPCODE.ping, 'are you there');
    const pong = encodeFrame(OPCODE.pong, Buffer.from('are you there'));
    await peer.call.until(() => peer.call.body.equals(pong));
    peer.close();
    expect((await peer.call.over()).failed).toBeUndefined();
  });

  it('carry messages larger than the window, each way, under its credits', async () => {
    const peer = await new Peer(echo, { path: '/large' }).opened();
    const { call } = peer;
    const payload = Buffer.alloc(3_000_000, 'abc');
    const bytes: Buffer = encodeFrame(OPCODE.text, payload, MASK);
    for (let sent = 0; sent < bytes.length; sent += HALF) {
      await call.until(() => sent - call.credited <= HALF);
      call.send(bytes.subarray(sent, sent + HALF));
    }
    await call.until(() => call.body.length === WINDOW);
    // Whoever doesn't read is sent no more than that; and the instance serves others meanwhile.
    expect((await echo.call({ bodyLength: 0 }).over()).body.toString()).toBe('plain');
    expect(call.body.length).toBe(WINDOW);
    for (let read = 0; read < payload.length; read += HALF) {
      call.credit(HALF);
      await call.until(() => call.body.length >= Math.min(read + HALF, payload.length));
    }
    expect(await peer.seen(1)).toEqual([payload.toString()]);
    peer.close();
    await call.over();
  });

  it('get no more credit while their messages are not read', async () => {
    await using agent = await NodeAgent.load(
      `let open;
       const gate = new Promise((resolve) => { open = resolve; });
       export default async ({ websocket, path }) => {
         if (websocket === null) return path === '/open' ? open() : 'here';
         const socket = websocket.accept();
         await gate;
         let bytes = 0;
         for (let n = 0; n < 60; n++) bytes += (await socket.receive()).length;
         await socket.send(String(bytes));
       }`,
      { websocket: true },
    );
    const peer = await new Peer(agent).opened();
    const { call } = peer;
    const message: Buffer = encodeFrame(OPCODE.binary, Buffer.alloc(10_000), MASK);
    let sent = 0;
    for (; (sent + 1) * message.length <= WINDOW; sent++) call.send(message);
    // Its answer comes after all that was sent has been seen.
    await agent.call({ bodyLength: 0 }).over();
    expect(call.credited).toBeLessThanOrEqual(HALF);
    await agent.call({ bodyLength: 0, path: '/open' }).over();
    for (; sent < 60; sent++) {
      await call.until(() => (sent + 1) * message.length - call.credited <= WINDOW);
      call.send(message);
    }
    expect((await peer.seen(1))[0]).toBe('600000');
    peer.close();
    await call.over();
  });

  it('get no more credit for pings whose pongs the caller does not read', async () => {
    const { call } = await new Peer(echo).opened();
    const pings: Buffer = Buffer.concat(Array.from({ length: 100 }, () => encodeFrame(OPCODE.ping, Buffer.alloc(125), MASK)));
    let sent = 0;
    const hasRoom = () => sent + pings.length - call.credited <= WINDOW;
    for (let n = 0; n < 100; n++) {
      // The answer to another call comes after all that was sent has been seen.
      if (!hasRoom()) await echo.call({ bodyLength: 0 }).over();
      if (!hasRoom()) break;
      call.send(pings);
      sent += pings.length;
    }
    expect([hasRoom(), call.body.length]).toEqual([false, WINDOW]);
    call.credit(WINDOW);
    await call.until(hasRoom);
    call.cancel();
    expect((await call.over()).failed?.type).toBe('AbortError');
  });

  it.each([
    ['a frame that is not masked', encodeFrame(OPCODE.text, Buffer.from('a')), 1002],
    ['a reserved bit', Buffer.from([0xc1, 0x80, 0, 0, 0, 0]), 1002],
    ['a giant length', Buffer.from([0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]), 1009],
    ['a text that is none', encodeFrame(OPCODE.text, Buffer.from([0xff]), MASK), 1007],
  ])('are closed for %s', async (_, bytes, code) => {
    const peer = await new Peer(echo).opened();
    peer.call.send(bytes as Buffer);
    await peer.call.over();
    expect(await peer.seen(1)).toEqual([['close', code, expect.any(String)]]);
    expect(JSON.parse(peer.call.log)).toMatchObject({ code });
  });

  it('are closed when the handler returns, throws or closes', async () => {
    await using agent = await NodeAgent.load(
      `export default async ({ websocket, path }) => {
         const socket = websocket.accept();
         await socket.send('hi');
         if (path === '/throws') throw new RangeError('no luck');
         if (path === '/closes') await socket.close(4001, 'enough');
         return 7;
       }`,
      { websocket: true },
    );
    const cases = [
      ['/returns', 1000, '', undefined],
      ['/throws', 1011, '', 'RangeError'],
      ['/closes', 4001, 'enough', undefined],
    ] as const;
    for (const [path, code, reason, failure] of cases) {
      const peer = await new Peer(agent, { path }).opened();
      expect(await peer.seen(2)).toEqual(['hi', ['close', code, reason]]);
      expect(peer.call.isOver).toBe(false);
      peer.send(OPCODE.text, 'too late');
      peer.close(code);
      expect((await peer.call.over()).failed?.type).toBe(failure);
    }
  });

  it('end without the Close of a caller that says nothing, or has ended its side', async () => {
    await using agent = await NodeAgent.load(
      `export default async ({ websocket, path }) => {
         const socket = websocket.accept();
         if (path === '/silent') return;
         const error = await socket.receive().catch((error) => error);
         console.log(error.name, error.code, await socket.send('x').catch(({ name }) => name));
       }`,
      { websocket: true },
    );
    const silent = await new Peer(agent, { path: '/silent' }).opened();
    const ended = await new Peer(agent).opened();
    ended.call.end();
    await ended.call.over();
    expect(ended.call.log).toBe('WebSocketClosed 1006 WebSocketClosed\n');
    expect((await silent.call.over()).failed).toBeUndefined();
    expect(await silent.seen(1)).toEqual([['close', 1000, '']]);
  });

  it('can be refused, and are accepted once, with what may be agreed on', async () => {
    await using agent = await NodeAgent.load(
      `const tried = (action) => { try { action(); return 'none'; } catch (error) { return error.message; } };
       export default async ({ websocket, path }) => {
         if (path === '/refuse') return { statusCode: 401, body: websocket.protocols.join('+') };
         if (path === '/by-hand') return { statusCode: 101, headers: {} };
         if (path === '/generator') return (async function* () { websocket.accept(); yield 1; })();
         for (const options of [{ protocol: 'c' }, { maxMessageBytes: 0 }, { headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate' } }]) console.log(tried(() => websocket.accept(options)));
         const socket = websocket.accept({ protocol: 'b', headers: { 'Set-Cookie': ['x=1', 'y=2'] } });
         console.log(tried(() => websocket.accept()), socket.protocol);
         console.log(tried(() => socket.send(7)), tried(() => socket.close(1005)), tried(() => socket.close(1000, 'x'.repeat(124))));
       }`,
      { websocket: true },
    );
    const headers = ['Sec-WebSocket-Protocol', 'a, b', 'sec-websocket-protocol', 'd'];
    const refused = await new Peer(agent, { path: '/refuse', headers }).call.over();
    expect([refused.head?.status, refused.head?.streaming, refused.body.toString()]).toEqual([401, false, 'a+b+d']);
    for (const path of ['/by-hand', '/generator']) {
      const failed = await new Peer(agent, { path }).call.over();
      expect([failed.head, failed.failed?.message]).toEqual([undefined, expect.stringMatching(/accept/)]);
    }
    const peer = await new Peer(agent, { headers }).opened();
    expect(peer.call.head?.headers.slice(2)).toEqual(['Sec-WebSocket-Protocol', 'b', 'Set-Cookie', 'x=1', 'Set-Cookie', 'y=2']);
    await peer.seen(1);
    peer.close();
    expect((await peer.call.over()).log.split('\n')).toEqual([
      expect.stringContaining('the protocol "c" is none of those'),
      expect.stringContaining('maxMessageBytes'),
      expect.stringContaining('Sec-WebSocket-Extensions'),
      'the WebSocket was accepted already b',
      expect.stringMatching(/a string or bytes, not number .*not 1005 .*at most 123 bytes/),
      '',
    ]);
  });

  it('are the context’s in the web style, whose handler may return anything after it has accepted', async () => {
    await using agent = await NodeAgent.load(
      `export default { async fetch(request, { websocket }) {
         if (websocket === null) return new Response('plain');
         const socket = websocket.accept();
         await socket.send(await socket.receive() + request.headers.get('sec-websocket-key'));
       } }`,
      { websocket: true },
    );
    const peer = await new Peer(agent).opened();
    peer.send(OPCODE.text, 'key: ');
    expect(await peer.seen(2)).toEqual([`key: ${KEY}`, ['close', 1000, '']]);
    peer.close();
    expect((await peer.call.over()).failed).toBeUndefined();
  });

  it('are given up with the reason of the signal when the call is cancelled', async () => {
    await using agent = await NodeAgent.load(
      `export default async ({ websocket, path }, { signal }) => {
         if (path === '/before') await new Promise((go) => signal.addEventListener('abort', go));
         const socket = websocket.accept();
         const wait = path === '/sends' ? async () => { for (;;) await socket.send('x'.repeat(100_000)); } : async () => { for await (const data of socket); };
         const error = await wait().catch((error) => error);
         console.log(error === signal.reason);
         throw error;
       }`,
      { websocket: true },
    );
    const before = new Peer(agent, { path: '/before' });
    const reads = await new Peer(agent).opened();
    const sends = await new Peer(agent, { path: '/sends' }).opened();
    await sends.call.until(() => sends.call.body.length === WINDOW);
    for (const { call } of [before, reads, sends]) {
      call.cancel();
      expect((await call.over()).failed?.type).toBe('AbortError');
      if (call !== before.call) expect(call.log).toContain('true\n');
    }
  });

  it('need not catch that the caller has left, which is no failure; what they throw after they have closed is one', async () => {
    await using agent = await NodeAgent.load(
      'export default async ({ websocket, path }) => { const socket = websocket.accept(); if (path === "/closes") await socket.close(); for (;;) await socket.receive(); }',
      { websocket: true },
    );
    const peers = [await new Peer(agent).opened(), await new Peer(agent, { path: '/closes' }).opened()];
    const failures = peers.map(async (peer) => {
      peer.close();
      return (await peer.call.over()).failed?.type;
    });
    expect(await Promise.all(failures)).toEqual([undefined, 'WebSocketClosed']);
  });

  it('let what is sent to a closed one be lost, unless somebody waits for it', async () => {
    await using agent = await NodeAgent.load(
      'export default async ({ websocket }) => { const socket = websocket.accept(); await socket.closed; socket.send("lost"); await new Promise((go) => setTimeout(go, 10)); console.log("well"); }',
      { websocket: true },
    );
    const peer = await new Peer(agent).opened();
    peer.close();
    expect(await peer.call.over()).toMatchObject({ failed: undefined, log: 'well\n' });
  });

  it('are closed with 1011 when the function ends the process', async () => {
    await using agent = await NodeAgent.load(
      'export default async ({ websocket }) => { const socket = websocket.accept(); await socket.receive(); process.exit(3); }',
      { websocket: true },
    );
    const peers = [await new Peer(agent).opened(), await new Peer(agent).opened()];
    peers[0]?.send(OPCODE.text, 'go');
    for (const peer of peers) {
      expect((await peer.call.over()).failed?.type).toBe('ProcessExit');
      expect(await peer.seen(1)).toEqual([['close', 1011, '']]);
    }
    expect(await agent.exit()).toBe(3);
  });
});
