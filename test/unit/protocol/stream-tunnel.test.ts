import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { encodeFrame, FrameDecoder, FromRuntime, ToRuntime } from '../../../src/protocol/frame.ts';
import { RuntimeChannel, type RuntimeListener } from '../../../src/protocol/runtime-channel.ts';
import { StreamTunnel } from '../../../src/protocol/stream-tunnel.ts';

/** A channel whose far end is in the test's hands, with one open tunnel. */
async function openTunnel() {
  const [platform, runtime] = duplexPair();
  const sent: [type: number, id: number, payload: string][] = [];
  const decoder = new FrameDecoder((type, id, payload) => sent.push([type, id, payload.toString()]));
  runtime.on('data', (chunk: Buffer) => decoder.push(chunk));
  let gone = 0;
  const tunnels = new Map<number, StreamTunnel>();
  const opened = Promise.withResolvers<StreamTunnel>();
  const listener = {
    onHello: () => undefined,
    onStreamOpen: (id: number) => {
      const tunnel = new StreamTunnel(channel, id, () => gone++);
      tunnels.set(id, tunnel);
      opened.resolve(tunnel);
    },
    onStreamData: (id: number, chunk: Buffer) => tunnels.get(id)?.receive(chunk),
    onStreamClose: (id: number) => tunnels.get(id)?.receiveClose(),
    onChannelEnd: () => undefined,
    onProtocolError: (error: Error) => opened.reject(error),
  } as unknown as RuntimeListener;
  const channel = new RuntimeChannel(platform, listener);
  const load = {
    function: 'f',
    style: 'script',
    runtime: 'python',
    layers: [],
    environment: {},
    concurrency: 1,
    streamListen: null,
    limits: {},
  } as const;
  channel.load(load, Buffer.alloc(0));
  await once(runtime, 'data');
  sent.length = 0;
  runtime.write(encodeFrame(FromRuntime.Hello, 0, '{"protocol":1,"runtime":"python","version":"3.11.2"}'));
  runtime.write(encodeFrame(FromRuntime.StreamOpen, 1));
  return { tunnel: await opened.promise, runtime, sent, timesGone: () => gone };
}

describe('StreamTunnel', () => {
  it('carries bytes both ways', async () => {
    const { tunnel, runtime, sent } = await openTunnel();
    runtime.write(encodeFrame(FromRuntime.StreamData, 1, 'AMQP'));
    const [chunk] = (await once(tunnel, 'data')) as [Buffer];
    expect(chunk.toString()).toBe('AMQP');
    tunnel.write('start');
    await expect.poll(() => sent).toEqual([[ToRuntime.StreamData, 1, 'start']]);
  });

  it('closes when our side ends it, after what was written, and says so once', async () => {
    const { tunnel, sent, timesGone } = await openTunnel();
    tunnel.resume();
    tunnel.end('bye');
    await once(tunnel, 'close');
    await expect
      .poll(() => sent)
      .toEqual([
        [ToRuntime.StreamData, 1, 'bye'],
        [ToRuntime.StreamClose, 1, ''],
      ]);
    expect(timesGone()).toBe(1);
  });

  it('ends when the connection is closed inside, and sends no close back', async () => {
    const { tunnel, runtime, sent, timesGone } = await openTunnel();
    tunnel.resume();
    runtime.write(encodeFrame(FromRuntime.StreamClose, 1));
    await once(tunnel, 'close');
    expect(sent).toEqual([]);
    expect(timesGone()).toBe(1);
  });

  it('drops what comes after it was destroyed', async () => {
    const { tunnel, runtime, sent } = await openTunnel();
    tunnel.destroy();
    await once(tunnel, 'close');
    runtime.write(encodeFrame(FromRuntime.StreamData, 1, 'late'));
    await expect.poll(() => sent).toEqual([[ToRuntime.StreamClose, 1, '']]);
  });
});
