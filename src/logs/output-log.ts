import { readdir } from 'node:fs/promises';
import { HearthError } from '../errors.ts';
import type { LogLevel } from '../schemas/log-line.ts';
import { LogThread } from './log-thread.ts';
import { putRecord, RecordKind, recordBytes, type SourceDescription } from './output-records.ts';
import type { FollowRequest, FromLogThread, LogThreadData } from './thread/messages.ts';
import type { LinesAfter } from './thread/read-on.ts';
import type { LogPage, LogQuery } from './thread/search-lines.ts';

/** What an instance's output is told to. All of it returns at once, whatever the disk does. */
export interface OutputSource {
  /** From now on these values are masked. */
  setSecrets(values: readonly string[]): void;
  /** Bytes that were printed; copied. @param correlationId of the call that did; empty: none did */
  write(stream: 'stdout' | 'stderr', correlationId: string, chunk: Buffer): void;
  /** What the platform has to say of a call or of the instance. */
  say(level: LogLevel, correlationId: string, message: string, fields: Record<string, unknown>): void;
  /** Nothing more comes of that call. */
  endCall(correlationId: string): void;
  end(): void;
}

/** Who keeps what functions print. */
export interface OutputLog {
  source(description: Omit<SourceDescription, 'secrets'>): OutputSource;
  /** @throws HearthError store_unavailable */
  search(query: LogQuery): Promise<LogPage>;
  /** Waits, for `waitMs` at most, until there is something that comes after a position. @throws HearthError store_unavailable */
  follow(request: FollowRequest, waitMs: number, signal: AbortSignal): Promise<LinesAfter>;
  /** Deletes what is too old. */
  prune(): Promise<void>;
  /** Writes what it has. Never rejects. */
  close(): Promise<void>;
  readonly counts: OutputCounts;
}

export interface OutputCounts {
  /** Lines that were written. */
  readonly lines: number;
  /** Lines that were given up, for a disk that was full or slow; where they were not counted, pieces of output. */
  readonly dropped: number;
  /** Of the files. */
  readonly bytes: number;
}

export interface OutputLogOptions {
  settings: LogThreadData;
  log: { warn(fields: object, message: string): void; info(fields: object, message: string): void; error(fields: object, message: string): void };
}

const BUFFER_BYTES = 64 * 1024;
/** A longer piece of output makes several records, four of which fit a buffer. */
const MAX_PAYLOAD_BYTES = 15 * 1024;
/** What the thread has and hasn't written: beyond that output is dropped. */
const MAX_UNWRITTEN_BYTES = 8 * 1024 * 1024;
/** Buffers that are kept for the next output. */
const SPARE_BUFFERS = 4;
const GATHER_MS = 50;
/** For a thread to write what it has. */
const CLOSE_MS = 10_000;
/** A thread that died is started again after this. */
const RESTART_MS = 5000;

/**
 * Gathers output in buffers and hands them to a thread, which is started when there is the first: `asleep → running`, and `→ down → running` when it dies.
 */
export class ThreadedOutputLog implements OutputLog {
  readonly #options: OutputLogOptions;
  #thread: LogThread | null = null;
  /** Counts up with each thread: a new one knows no sources. */
  #era = 0;
  #downUntil = 0;
  #buffer: Buffer | null = null;
  #used = 0;
  #spare: ArrayBuffer[] = [];
  #unwritten = 0;
  #timer: NodeJS.Timeout | null = null;
  #lastSource = 0;
  #closed = false;
  #troubled = false;
  #lines = 0;
  #dropped = 0;
  #bytes = 0;

  constructor(options: OutputLogOptions) {
    this.#options = options;
  }

