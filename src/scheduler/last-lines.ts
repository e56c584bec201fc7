import { HearthError } from '../errors.ts';

const MAX_LINES = 20;
const MAX_BYTES = 4096;

/** The error with the last lines of what was printed as its member `logs`, for functions that let their callers see them. */
export function withLastLines(error: HearthError, printed: string | null): HearthError {
  const logs = lastLines(printed ?? '');
  if (logs.length === 0 || error.fault !== 'function') return error;
  const { code, message, extra, retryAfter, allow, challenge, cause } = error;
  // Several calls may fail of one error.
  return new HearthError(code, message, {
    extra: { ...extra, logs },
    cause,
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(allow === undefined ? {} : { allow }),
    ...(challenge === undefined ? {} : { challenge }),
  });
}

function lastLines(printed: string): string[] {
  const bytes = Buffer.from(printed.trimEnd());
  // A character that is cut in two begins nothing.
  let start = Math.max(0, bytes.length - MAX_BYTES);
  while (start < bytes.length && ((bytes[start] as number) & 0xc0) === 0x80) start++;
  const text = bytes.subarray(start).toString();
  return text === '' ? [] : text.split('\n').slice(-MAX_LINES);
}
