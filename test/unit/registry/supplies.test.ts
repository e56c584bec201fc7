import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HearthError } from '../../../src/errors.ts';
import { type Need, Supplies } from '../../../src/registry/supplies.ts';

const layer = (id: string): Need => ({ kind: 'layer', id });

describe('supplies', () => {
  let tries: string[];
  let broken: Set<string>;
  let supplied: string[];
  let warnings: string[];
  let supplies: Supplies;

  beforeEach(() => {
    vi.useFakeTimers();
    tries = [];
    broken = new Set();
    supplied = [];
    warnings = [];
    supplies = new Supplies({
      layers: {
        byId: () => undefined,
        async restore(id) {
          tries.push(id);
          if (broken.has(id)) throw new HearthError('layer_build_failed', 'no index');
          return { id, path: '/', name: null, runtimes: ['python'] };
        },
      },
      bundles: { isHere: async () => false, get: async () => undefined },
      onSupplied: async (name) => void supplied.push(name),
      log: { warn: (fields) => warnings.push((fields as { id: string }).id), info() {} },
    });
  });
  afterEach(() => {
    supplies.close();
    vi.useRealTimers();
  });

  it('brings one thing once for all who need it, and tells each once it has everything', async () => {
    broken.add('b');
    supplies.bring('one', [layer('a')]);
    supplies.bring('both', [layer('a'), layer('b')]);
    await vi.advanceTimersByTimeAsync(0);
    expect([tries, supplied, warnings]).toEqual([['a', 'b'], ['one'], ['b']]);
    broken.clear();
    await vi.advanceTimersByTimeAsync(2000);
    expect([tries, supplied]).toEqual([
      ['a', 'b', 'b'],
      ['one', 'both'],
    ]);
  });

  it('tries again ever more seldom, five minutes apart at most', async () => {
    broken.add('a');
    supplies.bring('one', [layer('a')]);
    await vi.advanceTimersByTimeAsync(2000 + 4000 + 8000);
    expect(tries).toHaveLength(4);
    await vi.advanceTimersByTimeAsync(3600_000);
    const soFar = tries.length;
    await vi.advanceTimersByTimeAsync(300_000);
    expect(tries).toHaveLength(soFar + 1);
  });

  it('brings nothing more that nobody needs', async () => {
    broken.add('a');
    supplies.bring('one', [layer('a')]);
    await vi.advanceTimersByTimeAsync(0);
    supplies.bring('one', [layer('b')]);
    await vi.advanceTimersByTimeAsync(3600_000);
    expect([tries, supplied, vi.getTimerCount()]).toEqual([['a', 'b'], ['one'], 0]);
  });

  it('says that a bundle is nowhere, and goes on looking', async () => {
    supplies.bring('one', [{ kind: 'bundle', id: 'h' }]);
    await vi.advanceTimersByTimeAsync(2000);
    expect([supplied, warnings, supplies.isWaiting('one')]).toEqual([[], ['h', 'h'], true]);
  });
});
