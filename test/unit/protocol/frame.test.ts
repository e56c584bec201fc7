import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeBody, encodeFrame, FrameDecoder, FromRuntime, MAX_PAYLOAD_BYTES, ProtocolError, ToRuntime } from '../../../src/protocol/frame.ts';

interface Vector {
  name: string;
  direction: 'platformToRuntime' | 'runtimeToPlatform';
  type: number;
  id: number;
  json?: string;
  payloadHex?: string;
  frameHex: string;
}

interface Vectors {
  maxPayloadBytes: number;
  frames: Vector[];
  malformed: { name: string; bytesHex: string; outcome: 'error' | 'incomplete' }[];
}

const vectors = JSON.parse(readFileSync(new URL('../../../docs/protocol-vectors.json', import.meta.url), 'utf8')) as Vectors;

interface Frame {
  type: number;
  id: number;
  payload: string;
}

function decode(chunks: Iterable<Buffer>): Frame[] {
  const frames: Frame[] = [];
  const decoder = new FrameDecoder((type, id, payload) => frames.push({ type, id, payload: payload.toString('hex') }));
  for (const chunk of chunks) decoder.push(chunk);
  return frames;
}

function payloadOf(vector: Vector): Buffer {
  return vector.json === undefined ? Buffer.from(vector.payloadHex ?? '', 'hex') : Buffer.from(vector.json);
}

function expected(vector: Vector): Frame {
  return { type: vector.type, id: vector.id, payload: payloadOf(vector).toString('hex') };
}

describe.each(vectors.frames)('the golden frame $name', (vector) => {
  const bytes = Buffer.from(vector.frameHex, 'hex');

  test('is what its parts encode to', () => {
    expect(encodeFrame(vector.type, vector.id, payloadOf(vector)).toString('hex')).toBe(vector.frameHex);
    if (vector.json !== undefined) expect(encodeFrame(vector.type, vector.id, vector.json).toString('hex')).toBe(vector.frameHex);
  });

  test('decodes in one piece', () => {
    expect(decode([bytes])).toEqual([expected(vector)]);
  });

  test('decodes byte by byte', () => {
    expect(decode([...bytes].map((byte) => Buffer.from([byte])))).toEqual([expected(vector)]);
  });

  test('holds a JSON object where it holds JSON', () => {
    if (vector.json !== undefined) expect(JSON.parse(vector.json)).toBeTypeOf('object');
    else expect(vector.payloadHex).toMatch(/^([0-9a-f]{2})*$/);
  });
});

test('all golden frames decode from one buffer', () => {
  expect(decode([Buffer.from(vectors.frames.map((vector) => vector.frameHex).join(''), 'hex')])).toEqual(vectors.frames.map(expected));
});

test('every type of frame has a golden example, in its direction', () => {
  const types = (direction: string) => new Set(vectors.frames.filter((vector) => vector.direction === direction).map((vector) => vector.type));
  expect(types('platformToRuntime')).toEqual(new Set(Object.values(ToRuntime)));
  expect(types('runtimeToPlatform')).toEqual(new Set(Object.values(FromRuntime)));
});

test('the bound is that of the specification', () => {
  expect(MAX_PAYLOAD_BYTES).toBe(vectors.maxPayloadBytes);
});

describe.each(vectors.malformed)('$name', ({ bytesHex, outcome }) => {
  const bytes = Buffer.from(bytesHex, 'hex');

  test(`is an ${outcome} frame in one piece and byte by byte`, () => {
    for (const chunks of [[bytes], [...bytes].map((byte) => Buffer.from([byte]))]) {
      if (outcome === 'error') expect(() => decode(chunks)).toThrow(ProtocolError);
      else expect(decode(chunks)).toEqual([]);
    }
  });
});

test('a payload above the bound is not encoded', () => {
  expect(() => encodeFrame(FromRuntime.ReplyBody, 1, Buffer.alloc(MAX_PAYLOAD_BYTES + 1))).toThrow(ProtocolError);
});

test('a body longer than a frame is split, and an empty one takes no frame', () => {
  const body = Buffer.alloc(MAX_PAYLOAD_BYTES * 2 + 5, 7);
  const frames: Buffer[] = [];
  const decoder = new FrameDecoder((_type, _id, payload) => frames.push(Buffer.from(payload)));
  for (const frame of encodeBody(FromRuntime.ReplyBody, 1, body)) decoder.push(frame);
  expect(frames.map((payload) => payload.length)).toEqual([MAX_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES, 5]);
  expect(Buffer.concat(frames).equals(body)).toBe(true);
  expect([...encodeBody(FromRuntime.ReplyBody, 1, Buffer.alloc(0))]).toEqual([]);
});

test('whatever frames are sent, and however the stream cuts them, the same frames arrive', () => {
  const frame = fc.record({
    type: fc.integer({ min: 0, max: 255 }),
    id: fc.integer({ min: 0, max: 0xffffffff }),
    payload: fc.uint8Array({ maxLength: 300 }),
  });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 20 }), fc.infiniteStream(fc.integer({ min: 1, max: 64 })), (frames, sizes) => {
      const bytes = Buffer.concat(frames.map(({ type, id, payload }) => encodeFrame(type, id, payload)));
      const chunks: Buffer[] = [];
      for (let offset = 0; offset < bytes.length; ) {
        const size = sizes.next().value as number;
        chunks.push(bytes.subarray(offset, offset + size));
        offset += size;
      }
      expect(decode(chunks)).toEqual(frames.map(({ type, id, payload }) => ({ type, id, payload: Buffer.from(payload).toString('hex') })));
    }),
  );
});
