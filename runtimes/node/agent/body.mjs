// The body of a request as a stream: what came and isn't read yet is at most a window, which the function's reading opens again.

import { Readable } from 'node:stream';
import { ProtocolError } from './frames.mjs';
import { WINDOW } from './link.mjs';

/** Smaller pieces are put together as long as they wait: each by itself would hold more memory than its bytes. */
const SMALL_BYTES = 1024;
const GIVEN_UP = new Error('the function gave the body up');

export class IncomingBody {
  #credit;
  #pieces = [];
  /** Whoever waits for a piece. */
  #waiting = [];
  #open = WINDOW;
  #consumed = 0;
  #isEnded = false;
  #failure = null;

  /** @param credit told how many bytes were read; null: nobody waits for it */
  constructor(credit) {
    this.#credit = credit;
  }

  /** One that has come already. */
  static whole(pieces) {
    const body = new IncomingBody(null);
    for (const piece of pieces) body.#add(piece);
    body.end();
    return body;
  }

  /** @throws ProtocolError for more than the window */
  push(bytes) {
    if (this.#credit !== null) this.#open -= bytes.length;
    if (this.#open < 0) throw new ProtocolError('more of a body came than the window has room for');
    if (this.#isEnded) throw new ProtocolError('more of a body came after its end');
    if (this.#failure !== null || bytes.length === 0) return;
    // The reader's memory is its own, and the function may keep the body.
    this.#add(Buffer.from(bytes));
  }

  end() {
    this.#isEnded = true;
    if (this.#pieces.length === 0) for (const { resolve } of this.#waiting.splice(0)) resolve(null);
  }

  get isAborted() {
    return this.#failure !== null;
  }

  /** Whoever reads, now or later, is told why there is no more. */
  abort(reason) {
    if (this.#failure !== null || (this.#isEnded && this.#pieces.length === 0)) return;
    this.#failure = { reason };
    this.#pieces.length = 0;
    for (const { reject } of this.#waiting.splice(0)) reject(reason);
  }

  /** The next piece; null at the end. */
  next() {
    const piece = this.#pieces.shift();
    if (piece !== undefined) {
      this.#read(piece.length);
      return Promise.resolve(piece);
    }
    if (this.#failure !== null) return Promise.reject(this.#failure.reason);
    if (this.#isEnded) return Promise.resolve(null);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** As `message.stream`. */
  toReadable() {
    const readable = new Readable({
      read: () => {
        this.next().then(
          (piece) => readable.push(piece),
          (error) => readable.destroy(error),
        );
      },
      destroy: (error, done) => {
        this.abort(error ?? GIVEN_UP);
        done(error);
      },
    });
    // Who reads is told; that nobody does is no error of the instance.
    return readable.on('error', () => undefined);
  }

  /** As the body of a Request. */
  toWebStream() {
    return new ReadableStream(
      {
        pull: async (controller) => {
          const piece = await this.next();
          if (piece === null) controller.close();
          else controller.enqueue(new Uint8Array(piece.buffer, piece.byteOffset, piece.length));
        },
        cancel: () => this.abort(GIVEN_UP),
      },
      { highWaterMark: 0 },
    );
  }

  #add(piece) {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      this.#read(piece.length);
      waiting.resolve(piece);
      return;
    }
    const last = this.#pieces.at(-1);
    if (last !== undefined && last.length + piece.length <= SMALL_BYTES) this.#pieces[this.#pieces.length - 1] = Buffer.concat([last, piece]);
    else this.#pieces.push(piece);
  }

  #read(bytes) {
    if (this.#credit === null) return;
    this.#consumed += bytes;
    if (this.#consumed < WINDOW / 2 || this.#isEnded) return;
    this.#open += this.#consumed;
    this.#credit(this.#consumed);
    this.#consumed = 0;
  }
}
