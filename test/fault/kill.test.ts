import { describe, expect, it } from 'vitest';
import { killRounds } from './kill-rounds.ts';

/** A few here; `node test/fault/run.ts --kills 100` for a hundred. */
const KILLS = Number(process.env.HEARTH_TEST_KILLS ?? 3);

describe('kill -9 under 200 accepted invocations a second', () => {
  it('loses none, runs none twice but where a lease was lost, and leaves none running', { timeout: 300_000 + KILLS * 10_000 }, async () => {
    const report = await killRounds({ kills: KILLS, ratePerSecond: 200, upMs: [500, 3000], say: () => undefined });
    expect(report.violations).toEqual([]);
    expect(report.accepted).toBeGreaterThan(KILLS * 50);
    expect(Object.keys(report.states).sort()).toEqual(['failed', 'succeeded']);
    expect(report.duplicates).toBeLessThanOrEqual(report.lostAttempts);
  });
});
