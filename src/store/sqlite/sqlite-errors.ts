import { HearthError } from '../../errors.ts';

/** Primary result codes: https://sqlite.org/rescode.html */
const PERM = 3;
const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const AUTH = 23;
const NOTADB = 26;

/** What SQLite or the file system threw, with the file and what to do about it. What is no trouble of the file's (a constraint, a bug of ours) becomes `internal`. */
export function toStoreError(error: unknown, file: string): HearthError {
  if (error instanceof HearthError) return error;
  const explanation = explain(error, file);
  const text = error instanceof Error ? error.message : String(error);
  if (explanation === undefined) {
    return new HearthError('internal', 'The store met an error that it did not expect; the log has the details.', { cause: error });
  }
  return new HearthError('store_unavailable', `${explanation} (${text})`, { cause: error });
}

function explain(error: unknown, file: string): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { errcode, code, syscall } = error as { errcode?: unknown; code?: unknown; syscall?: unknown };
  if (typeof errcode === 'number') return explainSqlite(errcode & 0xff, file);
  if (typeof syscall === 'string') {
    if (code === 'ENOSPC' || code === 'EDQUOT') return full(file);
    return `The database ${file} can not be opened; check that its folder exists and that the user who runs the platform may write there.`;
  }
  return undefined;
}

function explainSqlite(primary: number, file: string): string | undefined {
  switch (primary) {
    case FULL:
      return full(file);
    case CORRUPT:
    case NOTADB:
      return `${file} is damaged or no SQLite database; restore it from a backup, or move it away together with its -wal and -shm files to start with an empty one.`;
    case PERM:
    case READONLY:
    case CANTOPEN:
    case AUTH:
      return `The database ${file} can not be opened or written; check its permissions, its folder's, and whether its file system is mounted read-only.`;
    case BUSY:
    case LOCKED:
      return `Another process holds the database ${file}; see that only one platform uses it, and try again.`;
    case IOERR:
      return `The disk that holds ${file} failed; see the kernel's log, and try again.`;
    default:
      return undefined;
  }
}

function full(file: string): string {
  return `The disk that holds ${file} is full; make room, and the store goes on by itself.`;
}
