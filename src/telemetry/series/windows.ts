import { TIERS } from './timeline.ts';

/** How far back one may look, and in which tier. */
export const WINDOWS = {
  '15m': { ms: 15 * 60_000, tier: 0 },
  '1h': { ms: 3600_000, tier: 1 },
  '6h': { ms: 6 * 3600_000, tier: 1 },
  '24h': { ms: 24 * 3600_000, tier: 2 },
  '7d': { ms: 7 * 24 * 3600_000, tier: 3 },
  '30d': { ms: 30 * 24 * 3600_000, tier: 3 },
} as const;
export type WindowName = keyof typeof WINDOWS;

/** Numbers of the steps of a window, the one that it is now included. */
export function stepsOf(name: WindowName, now: number): { tier: number; stepMs: number; first: number; last: number } {
  const { ms, tier } = WINDOWS[name];
  const { stepMs } = TIERS[tier];
  const last = Math.floor(now / stepMs);
  return { tier, stepMs, first: last - ms / stepMs + 1, last };
}
