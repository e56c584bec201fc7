import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeFrame, FrameDecoder, FromRuntime, ProtocolError, STREAM_WINDOW_BYTES, ToRuntime } from '../../../src/protocol/frame.ts';
import { RuntimeChannel, type RuntimeListener } from '../../../src/protocol/runtime-channel.ts';
import { ServiceStream } from '../../../src/protocol/service-stream.ts';

/** A channel whose far end is in the test's hands, and a service that is too, joined by one stream. */
async function join() {
  const [platform, runtime] = duplexPair();
  const sent: [type: number, payload: Buffer][] = [];
  const decoder = new FrameDecoder((type, _id, payload) => sent.push([type, Buffer.from(payload)]));
  runtime.on('data', (chunk: Buffer) => decoder.push(chunk));
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const connected = once(server, 'connection') as Promise<[Socket]>;
  const channel = new RuntimeChannel(platform, {} as RuntimeListener);
  const near = connect({ port: (server.address() as { port: number }).port, host: '127.0.0.1', allowHalfOpen: true });
  let gone = 0;
  const stream = new ServiceStream(channel, 1, near, null, () => gone++);
  const [service] = await connected;
  service.on('error', () => undefined);
  return {
    stream,
    service,
    sent,
    bytes: () => Buffer.concat(sent.filter(([type]) => type === ToRuntime.StreamData).map(([, payload]) => payload)).length,
    credited: () => sent.filter(([type]) => type === ToRuntime.StreamCredit).reduce((sum, [, payload]) => sum + payload.readUInt32BE(0), 0),
    types: () => sent.map(([type]) => type),
    timesGone: () => gone,
    end() {
      service.destroy();
      stream.destroy();
      server.close();
    },
  };
}

let joined: Awaited<ReturnType<typeof join>>;
beforeEach(async () => {
  joined = await join();
});
afterEach(() => joined.end());

describe('a stream to a service', () => {
  it('is read from no further than its window, until it is credited', async () => {
    joined.service.write(Buffer.alloc(3 * STREAM_WINDOW_BYTES));
    await expect.poll(() => joined.bytes()).toBe(STREAM_WINDOW_BYTES);
    joined.stream.receiveCredit(100_000);
    await expect.poll(() => joined.bytes()).toBe(STREAM_WINDOW_BYTES + 100_000);
    joined.stream.receiveCredit(STREAM_WINDOW_BYTES);
    await expect.poll(() => joined.bytes()).toBe(2 * STREAM_WINDOW_BYTES + 100_000);
    expect(() => joined.stream.receiveCredit(STREAM_WINDOW_BYTES + 1)).toThrow(ProtocolError);
  });

  it('credits what the service was given, and takes more than its window from nobody', async () => {
    joined.service.resume();
    for (let n = 0; n < 8; n++) {
      joined.stream.receive(Buffer.alloc(STREAM_WINDOW_BYTES / 2));
      await expect.poll(() => joined.credited()).toBe(((n + 1) * STREAM_WINDOW_BYTES) / 2);
    }
    expect(() => joined.stream.receive(Buffer.alloc(STREAM_WINDOW_BYTES + 1))).toThrow(ProtocolError);
  });

  it('ends in each direction by itself, after what was sent', async () => {
    joined.service.end('bye');
    await expect.poll(() => joined.types()).toEqual([ToRuntime.StreamData, ToRuntime.StreamEnd]);
    joined.stream.receive(Buffer.from('still there'));
    joined.stream.receiveEnd();
    const [chunk] = (await once(joined.service, 'data')) as [Buffer];
    expect(chunk.toString()).toBe('still there');
    await expect.poll(() => joined.timesGone()).toBe(1);
    expect(joined.types()).not.toContain(ToRuntime.StreamClose);
  });

  it('tells that the service has broken it off, once', async () => {
    joined.service.resetAndDestroy();
    await expect.poll(() => joined.types()).toEqual([ToRuntime.StreamClose]);
    joined.stream.receive(Buffer.from('too late'));
    joined.stream.receiveClose();
    expect([joined.types(), joined.timesGone()]).toEqual([[ToRuntime.StreamClose], 1]);
  });

  it('still delivers what was sent before its inner end was closed', async () => {
    joined.stream.receive(Buffer.alloc(200_000));
    joined.stream.receiveClose();
    let size = 0;
    joined.service.on('data', (chunk: Buffer) => (size += chunk.length));
    await once(joined.service, 'end');
    expect(size).toBe(200_000);
    await expect.poll(() => joined.timesGone()).toBe(1);
  });
});

describe('what a runtime may say about services', () => {
  it('is connections to those that it was told of, and whole credits', async () => {
    const run = async (...frames: Buffer[]) => {
      const [platform, runtime] = duplexPair();
      runtime.resume();
      const heard: string[] = [];
      const listener = new Proxy({} as RuntimeListener, {
        get:
          (_, name: string) =>
          (...args: unknown[]) =>
            void heard.push(`${name} ${args.slice(0, 2)}`),
      });
      const channel = new RuntimeChannel(platform, listener);
      const load = {
        function: 'f',
        style: 'handler',
        runtime: 'python',
        layers: [],
        environment: {},
        concurrency: 1,
        streamListen: null,
        limits: {},
      } as const;
      channel.load({ ...load, services: [{ name: 'sql_db', host: '127.1.0.1', port: 5432 }] }, Buffer.alloc(0));
      runtime.write(encodeFrame(FromRuntime.Hello, 0, '{"protocol":1,"runtime":"python","version":"3"}'));
      for (const frame of frames) runtime.write(frame);
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      return heard.slice(1);
    };
    const open = (service: string) => encodeFrame(FromRuntime.StreamOpen, 1, JSON.stringify({ service }));
    const credit = encodeFrame(FromRuntime.StreamCredit, 1, Buffer.from([0, 0, 1, 0]));
    expect(await run(open('sql_db'), credit, encodeFrame(FromRuntime.StreamEnd, 1))).toEqual([
      'onStreamOpen 1,sql_db',
      'onStreamCredit 1,256',
      'onStreamEnd 1',
    ]);
    for (const wrong of [
      [open('cache_service')],
      [encodeFrame(FromRuntime.StreamOpen, 1)],
      [encodeFrame(FromRuntime.StreamOpen, 1, '{}')],
      [open('sql_db'), encodeFrame(FromRuntime.StreamCredit, 1, 'five!')],
      [encodeFrame(FromRuntime.StreamEnd, 1)],
      [credit],
    ]) {
      expect((await run(...wrong)).at(-1)).toMatch(/^onProtocolError/);
    }
  });
});
