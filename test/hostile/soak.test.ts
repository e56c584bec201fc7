import { expect, it } from 'vitest';
import { soak } from '../../bench/soak/soak.ts';

// With sandboxes by bubblewrap: npm run soak -- --driver bubblewrap. What each driver holds off is shown one by one in the other files.
it('a short soak of hostile functions and clients fails no well-behaved function and leaves nothing behind', async () => {
  const driver = 'nursery';
  const { problems, isolation, tallies, samples } = await soak({ seconds: 10, seed: 1, driver }, () => undefined);
  expect(problems).toEqual([]);
  expect(isolation).toMatch(`${driver}, `);
  for (const [kind, { calls }] of tallies) expect(calls, kind).toBeGreaterThan(0);
  // What is counted is there to be counted.
  for (const what of ['processes', 'descriptors', 'mounts', 'files', 'instances'] as const) {
    expect(Math.max(...samples.map((sample) => sample[what])), what).toBeGreaterThan(0);
  }
  if (process.getuid?.() === 0) expect(Math.max(...samples.map(({ users }) => users))).toBeGreaterThan(0);
}, 300_000);
