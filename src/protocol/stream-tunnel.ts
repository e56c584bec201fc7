import { Duplex } from 'node:stream';
import type { RuntimeChannel } from './runtime-channel.ts';

/** A connection made inside a sandbox, carried over its channel as stream frames, seen as an ordinary duplex stream. */
export class StreamTunnel extends Duplex {
  readonly #channel: RuntimeChannel;
  readonly #id: number;
  readonly #onGone: () => void;
  #closed = false;
  #paused = false;

  /** @param onGone called once, when either side has closed it */
  constructor(channel: RuntimeChannel, id: number, onGone: () => void) {
    super({ allowHalfOpen: false });
    this.#channel = channel;
    this.#id = id;
    this.#onGone = onGone;
    this.on('error', () => undefined);
  }

  /** Bytes from inside. Copies: what was read holds other frames too. */
  receive(chunk: Buffer): void {
    if (this.#closed || this.push(Buffer.from(chunk)) || this.#paused) return;
    this.#paused = true;
    this.#channel.pause();
  }

  /** The connection was closed inside. */
  receiveClose(): void {
    if (this.#closed) return;
    this.#gone();
    this.push(null);
  }

  override _read(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#channel.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    if (this.#closed || this.#channel.streamData(this.#id, chunk)) callback();
    else this.#channel.onceDrained(callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#close();
    callback();
    // What was written has been sent, and nothing will be read any more: without this a tunnel that our side ended would never close.
    this.destroy();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#close();
    callback(error);
  }

  #close(): void {
    if (this.#closed) return;
    this.#channel.streamClose(this.#id);
    this.#gone();
  }

  #gone(): void {
    this.#closed = true;
    if (this.#paused) {
      this.#paused = false;
      this.#channel.resume();
    }
    this.#onGone();
  }
}
