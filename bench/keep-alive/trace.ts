/** What is replayed. Times are milliseconds from the trace's beginning. */
export interface Trace {
  name: string;
  functions: readonly TraceFunction[];
  /** In the order of time. */
  calls: readonly Call[];
}

export interface TraceFunction {
  key: string;
  memoryBytes: number;
  startCostMs: number;
}

export interface Call {
  at: number;
  /** Index of its function. */
  fn: number;
  durationMs: number;
}

export const MB = 1024 * 1024;

export function inOrder(calls: Call[]): Call[] {
  return calls.sort((a, b) => a.at - b.at || a.fn - b.fn);
}
