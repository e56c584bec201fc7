import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { LogPosition } from '../log-position.ts';

export interface SegmentSettings {
  folder: string;
  /** Of all segments together. */
  maxBytes: number;
  /** Of one. */
  segmentBytes: number;
  /** Milliseconds for which lines are kept at least; `maxBytes` comes first. */
  keepMs: number;
}

/** One file of lines. Its number is the instant at which it was begun, so that later ones have greater numbers. */
export interface Segment {
  readonly number: number;
  readonly file: string;
  /** What is whole of it: nobody reads beyond. */
  bytes: number;
  /** When it was last written to. Milliseconds since the epoch. */
  writtenAt: number;
}

const NAME = /^(\d{13,15})\.ndjson$/;
const LOOK_BACK_BYTES = 64 * 1024;
/** A segment is begun anew after this share of the time for which lines are kept: so much longer the oldest may be there. */
const AGE_SHARE = 1 / 8;

/**
 * The files of the log: appended to at the end, deleted at the beginning. Has one writer, who waits for each append before the next. Lines that a kill
 * has torn are cut off when the folder is opened; nothing is synced, so that a power cut may cost the last seconds.
 */
export class Segments {
  readonly #settings: SegmentSettings;
  readonly #clock: () => number;
  #list: Segment[] = [];
  #handle: FileHandle | null = null;

  constructor(settings: SegmentSettings, clock: () => number) {
    this.#settings = settings;
    this.#clock = clock;
  }

  /** From the oldest to the newest. */
  get list(): readonly Segment[] {
    return this.#list;
  }

  get totalBytes(): number {
    return this.#list.reduce((total, { bytes }) => total + bytes, 0);
  }

  /** Behind the last line. */
  get end(): LogPosition {
    const last = this.#list.at(-1);
    return last ? { segment: last.number, offset: last.bytes } : { segment: 0, offset: 0 };
  }

  /** Makes the folder, or takes over what is in it. */
  async open(): Promise<void> {
    const { folder } = this.#settings;
    // What functions print is nobody else's on this machine.
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const numbers = (await readdir(folder)).flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number);
    this.#list = await Promise.all(
      numbers
        .sort((a, b) => a - b)
        .map(async (number) => {
          const file = this.#fileOf(number);
          const { size, mtimeMs } = await stat(file);
          return { number, file, bytes: size, writtenAt: mtimeMs };
        }),
    );
    const last = this.#list.at(-1);
    if (!last) return;
    this.#handle = await open(last.file, 'r+');
    const whole = await endOfLastLine(this.#handle, last.bytes);
    if (whole < last.bytes) await this.#handle.truncate(whole);
    last.bytes = whole;
  }

  /** @param lines whole ones @returns where they begin @throws when the disk takes less than all of them; then it has none of them */
  async append(lines: Buffer): Promise<LogPosition> {
    const segment = await this.#segmentFor(lines.length);
    const handle = this.#handle as FileHandle;
    const { bytes: offset } = segment;
    try {
      for (let done = 0; done < lines.length; ) {
        const { bytesWritten } = await handle.write(lines, done, lines.length - done, offset + done);
        done += bytesWritten;
      }
    } catch (error) {
      await handle.truncate(offset).catch(() => undefined);
      throw error;
    }
    segment.bytes += lines.length;
    segment.writtenAt = this.#clock();
    return { segment: segment.number, offset };
  }

  /** Deletes what is too old or too much. */
  async prune(): Promise<void> {
    const { maxBytes, keepMs } = this.#settings;
    const oldest = this.#clock() - keepMs;
    for (let total = this.totalBytes; ; ) {
      const [first] = this.#list;
      if (!first || (total <= maxBytes && first.writtenAt >= oldest)) return;
      if (this.#list.length === 1) await this.#endSegment();
      await rm(first.file, { force: true });
      total -= first.bytes;
      this.#list.shift();
    }
  }

  async close(): Promise<void> {
    await this.#endSegment();
  }

  async #segmentFor(bytes: number): Promise<Segment> {
    const { segmentBytes, maxBytes, keepMs } = this.#settings;
    const last = this.#list.at(-1);
    const now = this.#clock();
    // So that a part of what is kept goes at a time, not all of it.
    const mostBytes = Math.min(segmentBytes, maxBytes / 4);
    const isFull = last !== undefined && last.bytes > 0 && (last.bytes + bytes > mostBytes || now - last.number > keepMs * AGE_SHARE);
    if (last && this.#handle && !isFull) return last;
    await this.#endSegment();
    await mkdir(this.#settings.folder, { recursive: true, mode: 0o700 });
    const number = Math.max(now, (last?.number ?? 0) + 1);
    const segment = { number, file: this.#fileOf(number), bytes: 0, writtenAt: now };
    this.#handle = await open(segment.file, 'wx', 0o600);
    this.#list.push(segment);
    await this.prune();
    return segment;
  }

  async #endSegment(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close();
  }

  #fileOf(number: number): string {
    return join(this.#settings.folder, `${number}.ndjson`);
  }
}

async function endOfLastLine(handle: FileHandle, bytes: number): Promise<number> {
  const block = Buffer.alloc(LOOK_BACK_BYTES);
  for (let end = bytes; end > 0; ) {
    const start = Math.max(0, end - LOOK_BACK_BYTES);
    await handle.read(block, 0, end - start, start);
    const newline = block.subarray(0, end - start).lastIndexOf(0x0a);
    if (newline >= 0) return start + newline + 1;
    end = start;
  }
  return 0;
}
