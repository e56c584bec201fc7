import { describe, expect, it } from 'vitest';
import { clusterRounds } from './cluster/cluster-rounds.ts';

describe('three nodes under load', () => {
  it('lose nothing that they accepted when a node, a broker or the database goes, or the network between', { timeout: 600_000 }, async () => {
    const report = await clusterRounds({ rounds: 1, ratePerSecond: 40, upMs: 2000, say: () => undefined });
    expect(report.violations).toEqual([]);
    expect(report.accepted).toBeGreaterThan(200);
    expect(Object.keys(report.states).sort()).toEqual(['failed', 'succeeded']);
    expect(report.duplicates).toBeLessThanOrEqual(report.lostAttempts);
    // Who waits for an answer notices nothing, but for those whose call was under way on the node that was killed.
    expect(report.sync.answered).toBeGreaterThan(50);
    expect(report.sync.failures.length, JSON.stringify(report.sync.failures)).toBeLessThanOrEqual(report.sync.inFlightAtKills);
    expect(report.recoveries.map(({ event }) => event)).toHaveLength(4);
  });
});
