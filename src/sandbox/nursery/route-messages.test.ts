import { describe, expect, it } from 'vitest';
import { closingMessages } from './route-messages.ts';

/** type and length of each request. */
function requests(bytes: Buffer): Array<{ type: number; body: Buffer }> {
  const found = [];
  for (let at = 0; at < bytes.length; at += (bytes.readUInt32LE(at) + 3) & ~3) {
    found.push({ type: bytes.readUInt16LE(at + 4), body: bytes.subarray(at + 16, at + bytes.readUInt32LE(at)) });
  }
  return found;
}

describe('closingMessages', () => {
  it('shuts the resolver but for DNS, and each destination', () => {
    const found = requests(
      closingMessages([
        { address: '169.254.0.0', prefix: 16 },
        { address: '192.0.2.7', prefix: 32 },
        { address: '198.51.100.1', prefix: 32 },
      ]),
    );
    expect(found.map(({ type }) => type)).toEqual([32, 32, 32, 24, 24, 24]);
    const routes = found.filter(({ type }) => type === 24).map(({ body }) => ({ prefix: body[1], kind: body[7], to: [...body.subarray(16, 20)] }));
    expect(routes).toEqual([
      { prefix: 16, kind: 7, to: [169, 254, 0, 0] },
      { prefix: 32, kind: 7, to: [192, 0, 2, 7] },
      { prefix: 32, kind: 7, to: [198, 51, 100, 1] },
    ]);
    const rules = found.filter(({ type }) => type === 32).map(({ body }) => ({ action: body[7], to: [...body.subarray(16, 20)] }));
    expect(rules.map(({ action }) => action)).toEqual([1, 1, 7]);
    for (const { to } of rules) expect(to).toEqual([10, 0, 2, 3]);
  });

  it('asks for an acknowledgement of each, and aligns each', () => {
    const bytes = closingMessages([{ address: '192.0.2.7', prefix: 32 }]);
    expect(bytes.length % 4).toBe(0);
    for (let at = 0; at < bytes.length; at += bytes.readUInt32LE(at)) expect(bytes.readUInt16LE(at + 6) & 0x4).toBe(4);
  });
});
