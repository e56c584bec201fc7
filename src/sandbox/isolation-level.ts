import type { NetworkMode, Probe } from './driver.ts';

/**
 * full: everything that docs/sandbox.md promises was seen to hold. reduced: functions are isolated, but something of it is lacking.
 * none: no sandbox can be made here.
 */
export interface Isolation {
  level: 'full' | 'reduced' | 'none';
  /** What is lacking and what to do about it; empty when the level is full. */
  lacking: readonly string[];
}

/** Of what the platform can do, and not of how well it isolates. */
const ABILITIES = ['network egress', 'node', 'pip', 'agent'];

export function isolationLevel(probes: readonly Probe[], networks: readonly NetworkMode[]): Isolation {
  const failed = probes.filter(({ name, ok }) => !ok && !ABILITIES.some((ability) => name === ability || name.startsWith(`${ability} `)));
  const lacking = failed.map(({ name, detail }) => `${name}: ${detail}`);
  if (networks.length === 0) return { level: 'none', lacking };
  return { level: failed.length === 0 ? 'full' : 'reduced', lacking };
}
