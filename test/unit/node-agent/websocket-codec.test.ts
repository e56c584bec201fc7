import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

// The agent is JavaScript of its own, which the platform's types know nothing of.
const CODEC = new URL('../../../runtimes/node/agent/websocket-codec.mjs', import.meta.url).href;
const { closePayload, encodeFrame, MessageReader, OPCODE, WebSocketError } = await import(CODEC);

const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
const MAX_BYTES = 1000;
const { continuation, text, binary, close, ping, pong } = OPCODE;

type Event = [kind: string, ...values: unknown[]];

/** A client's frame. */
const frame = (opcode: number, payload: string | Uint8Array = '', isLast = true): Buffer => encodeFrame(opcode, Buffer.from(payload), MASK, isLast);

/** What a reader makes of the bytes, given in pieces of the sizes in turn; an error of the protocol is the last event. */
function read(bytes: Buffer, sizes: readonly number[] = [bytes.length], maxBytes = MAX_BYTES): Event[] {
  const events: Event[] = [];
  const on = {
    message: (data: string | Buffer) => events.push(['message', typeof data === 'string' ? data : [...data]]),
    ping: (payload: Buffer) => events.push(['ping', payload.toString()]),
    close: (code: number, reason: string) => events.push(['close', code, reason]),
  };
  const reader = new MessageReader(on, maxBytes);
  try {
    for (let at = 0, turn = 0; at < bytes.length; turn++) {
      const size = sizes[turn % sizes.length] ?? 1;
      reader.push(bytes.subarray(at, at + size));
      at += size;
    }
  } catch (error) {
    if (!(error instanceof WebSocketError)) throw error;
    events.push(['error', (error as { code: number } & Error).code]);
  }
  return events;
}

const long = 'é'.repeat(300);
const GOOD: [name: string, frames: Buffer[], events: Event[]][] = [
  ['a text', [frame(text, 'hello')], [['message', 'hello']]],
  ['bytes', [frame(binary, Buffer.from([0, 255, 10]))], [['message', [0, 255, 10]]]],
  [
    'messages without a byte',
    [frame(text), frame(binary)],
    [
      ['message', ''],
      ['message', []],
    ],
  ],
  ['a length of two bytes', [frame(text, long)], [['message', long]]],
  ['fragments', [frame(text, 'a', false), frame(continuation, 'b', false), frame(continuation, 'c')], [['message', 'abc']]],
  ['fragments without a byte', [frame(text, '', false), frame(continuation, 'x', false), frame(continuation, '')], [['message', 'x']]],
  [
    'a character that is divided between fragments',
    [frame(text, Buffer.from([0xc3]), false), frame(continuation, Buffer.from([0xa9]))],
    [['message', 'é']],
  ],
  [
    'control frames between fragments',
    [frame(text, 'a', false), frame(ping, 'p'), frame(pong, 'q'), frame(continuation, 'b')],
    [
      ['ping', 'p'],
      ['message', 'ab'],
    ],
  ],
  ['a ping of 125 bytes', [frame(ping, 'x'.repeat(125))], [['ping', 'x'.repeat(125)]]],
  ['pongs that nobody asked for', [frame(pong, 'x'), frame(text, 'a')], [['message', 'a']]],
  ['as many bytes as are allowed', [frame(binary, new Uint8Array(MAX_BYTES))], [['message', Array(MAX_BYTES).fill(0)]]],
  ['a Close with nothing', [frame(close)], [['close', 1005, '']]],
  ['a Close with a code', [frame(close, closePayload(1000, ''))], [['close', 1000, '']]],
  ['a Close with a reason of 123 bytes', [frame(close, closePayload(4999, 'r'.repeat(123)))], [['close', 4999, 'r'.repeat(123)]]],
  ['nothing after Close', [frame(close), frame(text, 'late'), Buffer.from([0xff, 0xff])], [['close', 1005, '']]],
];

