import type { LogFilter } from '../log-filter.ts';
import type { LogPosition } from '../log-position.ts';
import type { LinesAfter } from './read-on.ts';
import type { LogPage, LogQuery } from './search-lines.ts';
import type { SegmentSettings } from './segments.ts';

/** What the event loop and the log's thread say to each other. */

export interface LogThreadData extends SegmentSettings {
  /** Of one function; what it prints beyond that is left out. */
  maxBytesPerS: number;
  /** Characters of a line, at most. */
  maxLineChars: number;
  /** Whoever follows the log and is further behind goes on at its end. */
  maxBehindBytes: number;
}

export interface FollowRequest extends LogFilter {
  /** Where to go on; `end`: at the end. */
  from: LogPosition | 'end';
  /** The line that was seen last, which stands at `from`. */
  seen?: string | undefined;
}

/** What can be asked, with what is answered. */
export interface LogRequests {
  search: { request: LogQuery; response: LogPage };
  /** Waits, for `waitMs` at most, until there is something. */
  follow: { request: FollowRequest & { waitMs: number }; response: LinesAfter };
  /** Deletes what is too old or too much. */
  prune: { request: null; response: null };
  /** Writes what it has, and ends. */
  close: { request: null; response: null };
}

export type ToLogThread =
  | { kind: 'records'; buffer: ArrayBuffer; length: number }
  | { [Name in keyof LogRequests]: { kind: Name; id: number; request: LogRequests[Name]['request'] } }[keyof LogRequests]
  /** Nobody waits for the answer any more. */
  | { kind: 'cancel'; id: number };

export type FromLogThread =
  /** What became of records; the buffer comes back. */
  | { kind: 'written'; buffer: ArrayBuffer; lines: number; dropped: number; totalBytes: number; error: string | null }
  | { kind: 'answer'; id: number; value: unknown }
  | { kind: 'failure'; id: number; message: string };
