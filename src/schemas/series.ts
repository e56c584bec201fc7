/** What was counted in one step of time, of one function or of the whole machine; telemetry/series says what `counts` holds. */
export interface SeriesStep {
  /** Empty: the whole machine. */
  functionName: string;
  /** Length of the step in milliseconds. */
  stepMs: number;
  /** Its number since the epoch. */
  step: number;
  counts: string;
}

export type SeriesKey = Pick<SeriesStep, 'functionName' | 'stepMs' | 'step'>;