const raw = (...bytes: number[]): Buffer => Buffer.from(bytes);
const BAD: [name: string, frames: Buffer[], code: number][] = [
  ['a frame that is not masked', [encodeFrame(text, Buffer.from('a'))], 1002],
  ['the first reserved bit', [raw(0xc1, 0x80)], 1002],
  ['the second reserved bit', [raw(0xa1, 0x80)], 1002],
  ['the third reserved bit', [raw(0x91, 0x80)], 1002],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): (typeof BAD)[number] => [`the opcode ${opcode}`, [frame(opcode)], 1002]),
  ['a control frame in fragments', [frame(ping, 'a', false)], 1002],
  ['a control frame of 126 bytes', [frame(ping, 'x'.repeat(126))], 1002],
  ['a Close of 126 bytes', [frame(close, closePayload(1000, 'r'.repeat(124)))], 1002],
  ['a continuation of nothing', [frame(continuation, 'a')], 1002],
  ['a continuation after the last', [frame(text, 'a', false), frame(continuation, 'b'), frame(continuation, 'c')], 1002],
  ['a message inside another', [frame(text, 'a', false), frame(text, 'b')], 1002],
  ['a length with its highest bit set', [raw(0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)], 1002],
  ['a giant that has only announced itself', [raw(0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0)], 1009],
  ['a message of a byte too many', [frame(binary, new Uint8Array(MAX_BYTES + 1))], 1009],
  ['fragments that are too many together', [frame(binary, new Uint8Array(MAX_BYTES), false), frame(continuation, 'x', false)], 1009],
  ['a text that is no UTF-8', [frame(text, raw(0xce, 0xba, 0xff))], 1007],
  ['a text that ends inside a character', [frame(text, raw(0xc3))], 1007],
  ['half of a surrogate pair', [frame(text, raw(0xed, 0xa0, 0x80))], 1007],
  ['half a code in Close', [frame(close, raw(3))], 1002],
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map((code): (typeof BAD)[number] => [
    `a Close with the code ${code}`,
    [frame(close, raw(code >> 8, code & 255))],
    1002,
  ]),
  ['a Close whose reason is no UTF-8', [frame(close, Buffer.concat([closePayload(1000, ''), raw(0xff)]))], 1007],
];

describe('the reader of WebSocket frames', () => {
  it.each(GOOD)('takes %s, whole and byte by byte', (_, frames, events) => {
    expect(read(Buffer.concat(frames))).toEqual(events);
    expect(read(Buffer.concat(frames), [1])).toEqual(events);
  });

  it.each(BAD)('refuses %s', (_, frames, code) => {
    for (const sizes of [[1000], [1]]) {
      const events = read(Buffer.concat([frame(text, 'before'), ...frames, frame(text, 'after')]), sizes);
      expect([events[0], events.at(-1)]).toEqual([
        ['message', 'before'],
        ['error', code],
      ]);
    }
  });

  it.each([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 3000, 3999, 4000, 4999])('takes the code %d', (code) => {
    expect(read(frame(close, closePayload(code, 'why')))).toEqual([['close', code, 'why']]);
  });

  it('sees the same however the bytes are divided', () => {
    const good = GOOD.filter(([name]) => !name.includes('Close'));
    const stream = Buffer.concat(good.flatMap(([, frames]) => frames));
    const events = good.flatMap(([, , seen]) => seen);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 20 }), (sizes) => {
        expect(read(stream, sizes)).toEqual(events);
      }),
      { numRuns: 50 },
    );
  });

  it('gives back messages of any length as they were', () => {
    for (const length of [125, 126, 65_535, 65_536, 300_000]) {
      const payload = 'x'.repeat(length);
      expect(read(frame(text, payload), [30_000], 300_000)).toEqual([['message', payload]]);
    }
  });

  it('of a client takes what a server sends, and nothing that is masked', () => {
    const seen: unknown[] = [];
    const reader = () => new MessageReader({ message: (data: string) => seen.push(data) }, MAX_BYTES, false);
    reader().push(encodeFrame(text, Buffer.from('a')));
    expect(seen).toEqual(['a']);
    expect(() => reader().push(frame(text, 'a'))).toThrow('a frame is masked');
  });
});