  get counts(): OutputCounts {
    return { lines: this.#lines, dropped: this.#dropped, bytes: this.#bytes };
  }

  /** Changes when sources have to say anew who they are. */
  get era(): number {
    return this.#era;
  }

  source(description: Omit<SourceDescription, 'secrets'>): OutputSource {
    return new Source(this, ++this.#lastSource, description);
  }

  /** Room for one record is there, or made; else false, and the output is dropped. */
  put(kind: RecordKind, source: number, correlationId: string, payload: Uint8Array | null): boolean {
    const bytes = recordBytes(correlationId, payload?.length ?? 0);
    if (this.#buffer && this.#used + bytes > this.#buffer.length) this.#handOver();
    if (!this.#buffer && !this.#takeBuffer(bytes)) return false;
    this.#used = putRecord(this.#buffer as unknown as Buffer, this.#used, kind, source, Date.now(), correlationId, payload);
    this.#timer ??= setTimeout(() => this.#handOver(), GATHER_MS);
    return true;
  }

  drop(lines: number): void {
    this.#dropped += lines;
  }

  async search(query: LogQuery): Promise<LogPage> {
    return this.#running().ask('search', query);
  }

  async follow(request: FollowRequest, waitMs: number, signal: AbortSignal): Promise<LinesAfter> {
    return this.#running().ask('follow', { ...request, waitMs }, signal);
  }

  async prune(): Promise<void> {
    if (!this.#thread && (await isEmpty(this.#options.settings.folder))) return;
    await this.#running().ask('prune', null);
  }

  async close(): Promise<void> {
    this.#handOver();
    this.#closed = true;
    await this.#thread?.close(CLOSE_MS);
  }

  #takeBuffer(bytes: number): boolean {
    if (this.#closed || this.#unwritten >= MAX_UNWRITTEN_BYTES || Date.now() < this.#downUntil) return false;
    const size = Math.max(BUFFER_BYTES, bytes);
    const spare = size === BUFFER_BYTES ? this.#spare.pop() : undefined;
    this.#buffer = Buffer.from(spare ?? new ArrayBuffer(size));
    this.#used = 0;
    return true;
  }

  #handOver(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    const buffer = this.#buffer;
    this.#buffer = null;
    if (!buffer || this.#closed) return;
    this.#unwritten += buffer.length;
    this.#running().write(buffer.buffer as ArrayBuffer, this.#used);
  }

  #running(): LogThread {
    if (this.#closed) throw new HearthError('store_unavailable', 'The log is closed; the platform is shutting down.');
    this.#thread ??= new LogThread(this.#options.settings, {
      onWritten: (outcome) => this.#onWritten(outcome),
      onDied: (error) => this.#onDied(error),
    });
    return this.#thread;
  }

  #onWritten({ buffer, lines, dropped, totalBytes, error }: Extract<FromLogThread, { kind: 'written' }>): void {
    this.#unwritten -= buffer.byteLength;
    if (buffer.byteLength === BUFFER_BYTES && this.#spare.length < SPARE_BUFFERS) this.#spare.push(buffer);
    this.#lines += lines;
    this.#dropped += dropped;
    this.#bytes = totalBytes;
    const { log, settings } = this.#options;
    if (error !== null && !this.#troubled)
      log.warn({ reason: error, folder: settings.folder }, 'what functions print can not be written; it is dropped and counted');
    else if (this.#troubled && lines > 0) log.info({ dropped: this.#dropped }, 'what functions print is written again');
    if (error !== null || lines > 0) this.#troubled = error !== null;
  }

  #onDied(error: unknown): void {
    this.#thread = null;
    this.#era++;
    this.#unwritten = 0;
    this.#buffer = null;
    this.#downUntil = Date.now() + RESTART_MS;
    this.#options.log.error({ err: error }, 'the thread that keeps what functions print has died; it is started again');
  }
}

class Source implements OutputSource {
  readonly #log: ThreadedOutputLog;
  readonly #number: number;
  readonly #description: Omit<SourceDescription, 'secrets'>;
  #secrets: readonly string[] = [];
  /** Of the thread that knows who this is, with these secrets. */
  #knownIn = -1;

  constructor(log: ThreadedOutputLog, number: number, description: Omit<SourceDescription, 'secrets'>) {
    this.#log = log;
    this.#number = number;
    this.#description = description;
  }

  setSecrets(values: readonly string[]): void {
    if (values.length === 0) return;
    this.#secrets = values;
    this.#knownIn = -1;
  }

  write(stream: 'stdout' | 'stderr', correlationId: string, chunk: Buffer): void {
    const kind = stream === 'stdout' ? RecordKind.Stdout : RecordKind.Stderr;
    for (let start = 0; start < chunk.length; start += MAX_PAYLOAD_BYTES) {
      const piece = chunk.length <= MAX_PAYLOAD_BYTES ? chunk : chunk.subarray(start, start + MAX_PAYLOAD_BYTES);
      if (!this.#isKnown() || !this.#log.put(kind, this.#number, correlationId, piece)) this.#log.drop(linesOf(piece));
    }
  }

  say(level: LogLevel, correlationId: string, message: string, fields: Record<string, unknown>): void {
    if (!this.#isKnown() || !this.#log.put(RecordKind.Said, this.#number, correlationId, Buffer.from(JSON.stringify({ level, message, fields }))))
      this.#log.drop(1);
  }

  endCall(correlationId: string): void {
    if (this.#knownIn === this.#log.era) this.#log.put(RecordKind.CallEnd, this.#number, correlationId, null);
  }

  end(): void {
    // When that finds no room, what the thread holds of it stays with the thread: a description, and a line that had no end.
    if (this.#knownIn === this.#log.era) this.#log.put(RecordKind.SourceEnd, this.#number, '', null);
  }

  /** Its output must never come before its secrets. */
  #isKnown(): boolean {
    if (this.#knownIn === this.#log.era) return true;
    const description: SourceDescription = { ...this.#description, secrets: this.#secrets };
    const { era } = this.#log;
    const isPut = this.#log.put(RecordKind.Source, this.#number, '', Buffer.from(JSON.stringify(description)));
    if (isPut) this.#knownIn = era;
    return isPut;
  }
}

async function isEmpty(folder: string): Promise<boolean> {
  return (await readdir(folder).catch(() => [])).length === 0;
}

function linesOf(chunk: Buffer): number {
  let count = 0;
  for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, at + 1)) count++;
  return Math.max(1, count);
}
