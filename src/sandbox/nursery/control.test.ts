import { describe, expect, it } from 'vitest';
import { ControlDecoder, encodeControl, forkPayload, KIND } from './control.ts';

const token = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');

describe('control messages', () => {
  it('have a length, a kind, a token and a payload', () => {
    expect(encodeControl(KIND.fork, token, Buffer.from('ab')).toString('hex')).toBe(`0000000202${token.toString('hex')}6162`);
  });

  it('come out whole however the stream is cut', () => {
    const bytes = Buffer.concat([encodeControl(KIND.kill, token), encodeControl(KIND.ready, undefined, Buffer.from('{}'))]);
    const expected = [
      { kind: KIND.kill, token: token.toString('hex'), payload: '' },
      { kind: KIND.ready, token: '0'.repeat(32), payload: '{}' },
    ];
    for (let size = 1; size <= bytes.length; size++) {
      const decoder = new ControlDecoder();
      const found = [];
      for (let at = 0; at < bytes.length; at += size) found.push(...decoder.feed(bytes.subarray(at, at + size)));
      expect(found.map((message) => ({ ...message, payload: message.payload.toString() }))).toEqual(expected);
    }
  });

  it('that announce too much are refused', () => {
    const bytes = encodeControl(KIND.ready);
    bytes.writeUInt32BE(1024 * 1024 + 1, 0);
    expect(() => new ControlDecoder().feed(bytes)).toThrow('1048577 bytes');
  });

  it('of a fork carry the size of /tmp as 64 bits before the routes', () => {
    expect(forkPayload(2 ** 33, Buffer.of(7)).toString('hex')).toBe('000000020000000007');
  });
});
