import { describe, expect, it } from 'vitest';
import type { InstanceState } from '../schemas/records.ts';
import type { Instance } from './instance.ts';
import { surplusOf } from './surplus.ts';

const states = (...all: InstanceState[]) => all.map((state) => ({ state }) as Instance);

describe('surplusOf', () => {
  it('names those that have nothing to do first, and no more than are too many', () => {
    const named = (most: number) => surplusOf(states('busy', 'idle', 'busy', 'idle'), most).map(({ state }) => state);
    expect(named(4)).toEqual([]);
    expect(named(3)).toEqual(['idle']);
    expect(named(1)).toEqual(['idle', 'idle', 'busy']);
  });

  it('leaves those that start, and counts none that are on their way out', () => {
    expect(surplusOf(states('starting', 'starting', 'draining', 'stopped'), 1)).toEqual([]);
    expect(surplusOf(states('starting', 'idle', 'draining'), 2)).toEqual([]);
    expect(surplusOf(states('starting', 'idle', 'draining'), 1).map(({ state }) => state)).toEqual(['idle']);
  });
});
