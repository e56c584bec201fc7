import { HearthError } from '../errors.ts';
import type { ChainSink } from '../scheduler/chains.ts';
import type { Invocation, ReplySink } from '../scheduler/invocation.ts';

/** Gathers what a function answers to another one, streamed or whole, up to a bound. */
export class ChainReply implements ReplySink {
  readonly #maxBytes: number;
  readonly #sink: ChainSink;
  readonly #cancel: () => void;
  #head: { status: number; headers: readonly string[] } | null = null;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #id = '';

  /** @param cancel ends the invocation when its answer is too large */
  constructor(maxBytes: number, sink: ChainSink, cancel: () => void) {
    this.#maxBytes = maxBytes;
    this.#sink = sink;
    this.#cancel = cancel;
  }

  reply(invocation: Invocation, status: number, headers: readonly string[], body: Buffer): void {
    this.#sink.answer({ id: invocation.input.id, status, headers, body: Buffer.from(body) });
  }

  start(invocation: Invocation, status: number, headers: readonly string[]): void {
    this.#head = { status, headers };
    this.#id = invocation.input.id;
  }

  write(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    if (this.#bytes <= this.#maxBytes) {
      // The chunk is a view of memory that is used again.
      this.#chunks.push(Buffer.from(chunk));
    } else if (this.#head) {
      this.#head = null;
      this.#chunks = [];
      this.#sink.fail(new HearthError('reply_too_large', `The answer is larger than ${this.#maxBytes} bytes, which is the bound.`));
      setImmediate(this.#cancel);
    }
    return true;
  }

  onceDrained(callback: () => void): void {
    callback();
  }

  end(): void {
    if (this.#head) this.#sink.answer({ id: this.#id, ...this.#head, body: Buffer.concat(this.#chunks, this.#bytes) });
  }

  fail(_invocation: Invocation, error: HearthError): void {
    this.#sink.fail(error);
  }
}
