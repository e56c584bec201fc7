import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FollowChanges, type Refreshers } from '../../../src/cluster/follow-changes.ts';

describe('following changes', () => {
  let refreshed: string[];
  let gates: Map<string, PromiseWithResolvers<void>>;
  let warnings: number;
  let follow: FollowChanges;

  const refresher = (kind: string) => async (name: string) => {
    refreshed.push(`${kind} ${name}`);
    await gates.get(name)?.promise;
  };
  const refreshers: Refreshers = {
    function: refresher('function'),
    api_keys: refresher('api_keys'),
    secret: refresher('secret'),
    schedule: refresher('schedule'),
  };

  beforeEach(() => {
    vi.useFakeTimers();
    refreshed = [];
    gates = new Map();
    warnings = 0;
    follow = new FollowChanges({ log: { warn: () => (warnings += 1) } });
  });
  afterEach(() => {
    follow.close();
    vi.useRealTimers();
  });

  const gate = (name: string) => {
    const made = Promise.withResolvers<void>();
    gates.set(name, made);
    return made;
  };

  it('keeps what is told before the parts are there, each thing once', async () => {
    await follow.tell({ kind: 'secret', name: 'A' });
    await follow.tell({ kind: 'secret', name: 'A' });
    await follow.tell({ kind: 'function', name: 'A' });
    expect(refreshed).toEqual([]);
    follow.connect(refreshers);
    expect(refreshed).toEqual(['secret A', 'function A']);
  });

  it('refreshes one thing once more when it changed meanwhile, and others beside it', async () => {
    follow.connect(refreshers);
    const slow = gate('slow');
    await follow.tell({ kind: 'function', name: 'slow' });
    await follow.tell({ kind: 'function', name: 'slow' });
    await follow.tell({ kind: 'function', name: 'slow' });
    await follow.tell({ kind: 'function', name: 'other' });
    expect(refreshed).toEqual(['function slow', 'function other']);
    slow.resolve();
    await vi.advanceTimersByTimeAsync(0);
    expect(refreshed).toEqual(['function slow', 'function other', 'function slow']);
  });

  it('tries again what failed, ever more seldom, until it works', async () => {
    follow.connect(refreshers);
    gate('A').reject(new Error('the database is away'));
    await follow.tell({ kind: 'secret', name: 'A' });
    await vi.advanceTimersByTimeAsync(500 + 1000 + 2000);
    expect([refreshed.length, warnings]).toEqual([4, 4]);
    gates.delete('A');
    await vi.advanceTimersByTimeAsync(30_000);
    expect([refreshed.length, vi.getTimerCount()]).toEqual([5, 0]);
  });
});
