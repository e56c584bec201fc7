import { type FileHandle, open } from 'node:fs/promises';
import type { LogLine } from '../../schemas/log-line.ts';
import type { LogFilter } from '../log-filter.ts';
import { formatPosition, type LogPosition } from '../log-position.ts';
import { LineMatcher } from './line-matcher.ts';
import type { Segment } from './segments.ts';

export interface LogQuery extends LogFilter {
  /** Lines, at most. */
  limit: number;
  /** Only lines before this. */
  before?: LogPosition | undefined;
}

export interface LogPage {
  /** The newest first. */
  lines: LogLine[];
  /** Whether there may be more lies before this; null: there is nothing. */
  next: LogPosition | null;
}

/** Longer than any line. */
const BLOCK_BYTES = 1024 * 1024;
/** Read for one page: some tenths of a second. */
const MAX_READ_BYTES = 48 * 1024 * 1024;
/** Lines of one page. */
const MAX_PAGE_BYTES = 1024 * 1024;
/** Lines are written some moments after their time, and clocks are set back. Milliseconds. */
const CLOCK_SLACK_MS = 60_000;
const NEWLINE = 0x0a;

/** Lines from the newest to the oldest. Reads a bounded part of the log: a page may be short, or empty, and not the last. */
export async function searchLines(segments: readonly Segment[], query: LogQuery): Promise<LogPage> {
  const page = new Page(query);
  const { before, since, until } = query;
  for (const segment of segments.toReversed()) {
    if (before && segment.number > before.segment) continue;
    if (since !== undefined && segment.writtenAt < since - CLOCK_SLACK_MS) return { lines: page.lines, next: null };
    if (until !== undefined && segment.number > until + CLOCK_SLACK_MS) continue;
    const end = before?.segment === segment.number ? Math.min(before.offset, segment.bytes) : segment.bytes;
    const next = await page.readBackwards(segment, end);
    if (next) return { lines: page.lines, next };
  }
  return { lines: page.lines, next: null };
}

class Page {
  readonly lines: LogLine[] = [];
  readonly #matcher: LineMatcher;
  readonly #limit: number;
  readonly #block = Buffer.alloc(BLOCK_BYTES);
  #readBytes = 0;
  #pageBytes = 0;

  constructor({ limit, ...filter }: LogQuery) {
    this.#limit = limit;
    this.#matcher = new LineMatcher(filter);
  }

  /** @param end of the last line in it that counts @returns where the next page begins, when this one is full before the segment's beginning */
  async readBackwards(segment: Segment, end: number): Promise<LogPosition | null> {
    let handle: FileHandle;
    try {
      handle = await open(segment.file, 'r');
    } catch (error) {
      // Deleted meanwhile, for its age.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
    try {
      let rest = end;
      while (rest > 0) {
        if (this.#readBytes >= MAX_READ_BYTES) return { segment: segment.number, offset: rest };
        rest = await this.#readBlock(handle, segment, rest);
        if (this.#isFull) return { segment: segment.number, offset: rest };
      }
      return null;
    } finally {
      await handle.close();
    }
  }

  get #isFull(): boolean {
    return this.lines.length >= this.#limit || this.#pageBytes >= MAX_PAGE_BYTES;
  }

  /** @returns the beginning of the last line that it looked at */
  async #readBlock(handle: FileHandle, segment: Segment, end: number): Promise<number> {
    const start = Math.max(0, end - BLOCK_BYTES);
    const { bytesRead } = await handle.read(this.#block, 0, end - start, start);
    this.#readBytes += bytesRead;
    const bytes = this.#block.subarray(0, bytesRead);
    // A line that begins before the block is read with the next.
    const first = start === 0 ? 0 : bytes.indexOf(NEWLINE) + 1;
    if (!this.#matcher.mayBeIn(bytes)) return start + first;
    let lineEnd = bytes.length;
    while (lineEnd > first && !this.#isFull) {
      const lineStart = lineEnd < 2 ? 0 : bytes.lastIndexOf(NEWLINE, lineEnd - 2) + 1;
      this.#look(bytes.subarray(lineStart, lineEnd - 1), { segment: segment.number, offset: start + lineStart });
      lineEnd = lineStart;
    }
    return start + lineEnd;
  }

  #look(bytes: Buffer, position: LogPosition): void {
    const line = this.#matcher.match(bytes);
    if (!line) return;
    this.lines.push({ id: formatPosition(position), ...line });
    this.#pageBytes += bytes.length;
  }
}
