import { expect, it } from 'vitest';
import { LimitShare } from '../cluster/limit-share.ts';
import { shareLimits } from './nodes.ts';

it('limits are divided by the nodes that are there, and by those that come and go', () => {
  const share = new LimitShare();
  const seen: number[] = [];
  const scheduler = { shareChanged: () => seen.push(share.nodes) };
  let change: (up: number) => void = () => undefined;
  const others = {
    up: 3,
    onChanged(listener: typeof change) {
      change = listener;
    },
  };
  shareLimits(others, share, scheduler as never);
  change(2);
  expect(seen).toEqual([3, 2]);

  // A platform that is alone is told nothing.
  seen.length = 0;
  shareLimits({ up: 1, onChanged: () => undefined }, new LimitShare(), scheduler as never);
  expect(seen).toEqual([]);
});
