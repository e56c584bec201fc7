import type { HearthError } from '../../errors.ts';
import type { Invocation, ReplySink } from '../../scheduler/invocation.ts';
import type { InvocationRecord } from '../../schemas/records.ts';
import { encodeFrame, type Run, type RunnerFrame, STREAM_WINDOW_BYTES } from './frame.ts';

/** Of an answer that comes whole, in one message. Bytes. */
const PIECE_BYTES = 1024 * 1024;

export interface TakenCallParts {
  /** Queue of the node that asked. */
  askerQueue: string;
  send(type: RunnerFrame, content: Buffer): void;
  /** It was run here: that is to be written down. */
  record(record: InvocationRecord): void;
  onOver(outcome: 'answered' | 'failed' | 'refused'): void;
}

/** A call that another node has handed over and that this one runs: its answer goes there as it comes, a window ahead of what is read there. */
export class TakenCall implements ReplySink {
  readonly askerQueue: string;
  readonly #parts: TakenCallParts;
  readonly #takenTick = performance.now();
  /** Bytes of the stream that were sent and are not known to be read. */
  #unread = 0;
  #onDrained: (() => void) | null = null;
  #dispatched = false;
  #refused = false;
  #failed = false;
  #ended = false;

  constructor(parts: TakenCallParts) {
    this.#parts = parts;
    this.askerQueue = parts.askerQueue;
  }

  /** So much of the stream has been read. Bytes. */
  credit(bytes: number): void {
    this.#unread -= bytes;
    if (this.#unread < STREAM_WINDOW_BYTES) this.#drained();
  }

  /** Nobody reads it any more; what waits for that needn't. */
  leave(): void {
    this.#ended = true;
    this.#drained();
  }

  dispatched(): void {
    this.#dispatched = true;
  }

  reply(invocation: Invocation, status: number, headers: readonly string[], body: Buffer): void {
    const head = { run: this.#run(invocation), status, headers, length: body.length };
    this.#send('reply', encodeFrame(head, body.subarray(0, PIECE_BYTES)));
    for (let at = PIECE_BYTES; at < body.length; at += PIECE_BYTES) this.#send('chunk', encodeFrame(null, body.subarray(at, at + PIECE_BYTES)));
  }

  start(invocation: Invocation, status: number, headers: readonly string[]): void {
    this.#send('start', encodeFrame({ run: this.#run(invocation), status, headers }));
  }

  write(chunk: Buffer): boolean {
    if (this.#ended) return true;
    this.#unread += chunk.length;
    this.#send('chunk', encodeFrame(null, chunk));
    return this.#unread < STREAM_WINDOW_BYTES;
  }

  onceDrained(callback: () => void): void {
    if (this.#ended || this.#unread < STREAM_WINDOW_BYTES) callback();
    else this.#onDrained = callback;
  }

  end(): void {
    this.#send('end', encodeFrame(null));
  }

  fail(invocation: Invocation, error: HearthError): void {
    if (!this.#dispatched && isRefusal(error)) {
      this.#refused = true;
      this.#send('refused', encodeFrame({ reason: error.code }));
      return;
    }
    this.#failed = true;
    const { code, message, extra, retryAfter } = error;
    this.#send('fail', encodeFrame({ run: this.#run(invocation), code, message, extra, ...(retryAfter === undefined ? {} : { retryAfter }) }));
  }

  over(record: InvocationRecord): void {
    this.leave();
    // It is run where it came from, under the same id.
    if (!this.#refused) this.#parts.record(record);
    this.#parts.onOver(this.#refused ? 'refused' : this.#failed ? 'failed' : 'answered');
  }

  #send(type: RunnerFrame, content: Buffer): void {
    if (!this.#ended) this.#parts.send(type, content);
  }

  #drained(): void {
    const callback = this.#onDrained;
    this.#onDrained = null;
    callback?.();
  }

  #run(invocation: Invocation): Run {
    const { start, init, run } = invocation.timings();
    return {
      instanceId: invocation.instanceId,
      start: invocation.start,
      bootMs: start,
      initMs: init,
      runMs: run,
      heldMs: performance.now() - this.#takenTick,
    };
  }
}

/** No instance has seen it, and the node that asked may have better luck: what is wrong is this machine, not the function or its caller. */
function isRefusal({ code, fault }: HearthError): boolean {
  return code === 'queue_full' || fault === 'operator' || fault === 'platform';
}
