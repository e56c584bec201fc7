import type { CallSeries } from './call-series.ts';
import { type CallColumns, type GaugeColumns, readCalls, readGauges } from './read-series.ts';
import type { WindowName } from './windows.ts';

/** What was counted over time, for whoever looks back. */
export interface Series {
  /** `counted` false: no line of its own is kept for the function; its columns are empty. */
  ofFunction(functionName: string, window: WindowName): CallColumns & { counted: boolean };
  ofMachine(window: WindowName): CallColumns & { gauges: GaugeColumns };
  /** What instances may hold together. */
  readonly memoryBudgetBytes: number;
}

/** @param clock milliseconds since the epoch */
export function createSeries(calls: CallSeries, memoryBudgetBytes: number, clock: () => number): Series {
  return {
    memoryBudgetBytes,
    ofFunction(functionName, window) {
      const line = calls.of(functionName);
      return { counted: line !== undefined || calls.hasRoom, ...readCalls(line, calls.machine, window, clock()) };
    },
    ofMachine(window) {
      const now = clock();
      return { ...readCalls(calls.machine, calls.machine, window, now), gauges: readGauges(calls.machine, window, now) };
    },
  };
}
