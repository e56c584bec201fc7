import { HearthError } from '../../errors.ts';
import { parseDuration } from '../../schemas/duration.ts';

const MAX_WAIT_MS = 5 * 60_000;

/** Of the query's `wait`. @returns milliseconds, 0 when there is none @throws HearthError invalid_request */
export function waitMs(text: string | undefined): number {
  if (text === undefined) return 0;
  const ms = parseDuration(text);
  if (ms !== undefined && ms <= MAX_WAIT_MS) return ms;
  const message = `is to be a number with a unit, such as 500ms or 30s, of at most 5m; not ${JSON.stringify(text)}`;
  throw new HearthError('invalid_request', `wait ${message}.`, { extra: { errors: [{ field: 'wait', message }] } });
}
