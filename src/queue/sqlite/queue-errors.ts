import { HearthError } from '../../errors.ts';
import { toStoreError } from '../../store/sqlite/sqlite-errors.ts';

const IOERR = 10;
const FULL = 13;

/** As the store's, but for a full disk, which has a code of its own: it passes, and callers are to know. */
export function toQueueError(error: unknown, file: string): HearthError {
  if (error instanceof HearthError) return error;
  if (isFull(error)) {
    return new HearthError(
      'storage_full',
      `The disk that holds ${file} is full: nothing more can be accepted. What has been accepted stays; make room, and the queue goes on by itself.`,
      { cause: error, retryAfter: 30 },
    );
  }
  return toStoreError(error, file);
}

function isFull(error: unknown): boolean {
  const { errcode, code } = error as { errcode?: unknown; code?: unknown };
  return (typeof errcode === 'number' && (errcode & 0xff) === FULL) || code === 'ENOSPC' || code === 'EDQUOT';
}

/** The disk failed while it was written: what it holds of the last pages is not known any more. */
export function isDiskFailure(error: unknown): boolean {
  const { errcode, code } = error as { errcode?: unknown; code?: unknown };
  return (typeof errcode === 'number' && (errcode & 0xff) === IOERR) || code === 'EIO';
}
