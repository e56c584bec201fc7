import type { SloPolicy } from '../../schemas/slo.ts';
import { type SloStatus, sloStatus } from '../slo/slo-status.ts';
import type { CallSeries } from './call-series.ts';
import { emptyCounts, SLOT } from './counts.ts';
import { type CallColumns, type GaugeColumns, readCalls, readGauges } from './read-series.ts';
import { TIERS } from './timeline.ts';
import type { WindowName } from './windows.ts';

const HOURS = TIERS[3];

export interface SloReport extends SloStatus {
  /** As of `ofFunction`. */
  counted: boolean;
  /** Share of the window in which the platform ran and counted, 0 to 1. */
  coverage: number;
}

/** What was counted over time, for whoever looks back. */
export interface Series {
  /** `counted` false: no line of its own is kept for the function; its columns are empty. */
  ofFunction(functionName: string, window: WindowName): CallColumns & { counted: boolean };
  slo(functionName: string, policy: SloPolicy): SloReport;
  ofMachine(window: WindowName): CallColumns & { gauges: GaugeColumns };
  /** What instances may hold together. */
  readonly memoryBudgetBytes: number;
}

/** @param clock milliseconds since the epoch */
export function createSeries(calls: CallSeries, memoryBudgetBytes: number, clock: () => number): Series {
  /** Share of that many days in which the gauges were read. */
  function coverage(days: number, now: number): number {
    const counts = emptyCounts();
    const hours = days * 24;
    const last = Math.floor(now / HOURS.stepMs);
    calls.machine.sum(TIERS.indexOf(HOURS), last - hours + 1, last, counts, SLOT.gauges);
    return Math.min(1, ((counts[SLOT.samples] as number) * TIERS[0].stepMs) / (hours * HOURS.stepMs));
  }

  return {
    memoryBudgetBytes,
    ofFunction(functionName, window) {
      const line = calls.of(functionName);
      return { counted: line !== undefined || calls.hasRoom, ...readCalls(line, calls.machine, window, clock()) };
    },
    slo(functionName, policy) {
      const line = calls.of(functionName);
      const now = clock();
      return { counted: line !== undefined || calls.hasRoom, coverage: coverage(policy.windowDays, now), ...sloStatus(policy, line, now) };
    },
    ofMachine(window) {
      const now = clock();
      return { ...readCalls(calls.machine, calls.machine, window, now), gauges: readGauges(calls.machine, window, now) };
    },
  };
}
