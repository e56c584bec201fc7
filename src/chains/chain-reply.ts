import { HearthError } from '../errors.ts';
import type { ChainSink } from '../scheduler/chains.ts';
import type { Invocation, ReplySink } from '../scheduler/invocation.ts';

/** What is set aside for streamed answers that are gathered, of all functions together. */
export class ReplyMemory {
  #left: number;

  /** @param bytes at least one answer's */
  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** @returns false, and nothing is taken, when so much isn't left */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#left += bytes;
  }
}

/** Gathers what a function answers to another one, streamed or whole, up to a bound. */
export class ChainReply implements ReplySink {
  readonly #maxBytes: number;
  readonly #memory: ReplyMemory;
  readonly #sink: ChainSink;
  readonly #cancel: () => void;
  /** Of a streamed answer that is being gathered. */
  #head: { id: string; status: number; headers: readonly string[] } | null = null;
  #chunks: Buffer[] = [];
  #bytes = 0;

  /** @param cancel ends the invocation when its answer is too large */
  constructor(maxBytes: number, memory: ReplyMemory, sink: ChainSink, cancel: () => void) {
    this.#maxBytes = maxBytes;
    this.#memory = memory;
    this.#sink = sink;
    this.#cancel = cancel;
  }

  reply(invocation: Invocation, status: number, headers: readonly string[], body: Buffer): void {
    this.#sink.answer({ id: invocation.input.id, status, headers, body: Buffer.from(body) });
  }

  start(invocation: Invocation, status: number, headers: readonly string[]): void {
    this.#head = { id: invocation.input.id, status, headers };
  }

  write(chunk: Buffer): boolean {
    if (!this.#head) return true;
    if (this.#bytes + chunk.length > this.#maxBytes) {
      this.#refuse(new HearthError('reply_too_large', `The answer is larger than ${this.#maxBytes} bytes, which is the bound.`));
    } else if (!this.#memory.take(chunk.length)) {
      const extra = { reason: 'too_many_calls' };
      this.#refuse(
        new HearthError('queue_full', 'Streamed answers of functions to functions take all the memory that is set aside for them.', { extra }),
      );
    } else {
      this.#bytes += chunk.length;
      // The chunk is a view of memory that is used again.
      this.#chunks.push(Buffer.from(chunk));
    }
    return true;
  }

  onceDrained(callback: () => void): void {
    callback();
  }

  end(): void {
    const head = this.#head;
    const body = Buffer.concat(this.#chunks, this.#bytes);
    this.#release();
    if (head) this.#sink.answer({ ...head, body });
  }

  fail(_invocation: Invocation, error: HearthError): void {
    this.#release();
    this.#sink.fail(error);
  }

  #refuse(error: HearthError): void {
    this.#release();
    this.#sink.fail(error);
    // Not from within what the invocation itself is doing.
    setImmediate(this.#cancel);
  }

  #release(): void {
    this.#memory.giveBack(this.#bytes);
    this.#head = null;
    this.#chunks = [];
    this.#bytes = 0;
  }
}
