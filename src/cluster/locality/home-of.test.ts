import { describe, expect, test } from 'vitest';
import type { LoadedNode } from './home-of.ts';
import * as locality from './home-of.ts';
import { Ring } from './ring.ts';

const FUNCTIONS = Array.from({ length: 1000 }, (_, at) => `function-${at}`);
const idle = (...ids: string[]): LoadedNode[] => ids.map((id) => ({ id, load: 0 }));
const rings = new Map<string, Ring>();
const homeOf = (name: string, nodes: readonly LoadedNode[]): string[] => {
  const ids = nodes.map(({ id }) => id);
  const ring = rings.get(ids.join()) ?? new Ring(ids);
  rings.set(ids.join(), ring);
  return locality.homeOf(name, nodes, ring);
};
const first = (name: string, nodes: readonly LoadedNode[]): string => homeOf(name, nodes)[0] as string;

describe('homes of functions', () => {
  test('are the same whatever the order in which nodes are named, and name each node once', () => {
    for (const name of FUNCTIONS.slice(0, 50)) {
      const order = homeOf(name, idle('a', 'b', 'c', 'd'));
      expect(homeOf(name, idle('d', 'b', 'a', 'c'))).toEqual(order);
      expect([...order].sort()).toEqual(['a', 'b', 'c', 'd']);
    }
    expect(homeOf('one', idle('a'))).toEqual(['a']);
    expect(new Ring([]).order('none')).toEqual([]);
  });

  test('are shared out about evenly', () => {
    const counts = Map.groupBy(FUNCTIONS, (name) => first(name, idle('a', 'b', 'c', 'd', 'e')));
    for (const { length } of counts.values()) expect(length / (FUNCTIONS.length / 5)).toBeGreaterThan(0.6);
    expect(counts.size).toBe(5);
  });

  test('move to a node that joins, and to no other: about its share', () => {
    const before = idle('a', 'b', 'c', 'd');
    const after = idle('a', 'b', 'c', 'd', 'e');
    const moved = FUNCTIONS.filter((name) => first(name, before) !== first(name, after));
    for (const name of moved) expect(first(name, after)).toBe('e');
    expect(moved.length / FUNCTIONS.length).toBeGreaterThan(0.1);
    expect(moved.length / FUNCTIONS.length).toBeLessThan(0.35);
  });

  test('move from a node that leaves to the next in their order, and no others do', () => {
    const before = idle('a', 'b', 'c', 'd');
    const after = idle('a', 'b', 'd');
    for (const name of FUNCTIONS) {
      const order = homeOf(name, before).filter((id) => id !== 'c');
      expect(homeOf(name, after)).toEqual(order);
    }
  });

  test('are not where load is 1.25 times the mean, which no node is ever given more than', () => {
    const load: Record<string, number> = { a: 0, b: 0, c: 0 };
    // The worst of all: every call is of one function.
    for (let calls = 1; calls <= 900; calls++) {
      const id = first(
        'hot',
        Object.entries(load).map(([id, load]) => ({ id, load })),
      );
      load[id] = (load[id] as number) + 1;
      for (const one of Object.values(load)) expect(one).toBeLessThanOrEqual(Math.ceil((locality.LOAD_BOUND * calls) / 3));
    }
    // Two are filled to their bound, in the order of the ring; the third has the rest.
    const [most, more] = homeOf('hot', idle('a', 'b', 'c')).map((id) => load[id]);
    expect([most, more]).toEqual([375, 375]);
  });

  test('stay where they are while their node is at ease', () => {
    const [home, next] = homeOf('few', idle('a', 'b', 'c')) as [string, string];
    const loaded = (load: number) => ['a', 'b', 'c'].map((id) => ({ id, load: id === home ? load : 0, ease: 4 }));
    expect(first('few', loaded(3))).toBe(home);
    expect(first('few', loaded(4))).toBe(next);
    expect(homeOf('few', loaded(4)).at(-1)).toBe(home);
  });
});
