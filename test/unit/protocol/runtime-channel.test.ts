import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { encodeFrame, FromRuntime } from '../../../src/protocol/frame.ts';
import type { Style } from '../../../src/protocol/messages.ts';
import { RuntimeChannel, type RuntimeListener } from '../../../src/protocol/runtime-channel.ts';

/** A socket whose other end reads only when told to. */
class Socket extends Duplex {
  #waiting: (() => void)[] = [];
  override _read(): void {}
  override _write(_chunk: Buffer, _encoding: string, callback: () => void): void {
    this.#waiting.push(callback);
  }
  override _writev(_chunks: unknown, callback: () => void): void {
    this.#waiting.push(callback);
  }
  readAll(): void {
    for (const callback of this.#waiting.splice(0)) callback();
  }
}

const frame = (type: number, id: number, payload: unknown = '') =>
  encodeFrame(type, id, typeof payload === 'string' ? payload : JSON.stringify(payload));
const HELLO = frame(FromRuntime.Hello, 0, { protocol: 1, runtime: 'python', version: '3' });
const READY = frame(FromRuntime.Ready, 0, { concurrency: 1, preloaded: [], excluded: [] });
const HEAD = frame(FromRuntime.ReplyHead, 1, { status: 200, headers: [], streaming: false });
const EXITED = frame(FromRuntime.Exited, 1, { code: 0 });

/** A channel to a runtime that has said Hello, and what it reports. */
function channelOf(style: Style | null, awaited: readonly number[] = [1]) {
  const socket = new Socket();
  const heard: string[] = [];
  const listener = new Proxy({} as RuntimeListener, {
    get: (_target, name: string) => (name === 'awaits' ? (id: number) => awaited.includes(id) : () => heard.push(name)),
  });
  const channel = new RuntimeChannel(socket, listener);
  const say = async (...frames: Buffer[]) => {
    for (const bytes of frames) socket.push(bytes);
    await new Promise((resolve) => setImmediate(resolve));
    return heard.splice(0);
  };
  if (style !== null) {
    const load = { function: 'f', style, runtime: 'python', layers: [], environment: {}, concurrency: 1, streamListen: null, limits: {} };
    channel.load(load, Buffer.from(''));
    channel.invoke({} as never, null);
  }
  return { socket, channel, say };
}

describe('what a runtime may send', () => {
  it('is one answer to Load, once there was one to be answered', async () => {
    expect(await channelOf(null).say(HELLO, READY)).toEqual(['onHello', 'onProtocolError']);
    expect(await channelOf('handler').say(HELLO, READY, READY)).toEqual(['onHello', 'onReady', 'onProtocolError']);
    const failed = frame(FromRuntime.LoadFailed, 0, { type: 'A', message: 'b' });
    expect(await channelOf('handler').say(HELLO, READY, failed)).toEqual(['onHello', 'onReady', 'onProtocolError']);
  });

  it('is replies by frames from handlers, and connections and ends of processes from scripts', async () => {
    const open = frame(FromRuntime.StreamOpen, 1);
    expect(await channelOf('handler').say(HELLO, HEAD, EXITED)).toEqual(['onHello', 'onReplyHead', 'onProtocolError']);
    expect(await channelOf('handler').say(HELLO, open)).toEqual(['onHello', 'onProtocolError']);
    expect(await channelOf('script').say(HELLO, open, EXITED, HEAD)).toEqual(['onHello', 'onStreamOpen', 'onExited', 'onProtocolError']);
  });

  it('is calls with new ids for invocations that were, and their bodies', async () => {
    const call = (id: number, members: object = {}) =>
      frame(FromRuntime.Call, id, { invocation: 1, function: 'f', mode: 'sync', timeoutMs: null, contentType: null, bodyLength: 1, ...members });
    const body = (id: number) => frame(FromRuntime.CallBody, id, 'x');
    expect(await channelOf('handler').say(HELLO, call(1), body(1), call(7), body(1))).toEqual([
      'onHello',
      'onCall',
      'onCallBody',
      'onCall',
      'onCallBody',
    ]);
    for (const wrong of [
      [call(2), call(2)],
      [call(2), call(1)],
      [call(0)],
      [body(1)],
      [call(1), body(2)],
      [call(1, { invocation: 2 })],
      [call(1, { invocation: 0 })],
      [call(1, { mode: 'both' })],
      [call(1, { bodyLength: -1 })],
      [call(1, { bodyLength: 0.5 })],
      [call(1, { timeoutMs: 0 })],
      [call(1, { timeoutMs: 'long' })],
      [call(1, { contentType: 'a\r\nX-B: c' })],
      [call(1, { function: 1 })],
      [frame(FromRuntime.Call, 1, '[]')],
    ]) {
      expect((await channelOf('script').say(HELLO, ...wrong)).at(-1)).toBe('onProtocolError');
    }
  });

  it('is credit of four bytes for a body, from handlers and programs', async () => {
    const credit = encodeFrame(FromRuntime.InvokeCredit, 1, Buffer.from([0, 2, 0, 0]));
    expect(await channelOf('server').say(HELLO, credit)).toEqual(['onHello', 'onInvokeCredit']);
    expect(await channelOf('script').say(HELLO, credit)).toEqual(['onHello', 'onProtocolError']);
    expect(await channelOf('handler').say(HELLO, frame(FromRuntime.InvokeCredit, 1, 'x'))).toEqual(['onHello', 'onProtocolError']);
    expect(await channelOf('handler').say(HELLO, frame(FromRuntime.InvokeCredit, 2))).toEqual(['onHello', 'onProtocolError']);
  });

  it('is not even read when it is about an invocation that is over', async () => {
    const nonsense = frame(FromRuntime.ReplyHead, 1, 'no JSON');
    expect(await channelOf('handler', []).say(HELLO, nonsense)).toEqual(['onHello']);
    expect(await channelOf('handler', [1]).say(HELLO, nonsense)).toEqual(['onHello', 'onProtocolError']);
  });
});

describe('a runtime that does not read', () => {
  it('is not read either once a megabyte of refusals waits for it, and is again when it has caught up', async () => {
    const { socket, channel } = channelOf('script');
    for (let n = 0; n < 200_000 && !socket.isPaused(); n++) channel.streamClose(1);
    expect(socket.isPaused()).toBe(true);
    expect(socket.writableLength).toBeLessThan(1024 * 1024 + 1000);
    await new Promise((resolve) => setImmediate(resolve));
    while (socket.writableLength > 0) {
      socket.readAll();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(socket.isPaused()).toBe(false);
  });
});

it('the end of the channel is told, once', async () => {
  const { socket, say } = channelOf('handler');
  socket.destroy(new Error('EPIPE'));
  expect(await say()).toEqual(['onChannelEnd']);
});
