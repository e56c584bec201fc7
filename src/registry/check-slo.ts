import { HearthError } from '../errors.ts';
import type { FunctionDefinition } from '../schemas/function.ts';
import type { SloPolicy } from '../schemas/slo.ts';

/** Of the window, where the definition doesn't say. */
const DEFAULT_WINDOW_DAYS = 28;

/** @throws HearthError invalid_request when nothing is promised */
export function sloOf({ slo }: FunctionDefinition): SloPolicy | null {
  if (slo === undefined) return null;
  const { availability = null, latency, window_days: windowDays = DEFAULT_WINDOW_DAYS } = slo;
  if (availability === null && latency === undefined) {
    const message = 'says nothing: it has `availability`, or `latency`, or both.';
    throw new HearthError('invalid_request', `slo: ${message}`, { extra: { errors: [{ field: 'slo', message }] } });
  }
  return { availability, latency: latency ? { thresholdMs: latency.threshold_ms, share: latency.share } : null, windowDays };
}
