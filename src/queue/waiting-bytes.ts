import { HearthError } from '../errors.ts';
import type { NewInvocation } from './durable-queue.ts';

/** Bodies that wait to be written, at most. Bytes. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** What an invocation takes besides its body, roughly. */
const OVERHEAD_BYTES = 1024;

/** Bounds the memory of what is accepted faster than it is written. */
export class WaitingBytes {
  #waiting = 0;
  readonly #writer: string;
  readonly #reason: string;

  /** @param reason stable, for programs */
  constructor(writer: string, reason: string) {
    this.#writer = writer;
    this.#reason = reason;
  }

  /** Counts what waits to be written. @throws HearthError queue_full */
  async bounded<T>(bytes: number, write: () => Promise<T>): Promise<T> {
    if (this.#waiting > 0 && this.#waiting + bytes > MAX_WAITING_BYTES) {
      throw new HearthError('queue_full', `More asynchronous invocations come than ${this.#writer} can write down. Try again in a second.`, {
        retryAfter: 1,
        extra: { reason: this.#reason },
      });
    }
    this.#waiting += bytes;
    try {
      return await write();
    } finally {
      this.#waiting -= bytes;
    }
  }
}

export function bytesOf({ payload }: NewInvocation): number {
  return OVERHEAD_BYTES + (payload.body?.length ?? 0);
}
