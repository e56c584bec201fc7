// What a streamed body or a WebSocket has of the channel: the frames of one invocation.

import { encode, encodeBody, FRAME } from './frames.mjs';
import { headFrame } from './invocation.mjs';

/** Bytes of a body that came, or of a WebSocket that were sent, and are not credited: at most so many. */
export const WINDOW = 262_144;
const DONE = Promise.resolve();

/** Bytes that leave as far as a window is open; the others wait. */
export class Outflow {
  #emit;
  #open = WINDOW;
  #waiting = [];
  /** What those wait for who wait until all has left: {promise, resolve}. */
  #drain = null;
  #isDropped = false;

  /** @param emit gets what leaves */
  constructor(emit) {
    this.#emit = emit;
  }

  /** False: it is better to wait for `drained`. */
  write(bytes) {
    if (this.#isDropped) return true;
    this.#waiting.push(bytes);
    this.#flush();
    return this.#waiting.length === 0;
  }

  /** Resolves once all that was written has left, or is not to any more. */
  drained() {
    if (this.#waiting.length === 0) return DONE;
    this.#drain ??= Promise.withResolvers();
    return this.#drain.promise;
  }

  /** So many bytes have been delivered. */
  credited(bytes) {
    this.#open += bytes;
    this.#flush();
  }

  /** Nobody wants it any more. */
  drop() {
    this.#isDropped = true;
    this.#waiting.length = 0;
    this.#flush();
  }

  #flush() {
    while (this.#waiting.length > 0 && this.#open > 0) {
      const [first] = this.#waiting;
      const piece = first.subarray(0, this.#open);
      if (piece.length < first.length) this.#waiting[0] = first.subarray(piece.length);
      else this.#waiting.shift();
      this.#open -= piece.length;
      this.#emit(piece);
    }
    if (this.#waiting.length > 0) return;
    this.#drain?.resolve();
    this.#drain = null;
  }
}

export class Link extends Outflow {
  #channel;
  #id;

  constructor(channel, id) {
    super((bytes) => {
      for (const frame of encodeBody(FRAME.replyBody, id, bytes)) channel.send(frame);
    });
    this.#channel = channel;
    this.#id = id;
  }

  /** The response begins; its body is what is written. */
  head(status, headers) {
    this.#channel.send(headFrame(this.#id, status, headers, true));
  }

  /** So many more bytes of the body may come. */
  credit(bytes) {
    const payload = Buffer.allocUnsafe(4);
    payload.writeUInt32BE(bytes);
    this.#channel.send(encode(FRAME.invokeCredit, this.#id, payload));
  }
}
