import type { SloPolicy } from '../../schemas/slo.ts';
import { type Counts, emptyCounts, SLOT } from '../series/counts.ts';
import { TIERS, type Timeline } from '../series/timeline.ts';

/**
 * Multiwindow, multi-burn-rate: The Site Reliability Workbook, chapter 5 "Alerting on SLOs", section 6 (https://sre.google/workbook/alerting-on-slos/). A
 * burn rate of 1 uses up the error budget in just the objective's window. A verdict needs a long window, so that a moment's trouble is none, and a short one, so that
 * trouble which is over is none either. In a window of 30 days these burn 2 % of the budget in 1 h, 5 % in 6 h, and 10 % in 3 days.
 */
export const BURN_RULES = [
  { verdict: 'fast_burn', rate: 14.4, long: '1h', short: '5m' },
  { verdict: 'fast_burn', rate: 6, long: '6h', short: '30m' },
  { verdict: 'slow_burn', rate: 1, long: '3d', short: '6h' },
] as const;

/** Windows of burn rates, and the steps that they are summed up of: the one under way and those before. */
const BURN_WINDOWS = {
  '5m': { tier: 1, steps: 5 },
  '30m': { tier: 1, steps: 30 },
  '1h': { tier: 1, steps: 60 },
  '6h': { tier: 2, steps: 72 },
  '3d': { tier: 3, steps: 72 },
} as const;
export type BurnWindow = keyof typeof BURN_WINDOWS;
const WINDOW_NAMES = Object.keys(BURN_WINDOWS) as BurnWindow[];
const HOURS = 3;

export type Verdict = 'no_data' | 'ok' | 'slow_burn' | 'fast_burn' | 'exhausted';
/** From the best to the worst. */
const VERDICTS: readonly Verdict[] = ['no_data', 'ok', 'slow_burn', 'fast_burn', 'exhausted'];

export interface ObjectiveStatus {
  /** Share of calls that are to be good. */
  objective: number;
  /** Within the objective's window. */
  good: number;
  total: number;
  /** `good / total`; null when there was no call. */
  sli: number | null;
  /** Share of the bad calls allowed by the total that has not been used up: 1 at best, below 0 when more were bad than may be. */
  budgetLeft: number;
  /** Null when there was no call. */
  burnRates: Record<BurnWindow, number | null>;
  verdict: Verdict;
}

export interface SloStatus {
  policy: SloPolicy;
  availability: ObjectiveStatus | null;
  latency: ObjectiveStatus | null;
  /** The worse of the two. */
  verdict: Verdict;
}

/** @param line undefined: nothing was counted. @param now milliseconds since the epoch */
export function sloStatus(policy: SloPolicy, line: Timeline | undefined, now: number): SloStatus {
  line?.at(now);
  const sum = (tier: number, steps: number): Counts => {
    const counts = emptyCounts();
    const last = Math.floor(now / (TIERS[tier] as { stepMs: number }).stepMs);
    line?.sum(tier, last - steps + 1, last, counts, SLOT.samples);
    return counts;
  };
  const whole = sum(HOURS, policy.windowDays * 24);
  const windows = WINDOW_NAMES.map((name): [BurnWindow, Counts] => [name, sum(BURN_WINDOWS[name].tier, BURN_WINDOWS[name].steps)]);
  const status = (objective: number, total: number, bad: number): ObjectiveStatus => {
    const rates = windows.map(([name, counts]) => [name, burnRate(objective, counts[total] as number, counts[bad] as number)]);
    return judged(objective, whole[total] as number, whole[bad] as number, Object.fromEntries(rates) as ObjectiveStatus['burnRates']);
  };
  const availability = policy.availability === null ? null : status(policy.availability, SLOT.valid, SLOT.bad);
  const latency = policy.latency === null ? null : status(policy.latency.share, SLOT.timed, SLOT.slow);
  const verdicts = [availability, latency].map((one) => VERDICTS.indexOf(one?.verdict ?? 'no_data'));
  return { policy, availability, latency, verdict: VERDICTS[Math.max(...verdicts)] as Verdict };
}

function burnRate(objective: number, total: number, bad: number): number | null {
  return total === 0 ? null : bad / total / (1 - objective);
}

function judged(objective: number, total: number, bad: number, burnRates: ObjectiveStatus['burnRates']): ObjectiveStatus {
  const budgetLeft = total === 0 ? 1 : 1 - bad / (total * (1 - objective));
  return { objective, good: total - bad, total, sli: total === 0 ? null : 1 - bad / total, budgetLeft, burnRates, verdict: verdictOf() };

  function verdictOf(): Verdict {
    if (total === 0) return 'no_data';
    // A rounding error is no bad call.
    if (budgetLeft < 1e-9) return 'exhausted';
    const burns = (window: BurnWindow, rate: number) => (burnRates[window] ?? 0) > rate;
    return BURN_RULES.find(({ long, short, rate }) => burns(long, rate) && burns(short, rate))?.verdict ?? 'ok';
  }
}
