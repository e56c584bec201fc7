import { describe, expect, it } from 'vitest';
import { Ledger } from '../../../bench/soak/ledger.ts';
import { parseOptions } from '../../../bench/soak/options.ts';
import { type Sample, slope } from '../../../bench/soak/samples.ts';
import { isLeak, memoryTrends, type Trend } from '../../../bench/soak/trend.ts';

const MIB = 2 ** 20;

function samples(rssMib: (second: number) => number): Sample[] {
  const others = { heapBytes: 0, descriptors: 0, processes: 0, users: 0, cgroups: 0, mounts: 0, files: 0, instances: 0, stocked: 0 };
  return Array.from({ length: 180 }, (_, index) => ({ at: index * 10, rssBytes: rssMib(index * 10) * MIB, ...others }));
}

/** Of a load of half an hour that began at rest with what its first sample had. */
function rss(of: (second: number) => number, atRestMib: number): Trend {
  const all = samples(of);
  const [first] = all as [Sample];
  return memoryTrends(all, first, { ...first, rssBytes: atRestMib * MIB })[0] as Trend;
}

describe('the trend of memory in a soak', () => {
  it('is the line through points by least squares', () => {
    expect(
      slope([
        [0, 1],
        [1, 3],
        [2, 5],
      ]),
    ).toBe(2);
    expect(
      slope([
        [0, 0],
        [1, 2],
        [2, 1],
      ]),
    ).toBe(0.5);
    expect(slope([[3, 7]])).toBe(0);
  });

  it('tells a leak from a heap that wanders, and from one that only grows in the beginning', () => {
    const leak = rss((second) => 200 + second / 20, 290);
    expect(isLeak(leak)).toBe(true);
    expect([leak.grownBytes / MIB, leak.keptBytes / MIB]).toEqual([expect.closeTo(67, 0), 90]);
    expect(isLeak(rss((second) => 250 + 30 * Math.sin(second / 25), 290))).toBe(false);
    expect(isLeak(rss((second) => 150 + Math.min(100, second / 4), 250))).toBe(false);
  });

  it('takes what is given back at rest for no leak', () => {
    expect(isLeak(rss((second) => 200 + second / 20, 205))).toBe(false);
  });
});

describe('the ledger of a soak', () => {
  it('counts what fails, tells of it, and goes on', async () => {
    const said: string[] = [];
    const ledger = new Ledger((text) => said.push(text));
    await ledger.attempt('one', async () => undefined);
    await ledger.attempt('one', () => Promise.reject(new Error('the wrong answer')));
    expect(ledger.tallies.get('one')).toMatchObject({ calls: 2, failures: 1 });
    expect(ledger.failures).toBe(1);
    expect(ledger.details).toEqual([expect.stringContaining('the wrong answer')]);
    expect(said).toEqual(ledger.details);
  });
});

describe('the command line of a soak', () => {
  it('has defaults, and takes fractions of minutes', () => {
    expect(parseOptions([])).toEqual({ seconds: 120, seed: 1, driver: 'nursery' });
    expect(parseOptions(['--minutes', '0.5', '--driver', 'bubblewrap', '--seed', '7'])).toEqual({ seconds: 30, seed: 7, driver: 'bubblewrap' });
  });

  it.each([['--minutes', '0'], ['--minutes', 'x'], ['--seed', '-1'], ['--driver', 'process'], ['--what']])('refuses %s %s', (...argv) => {
    expect(() => parseOptions(argv)).toThrow(TypeError);
  });
});
