import { type ErrorCode, HearthError } from '../../errors.ts';

/** A HearthError that survives the way between threads. */
export interface WireError {
  code: ErrorCode;
  message: string;
  /** The original's stack or text, for logs. */
  cause: string;
}

export function toWire(error: HearthError): WireError {
  const cause = error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : String(error.cause ?? '');
  return { code: error.code, message: error.message, cause };
}

export function fromWire(error: WireError): HearthError {
  return new HearthError(error.code, error.message, {
    ...(error.cause === '' ? {} : { cause: new Error(error.cause) }),
    ...(error.code === 'storage_full' ? { retryAfter: 30 } : {}),
  });
}
