import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

// The agent is JavaScript of its own, which the platform's types know nothing of.
const FRAMES = new URL('../../../runtimes/node/agent/frames.mjs', import.meta.url).href;
const { encode, FrameReader, ProtocolError } = await import(FRAMES);

interface Vector {
  name: string;
  direction: string;
  type: number;
  id: number;
  json?: string;
  payloadHex?: string;
  frameHex: string;
}
const { frames } = JSON.parse(readFileSync(new URL('../../../docs/protocol-vectors.json', import.meta.url), 'utf8')) as { frames: Vector[] };
const payloadOf = ({ json, payloadHex = '' }: Vector) => (json === undefined ? Buffer.from(payloadHex, 'hex') : Buffer.from(json));

describe('frames of the agent of Node.js', () => {
  it.each(frames)('encode $name', (vector) => {
    expect(encode(vector.type, vector.id, payloadOf(vector)).toString('hex')).toBe(vector.frameHex);
  });

  it('are decoded byte by byte, and all at once', () => {
    const received = frames.filter(({ direction }) => direction === 'platformToRuntime');
    const bytes = Buffer.concat(received.map(({ frameHex }) => Buffer.from(frameHex, 'hex')));
    const expected = received.map((vector) => [vector.type, vector.id, payloadOf(vector).toString('hex')]);
    for (const size of [1, 7, bytes.length]) {
      const seen: unknown[] = [];
      const reader = new FrameReader((type: number, id: number, payload: Buffer) => seen.push([type, id, payload.toString('hex')]));
      for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
      expect(seen).toEqual(expected);
    }
  });

  it.each([
    ['a type that the platform does not send', '000000008100000000'],
    ['a payload above the bound', '001000010400000001'],
  ])('refuse %s', (_, hex) => {
    expect(() => new FrameReader(() => undefined).push(Buffer.from(hex, 'hex'))).toThrow(ProtocolError);
  });
});
