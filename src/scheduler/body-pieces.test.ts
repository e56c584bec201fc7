import { describe, expect, it } from 'vitest';
import { BodyPieces } from './body-pieces.ts';

describe('the pieces of a body', () => {
  it('are handed over as they came when there is one', () => {
    const pieces = new BodyPieces();
    const only = Buffer.from('only');
    pieces.add(Buffer.alloc(0));
    pieces.add(only);
    expect(pieces.bytes).toBe(4);
    expect(pieces.take()).toBe(only);
    expect([pieces.bytes, pieces.take().length]).toEqual([0, 0]);
  });

  it('keep their order, whatever their sizes', () => {
    const pieces = new BodyPieces();
    const sizes = [1, 3, 40_000, 5, 0, 31_000, 31_000, 31_000, 70_000, 70_000, 1, 1];
    const chunks = sizes.map((size, index) => Buffer.alloc(size, index + 1));
    for (const chunk of chunks) pieces.add(chunk);
    expect(pieces.bytes).toBe(sizes.reduce((sum, size) => sum + size));
    expect(pieces.take().equals(Buffer.concat(chunks))).toBe(true);
  });

  it('do not keep what was read with them', () => {
    const pieces = new BodyPieces();
    const read = Buffer.alloc(65_536, 1);
    pieces.add(Buffer.from('first'));
    pieces.add(read.subarray(0, 1000));
    read.fill(2);
    expect(pieces.take().equals(Buffer.concat([Buffer.from('first'), Buffer.alloc(1000, 1)]))).toBe(true);
  });
});
