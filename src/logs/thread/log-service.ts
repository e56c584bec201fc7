import type { StoredLogLine } from '../../schemas/log-line.ts';
import { isBefore } from '../log-position.ts';
import { readRecords } from '../output-records.ts';
import { LineAllowance } from './line-allowance.ts';
import { LineMaker } from './line-maker.ts';
import { LineMatcher } from './line-matcher.ts';
import type { FollowRequest, LogThreadData } from './messages.ts';
import { type LinesAfter, readOn } from './read-on.ts';
import { type LogPage, type LogQuery, searchLines } from './search-lines.ts';
import { Segments } from './segments.ts';

export interface WriteResult {
  lines: number;
  /** Lines that the disk didn't take, or that were too many of one function's. */
  dropped: number;
  totalBytes: number;
  error: string | null;
}

/** After the folder could not be opened it is tried again, this much later at the earliest. */
const REOPEN_MS = 5000;
/** Written at once. */
const BATCH_CHARS = 256 * 1024;

/** What the log's thread does: writes what comes, one batch after another, and reads beside that. */
export class LogService {
  readonly #settings: LogThreadData;
  readonly #clock: () => number;
  readonly #segments: Segments;
  readonly #lines: LineMaker;
  readonly #allowance: LineAllowance;
  #made: string[] = [];
  /** Of those who printed too much, since the last write. */
  #leftOut = 0;
  #opened = false;
  #openAt = 0;
  /** One change of the folder after another. */
  #changes: Promise<unknown> = Promise.resolve();
  /** One search after another: each reads tens of megabytes. */
  #searches: Promise<unknown> = Promise.resolve();
  #waiting = new Set<() => void>();

  constructor(settings: LogThreadData, clock: () => number) {
    this.#settings = settings;
    this.#clock = clock;
    this.#segments = new Segments(settings, clock);
    this.#lines = new LineMaker(settings.maxLineChars, (line) => this.#take(line));
    this.#allowance = new LineAllowance(settings.maxBytesPerS, settings.maxBytes);
  }

  /** Never rejects. */
  write(records: Buffer, length: number): Promise<WriteResult> {
    return this.#change(async () => {
      for (const record of readRecords(records, length)) this.#lines.take(record);
      return this.#writeMade();
    });
  }

  search(query: LogQuery): Promise<LogPage> {
    const found = this.#searches.then(async () => {
      await this.#change(() => this.#open());
      return searchLines(this.#segments.list, query);
    });
    this.#searches = found.catch(() => undefined);
    return found;
  }

  /** Resolves once there is something, or with nothing after so many milliseconds, or when the signal says that nobody waits any more. */
  async follow(request: FollowRequest, waitMs: number, signal: AbortSignal): Promise<LinesAfter> {
    await this.#change(() => this.#open());
    const { from, seen, ...filter } = request;
    const matcher = new LineMatcher(filter);
    let position = from === 'end' || isBefore(this.#segments.end, from) ? this.#segments.end : from;
    const until = performance.now() + waitMs;
    for (;;) {
      const isBehind = isBefore(position, this.#segments.end);
      if (isBehind) {
        const found = await readOn(this.#segments.list, matcher, position, this.#settings.maxBehindBytes);
        found.lines = found.lines.filter(({ id }) => id !== seen);
        if (found.lines.length > 0 || found.leftOutBytes > 0) return found;
        position = found.position;
      }
      const left = until - performance.now();
      if (signal.aborted || left <= 0) return { lines: [], position, leftOutBytes: 0 };
      if (!isBehind) await this.#somethingNew(left, signal);
    }
  }

  prune(): Promise<void> {
    return this.#change(async () => {
      await this.#open();
      await this.#segments.prune();
    });
  }

  async close(): Promise<void> {
    await this.#change(async () => {
      this.#lines.end(this.#clock());
      await this.#writeMade();
      await this.#segments.close();
    });
  }

  #take(line: StoredLogLine): void {
    const text = `${JSON.stringify(line)}\n`;
    const leftOut = this.#allowance.take(line.function_name, text.length, this.#clock());
    if (leftOut < 0) {
      this.#leftOut++;
      return;
    }
    if (leftOut > 0) this.#made.push(`${JSON.stringify(noticeOf(line, leftOut))}\n`);
    this.#made.push(text);
  }

  /** Lines are many times as long as what was printed: they are written, and forgotten, before the next records are looked at. */
  async #writeMade(): Promise<WriteResult> {
    const made = this.#made;
    this.#made = [];
    const outcome: WriteResult = { lines: 0, dropped: this.#leftOut, totalBytes: 0, error: null };
    this.#leftOut = 0;
    try {
      if (made.length > 0) await this.#open();
      for (const { text, lines } of batchesOf(made)) {
        await this.#segments.append(Buffer.from(text));
        outcome.lines += lines;
      }
    } catch (error) {
      outcome.dropped += made.length - outcome.lines;
      outcome.error = (error as Error).message;
    }
    if (outcome.lines > 0) for (const wake of this.#waiting) wake();
    return { ...outcome, totalBytes: this.#segments.totalBytes };
  }

  #change<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#changes.then(act);
    this.#changes = done.catch(() => undefined);
    return done;
  }

  async #open(): Promise<void> {
    if (this.#opened) return;
    if (this.#clock() < this.#openAt) throw new Error('the folder of the log could not be opened; it is tried again soon');
    this.#openAt = this.#clock() + REOPEN_MS;
    await this.#segments.open();
    this.#opened = true;
  }

  #somethingNew(waitMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, waitMs);
      this.#waiting.add(done);
      signal.addEventListener('abort', done);
    });
  }
}

function* batchesOf(lines: readonly string[]): Generator<{ text: string; lines: number }> {
  let [text, count] = ['', 0];
  for (const line of lines) {
    text += line;
    count++;
    if (text.length < BATCH_CHARS) continue;
    yield { text, lines: count };
    [text, count] = ['', 0];
  }
  if (count > 0) yield { text, lines: count };
}

function noticeOf({ time, function_name, version, instance_id }: StoredLogLine, leftOut: number): StoredLogLine {
  const message = `${leftOut} lines before this were left out: the function printed more than logs.max_bytes_per_s lets it.`;
  return { time, function_name, version, instance_id, correlation_id: null, stream: 'log', level: 'warn', message, fields: { left_out: leftOut } };
}
