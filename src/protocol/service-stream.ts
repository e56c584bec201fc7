import type { Socket } from 'node:net';
import { ProtocolError, STREAM_WINDOW_BYTES } from './frame.ts';
import type { RuntimeChannel } from './runtime-channel.ts';

/** Bytes that have been delivered are told in portions of this size. */
const CREDIT_BYTES = STREAM_WINDOW_BYTES / 2;
/** For the other end to take the rest after the inner end has gone. */
const LINGER_MS = 5000;

/** Follows what a connection carries, for the sake of what has to be said at its end. */
export interface StreamWatch {
  outgoing(chunk: Buffer): void;
  incoming(chunk: Buffer): void;
  /** What is to be said when the inner end sends no more, before the service's answer is waited for; null: the connection is to be ended at once. */
  farewell(): Buffer | null;
  /** The service has dealt with everything that it was sent. */
  readonly isAnswered: boolean;
}

/**
 * A connection made inside a sandbox to a service by its name, joined with one that the platform made to where that service is. Each direction has a window of
 * its own, so that neither end that doesn't read holds up anything else on the channel, and at most that much of it is kept here. Each may end before the other.
 */
export class ServiceStream {
  readonly #channel: RuntimeChannel;
  readonly #id: number;
  readonly #socket: Socket;
  readonly #watch: StreamWatch | null;
  readonly #onGone: () => void;
  /** To the service: received and not yet credited; of that, delivered. */
  #uncredited = 0;
  #delivered = 0;
  /** From the service: sent and not credited yet. */
  #onTheWay = 0;
  #held: Buffer | null = null;
  #serviceEnded = false;
  #endTold = false;
  #innerEnded = false;
  #closed = false;
  #lingering: NodeJS.Timeout | null = null;

  /** @param socket that is being connected @param onGone called once, when the connection to the service is closed for good */
  constructor(channel: RuntimeChannel, id: number, socket: Socket, watch: StreamWatch | null, onGone: () => void) {
    this.#channel = channel;
    this.#id = id;
    this.#socket = socket;
    this.#watch = watch;
    this.#onGone = onGone;
    socket.on('data', (chunk: Buffer) => {
      this.#watch?.incoming(chunk);
      this.#held = chunk;
      this.#pass();
      if (this.#innerEnded && this.#watch?.isAnswered) socket.end();
    });
    socket.on('end', () => {
      this.#serviceEnded = true;
      if (this.#innerEnded) socket.end();
      this.#pass();
    });
    // What it means is told by its close.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#gone());
  }

  /** Whether the inner end sends no more, or as much of it waits as may: its end may be behind that. */
  get ending(): boolean {
    return this.#innerEnded || this.#closed || this.#uncredited >= STREAM_WINDOW_BYTES;
  }

  /** Bytes from inside. @throws ProtocolError when they are more than the window allows */
  receive(chunk: Buffer): void {
    if (this.#closed || this.#innerEnded) return;
    this.#uncredited += chunk.length;
    if (this.#uncredited > STREAM_WINDOW_BYTES)
      throw new ProtocolError(`more than ${STREAM_WINDOW_BYTES} bytes of stream ${this.#id} without credit`);
    this.#watch?.outgoing(chunk);
    // Copies: what was read holds other frames too.
    this.#socket.write(Buffer.from(chunk), (error) => {
      if (!error) this.#credit(chunk.length);
    });
  }

  /** @throws ProtocolError when it is for bytes that were never sent */
  receiveCredit(bytes: number): void {
    this.#onTheWay -= bytes;
    if (this.#onTheWay < 0) throw new ProtocolError(`credit on stream ${this.#id} for bytes that were not sent`);
    this.#pass();
  }

  /** The inner end sends no more. */
  receiveEnd(): void {
    this.#finish();
  }

  /** The inner end is closed, or its sandbox is gone: what it sent before is still delivered. */
  receiveClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#held = null;
    this.#finish();
    if (this.#socket.destroyed) return;
    // Whoever watches waits for the other end to confirm; what comes until then is read and dropped, or its end would never be seen.
    if (this.#watch) this.#socket.resume();
    else this.#socket.destroySoon();
    this.#linger();
  }

  #linger(): void {
    this.#lingering ??= setTimeout(() => this.#socket.destroy(), LINGER_MS);
  }

  /** At once, whatever is on the way. */
  destroy(): void {
    this.#socket.destroy();
  }

  #finish(): void {
    if (this.#innerEnded) return;
    this.#innerEnded = true;
    const farewell = this.#watch?.farewell() ?? null;
    if (farewell === null || this.#serviceEnded) this.#socket.end();
    else {
      if (farewell.length > 0) this.#socket.write(farewell);
      this.#linger();
    }
  }

  #credit(bytes: number): void {
    this.#delivered += bytes;
    if (this.#delivered < CREDIT_BYTES || this.#closed) return;
    this.#uncredited -= this.#delivered;
    this.#channel.streamCredit(this.#id, this.#delivered);
    this.#delivered = 0;
  }

  /** As much as the window allows of what the service has sent. */
  #pass(): void {
    if (this.#closed) {
      this.#held = null;
      return;
    }
    const room = STREAM_WINDOW_BYTES - this.#onTheWay;
    if (this.#held && room > 0) {
      const piece = this.#held.subarray(0, room);
      this.#held = piece.length < this.#held.length ? this.#held.subarray(room) : null;
      this.#onTheWay += piece.length;
      this.#channel.streamData(this.#id, piece);
    }
    if (this.#held || this.#onTheWay >= STREAM_WINDOW_BYTES) this.#socket.pause();
    else this.#socket.resume();
    if (this.#serviceEnded && !this.#held && !this.#endTold) {
      this.#endTold = true;
      this.#channel.streamEnd(this.#id);
    }
  }

  #gone(): void {
    if (this.#lingering) clearTimeout(this.#lingering);
    if (!this.#closed) {
      this.#closed = true;
      // Both have ended when it went in peace: then nothing more is to be told.
      if (!(this.#endTold && this.#innerEnded)) this.#channel.streamClose(this.#id);
    }
    this.#onGone();
  }
}
