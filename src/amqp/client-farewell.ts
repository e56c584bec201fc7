import { MethodWatch } from './method-watch.ts';

const PROTOCOL_HEADER_BYTES = 8;
/** Class and method ids (AMQP 0-9-1 §1.4). */
const CONNECTION_OPEN = 0x000a_0028;
const CONNECTION_CLOSE = 0x000a_0032;
const CONNECTION_CLOSE_OK = 0x000a_0033;

/** connection.close 200 with empty text on channel 0. */
const CLOSE_FRAME = Buffer.from([1, 0, 0, 0, 0, 0, 11, 0, 10, 0, 50, 0, 200, 0, 0, 0, 0, 0, 0xce]);
const NOTHING = Buffer.alloc(0);

/**
 * Follows a connection between an AMQP client and a broker, only so far as to say goodbye for a client that leaves without it. A broker that sees a connection break
 * off may throw away what it has read and not yet dealt with, a publish that an exiting script sent last for example; one that is told `connection.close` deals with
 * it first, and says so by `close-ok`.
 */
export class ClientFarewell {
  #opened = false;
  #closing = false;
  #agreed = false;
  readonly #toBroker = new MethodWatch(PROTOCOL_HEADER_BYTES, (method) => {
    if (method === CONNECTION_OPEN) this.#opened = true;
    if (method === CONNECTION_CLOSE) this.#closing = true;
    // The broker has closed it, and is told that this is understood.
    if (method === CONNECTION_CLOSE_OK) this.#agreed = true;
  });
  readonly #fromBroker = new MethodWatch(0, (method) => {
    if (method === CONNECTION_CLOSE_OK) this.#agreed = true;
  });

  outgoing(chunk: Buffer): void {
    this.#toBroker.see(chunk);
  }

  incoming(chunk: Buffer): void {
    this.#fromBroker.see(chunk);
  }

  get isAnswered(): boolean {
    return this.#agreed;
  }

  /** @returns what is to be sent before the broker's answer is waited for; null: nothing can be said, or all has been, and the connection is to be ended */
  farewell(): Buffer | null {
    if (this.#agreed) return null;
    if (this.#closing) return NOTHING;
    return this.#opened && this.#toBroker.isBetweenFrames ? CLOSE_FRAME : null;
  }
}
