import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LimitShare } from './limit-share.ts';

describe('LimitShare', () => {
  it('is all of it for a node that is alone, and never of fewer nodes than one', () => {
    const share = new LimitShare();
    expect(share.of(7)).toBe(7);
    share.nodes = 0;
    expect([share.nodes, share.of(7)]).toEqual([1, 7]);
  });

  it('adds up to the limit, and to less than one for each node above it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: 1, max: 100 }), (limit, nodes) => {
        const share = new LimitShare();
        share.nodes = nodes;
        const sum = share.of(limit) * nodes;
        expect(sum).toBeGreaterThanOrEqual(limit);
        expect(sum).toBeLessThan(limit + nodes);
      }),
    );
  });
});
