/** What a call of a version that comes now would meet here. */
export interface Outlook {
  /** No instance is there or coming. */
  cold: boolean;
  /** About how long it would wait for its turn; Infinity: nobody can say. Milliseconds. */
  waitMs: number;
  /** An instance more may be started. */
  mayGrow: boolean;
}

export interface OutlookReadings {
  /** A ready instance takes it at once. */
  free: boolean;
  ready: number;
  starting: number;
  waiting: number;
  /** Calls that one instance takes at a time. */
  concurrency: number;
  /** Mean, or a guess. Milliseconds. */
  startMs: number;
  /** Mean, in milliseconds; NaN before the first run ended. */
  runMs: number;
  /** Since the last run began or ended. Milliseconds. */
  quietMs: number;
  mayGrow: boolean;
}

/** Pure: see FunctionInstances for what happens then. */
export function outlookOf({ free, ready, starting, waiting, concurrency, startMs, runMs, quietMs, mayGrow }: OutlookReadings): Outlook {
  if (free) return { cold: false, waitMs: 0, mayGrow };
  if (ready + starting === 0) return outlookOfUnknown(startMs, mayGrow);
  const places = (ready + starting) * concurrency;
  // Who finds a place in an instance that is starting waits for the start alone.
  const isCovered = starting > 0 && waiting < starting * concurrency;
  // Where all places are taken and nothing has moved for long, what runs is not like what ran before: it may well take as long again.
  const line = isCovered ? 0 : Number.isNaN(runMs) ? Number.POSITIVE_INFINITY : Math.max(quietMs, ((waiting + 1) * runMs) / places);
  const own = (ready === 0 ? startMs : 0) + line;
  if (isCovered) return { cold: false, waitMs: startMs, mayGrow };
  // A line is given one more when its head has waited for as long as a start takes.
  return { cold: false, waitMs: mayGrow ? Math.min(own, 2 * startMs) : own, mayGrow };
}

/** Of a version that nothing has been asked of here. */
export function outlookOfUnknown(startMs: number, mayGrow: boolean): Outlook {
  return { cold: true, waitMs: mayGrow ? startMs : Number.POSITIVE_INFINITY, mayGrow };
}
