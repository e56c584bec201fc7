import { type FileHandle, open } from 'node:fs/promises';
import type { LogLine } from '../../schemas/log-line.ts';
import { formatPosition, type LogPosition } from '../log-position.ts';
import type { LineMatcher } from './line-matcher.ts';
import type { Segment } from './segments.ts';

export interface LinesAfter {
  /** The oldest first. */
  lines: LogLine[];
  /** Where to go on. */
  position: LogPosition;
  /** Bytes of the log that were left out, since the reader was too far behind, or they were deleted; they may have had none of the lines that are wanted. */
  leftOutBytes: number;
}

const BLOCK_BYTES = 1024 * 1024;
/** Looked at in one go, so that others get their turn. */
const MAX_READ_BYTES = 8 * 1024 * 1024;
/** Lines of one answer. */
const MAX_ANSWER_BYTES = 256 * 1024;
const NEWLINE = 0x0a;

/**
 * The lines that come after a position, up to a bound.
 * @param maxBehindBytes whoever is further behind the end goes on at the end
 */
export async function readOn(segments: readonly Segment[], matcher: LineMatcher, from: LogPosition, maxBehindBytes: number): Promise<LinesAfter> {
  const found: LinesAfter = { lines: [], ...startOf(segments, from, maxBehindBytes) };
  const answer = { found, matcher, readBytes: 0, lineBytes: 0 };
  for (const segment of segments) {
    if (segment.number < found.position.segment) continue;
    if (segment.number > found.position.segment) found.position = { segment: segment.number, offset: 0 };
    if (!(await readSegment(segment, answer))) break;
  }
  return found;
}

interface Answer {
  found: LinesAfter;
  matcher: LineMatcher;
  readBytes: number;
  lineBytes: number;
}

function startOf(segments: readonly Segment[], from: LogPosition, maxBehindBytes: number): Pick<LinesAfter, 'position' | 'leftOutBytes'> {
  const ahead = segments.filter(({ number }) => number >= from.segment);
  const behind = ahead.reduce((total, { number, bytes }) => total + (number === from.segment ? Math.max(0, bytes - from.offset) : bytes), 0);
  const last = ahead.at(-1);
  if (last && behind > maxBehindBytes) return { position: { segment: last.number, offset: last.bytes }, leftOutBytes: behind };
  return { position: from, leftOutBytes: 0 };
}

/** @returns whether it was read to its end */
async function readSegment(segment: Segment, answer: Answer): Promise<boolean> {
  const { found } = answer;
  if (found.position.offset >= segment.bytes) return true;
  let handle: FileHandle;
  try {
    handle = await open(segment.file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    // Deleted meanwhile, for its age.
    found.leftOutBytes += segment.bytes - found.position.offset;
    found.position = { segment: segment.number, offset: segment.bytes };
    return true;
  }
  try {
    while (found.position.offset < segment.bytes) {
      if (answer.readBytes >= MAX_READ_BYTES || answer.lineBytes >= MAX_ANSWER_BYTES) return false;
      await readBlock(handle, segment, answer);
    }
    return true;
  } finally {
    await handle.close();
  }
}

async function readBlock(handle: FileHandle, segment: Segment, answer: Answer): Promise<void> {
  const { found, matcher } = answer;
  const { offset } = found.position;
  const block = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, segment.bytes - offset));
  const { bytesRead } = await handle.read(block, 0, block.length, offset);
  answer.readBytes += bytesRead;
  const bytes = block.subarray(0, bytesRead);
  let start = 0;
  if (!matcher.mayBeIn(bytes)) start = bytes.lastIndexOf(NEWLINE) + 1;
  for (let end = bytes.indexOf(NEWLINE, start); end >= 0 && answer.lineBytes < MAX_ANSWER_BYTES; end = bytes.indexOf(NEWLINE, start)) {
    const line = matcher.match(bytes.subarray(start, end));
    if (line) {
      found.lines.push({ id: formatPosition({ segment: segment.number, offset: offset + start }), ...line });
      answer.lineBytes += end - start;
    }
    start = end + 1;
  }
  // What has no end within a block is no line of ours.
  found.position = { segment: segment.number, offset: offset + (start > 0 ? start : bytesRead || segment.bytes) };
}
