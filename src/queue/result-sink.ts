import type { HearthError } from '../errors.ts';
import type { Invocation, ReplySink } from '../scheduler/invocation.ts';
import type { InvocationRecord } from '../schemas/records.ts';
import type { StoredReply } from './durable-queue.ts';

/** Gathers what a function answers, streamed or whole, up to a bound, and tells once it is over. */
export class ResultSink implements ReplySink {
  readonly #maxBytes: number;
  readonly #onOver: (record: InvocationRecord, reply: StoredReply | null, clock: unknown) => void;
  #head: { status: number; headers: readonly string[] } | null = null;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #clock: unknown = null;

  /**
   * @param maxBytes a longer body is not kept
   * @param onOver `clock`: which one ran out, of the scheduler's, when a deadline passed
   */
  constructor(maxBytes: number, onOver: (record: InvocationRecord, reply: StoredReply | null, clock: unknown) => void) {
    this.#maxBytes = maxBytes;
    this.#onOver = onOver;
  }

  reply(invocation: Invocation, status: number, headers: readonly string[], body: Buffer): void {
    this.start(invocation, status, headers);
    this.write(body);
  }

  start(_invocation: Invocation, status: number, headers: readonly string[]): void {
    this.#head = { status, headers };
  }

  write(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#maxBytes) this.#chunks = [];
    // The chunk is a view of memory that is used again.
    else this.#chunks.push(Buffer.from(chunk));
    return true;
  }

  onceDrained(callback: () => void): void {
    callback();
  }

  end(): void {}

  /** A stream that broke off is no answer. */
  fail(_invocation: Invocation, error: HearthError): void {
    this.#clock = error.extra.clock ?? null;
    this.#head = null;
    this.#chunks = [];
  }

  over(record: InvocationRecord): void {
    const head = this.#head;
    const body = this.#bytes > this.#maxBytes ? null : new Uint8Array(Buffer.concat(this.#chunks, this.#bytes));
    this.#onOver(record, head && { ...head, body, bytes: this.#bytes }, this.#clock);
  }
}
