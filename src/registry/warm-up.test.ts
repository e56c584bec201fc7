import { describe, expect, it } from 'vitest';
import type { FunctionVersion } from '../schemas/function.ts';
import { warmUp } from './warm-up.ts';

const version = { functionName: 'echo', number: 2 } as FunctionVersion;

describe('warmUp', () => {
  it('waits no longer than it is told', async () => {
    const never = new Promise<void>(() => {});
    expect(await warmUp({ isLive: () => true, warm: () => never }, [version], 5)).toEqual([
      'Version 2 got its calls without being warm: it was not ready within 5 ms.',
    ]);
  });

  it('leaves no failure unheard that comes after it gave up', async () => {
    const start = Promise.withResolvers<void>();
    await warmUp({ isLive: () => true, warm: () => start.promise }, [version], 1);
    // Unheard, it would fail this run.
    start.reject(new Error('too late'));
    await new Promise((resolve) => setImmediate(resolve));
  });

  it('starts nothing for a function that is not being called', async () => {
    const warm = () => Promise.reject(new Error('started'));
    expect(await warmUp({ isLive: () => false, warm }, [version], 5)).toEqual([]);
  });
});
