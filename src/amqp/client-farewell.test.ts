import { describe, expect, it } from 'vitest';
import { ClientFarewell } from './client-farewell.ts';

const method = (channel: number, classId: number, methodId: number, rest = Buffer.alloc(0)) => {
  const payload = Buffer.alloc(4);
  payload.writeUInt16BE(classId, 0);
  payload.writeUInt16BE(methodId, 2);
  return frame(1, channel, Buffer.concat([payload, rest]));
};
const frame = (type: number, channel: number, payload: Buffer) => {
  const head = Buffer.alloc(7);
  head[0] = type;
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(payload.length, 3);
  return Buffer.concat([head, payload, Buffer.from([0xce])]);
};
const HEADER = Buffer.from('AMQP\0\0\x09\x01', 'latin1');
const OPEN = method(0, 10, 40, Buffer.from([1, 0x2f, 0, 0]));
const CLOSE = method(0, 10, 50, Buffer.alloc(7));
const CLOSE_OK = method(0, 10, 51);
const HEARTBEAT = frame(8, 0, Buffer.alloc(0));
/** Its body looks like a close. */
const PUBLISH = Buffer.concat([method(1, 60, 40, Buffer.alloc(20)), frame(2, 1, Buffer.alloc(14)), frame(3, 1, CLOSE)]);

/** What is said after those bytes, in whatever pieces they came. */
function afterPieces(bytes: Buffer, size: number): Buffer | null {
  const watch = new ClientFarewell();
  for (let at = 0; at < bytes.length; at += size) watch.outgoing(bytes.subarray(at, at + size));
  return watch.farewell();
}

describe.each([1, 2, 3, 7, 10, 64, 10_000])('a client of a broker that leaves, its bytes in pieces of %i', (size) => {
  const following = (...frames: Buffer[]) => afterPieces(Buffer.concat(frames), size);

  it('is said goodbye for, by a close of the connection with 200', () => {
    expect(following(HEADER, OPEN, PUBLISH, HEARTBEAT)?.toString('hex')).toBe('0100000000000b000a003200c80000000000ce');
    expect(following(HEADER, OPEN)).toHaveLength(19);
  });

  it('is waited for when it has said so itself, and not when it has agreed to the close of the broker', () => {
    expect(following(HEADER, OPEN, PUBLISH, CLOSE)).toHaveLength(0);
    expect(following(HEADER, OPEN, CLOSE_OK)).toBe(null);
  });

  it('is answered once the broker has agreed, and then there is nothing to be said', () => {
    const watch = new ClientFarewell();
    watch.outgoing(Buffer.concat([HEADER, OPEN]));
    const say = (bytes: Buffer) => {
      for (let at = 0; at < bytes.length; at += size) watch.incoming(bytes.subarray(at, at + size));
    };
    say(Buffer.concat([method(0, 10, 10, Buffer.alloc(300)), PUBLISH]));
    expect(watch.isAnswered).toBe(false);
    say(CLOSE_OK);
    expect([watch.isAnswered, watch.farewell()]).toEqual([true, null]);
  });

  it('can not be spoken for in the middle of a frame, or before it was let in', () => {
    for (const cut of [1, 8, 20]) {
      const whole = Buffer.concat([HEADER, OPEN, PUBLISH]);
      expect(following(whole.subarray(0, whole.length - cut))).toBe(null);
    }
    expect(following(HEADER)).toBe(null);
    expect(following(Buffer.from('GET / HTTP/1.1\r\n\r\n'))).toBe(null);
    expect(following()).toBe(null);
  });
});
