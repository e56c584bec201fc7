import { ProtocolError, STREAM_WINDOW_BYTES } from '../protocol/frame.ts';
import type { RuntimeChannel } from '../protocol/runtime-channel.ts';

/** A request's body that is read while its function runs, or what the caller of a WebSocket sends. Nothing of it is given out before `open`. */
export interface BodySource {
  /** Called at most once. */
  open(reader: BodyReader): void;
  /** Takes effect at once, but for the piece that is being given out. */
  pause(): void;
  resume(): void;
  /** Nobody reads the rest. May be called more than once, and before `open`. */
  close(): void;
}

export interface BodyReader {
  /** The chunk is the reader's to keep. */
  data(chunk: Buffer): void;
  /** All of it has come. */
  end(): void;
}

/** Carries one body to a runtime, with never more on the way than its window allows: the source is paused meanwhile. */
export class BodyFeed implements BodyReader {
  readonly #channel: Pick<RuntimeChannel, 'invokeBody' | 'invokeEnd'>;
  readonly #frameId: number;
  readonly #source: BodySource;
  readonly #onMoved: () => void;
  /** Sent and not credited yet. Bytes. */
  #onTheWay = 0;
  #held: Buffer | null = null;
  #paused = false;
  #sourceEnded = false;
  #over = false;

  /** @param onMoved a piece has come */
  constructor(channel: Pick<RuntimeChannel, 'invokeBody' | 'invokeEnd'>, frameId: number, source: BodySource, onMoved: () => void) {
    this.#channel = channel;
    this.#frameId = frameId;
    this.#source = source;
    this.#onMoved = onMoved;
  }

  open(): void {
    if (!this.#over) this.#source.open(this);
  }

  data(chunk: Buffer): void {
    if (this.#over) return;
    this.#onMoved();
    this.#held = this.#held ? Buffer.concat([this.#held, chunk]) : chunk;
    this.#pass();
  }

  end(): void {
    this.#sourceEnded = true;
    this.#pass();
  }

  /** @throws ProtocolError when it is for bytes that were never sent */
  credit(bytes: number): void {
    this.#onTheWay -= bytes;
    if (this.#onTheWay < 0) throw new ProtocolError(`credit for bytes of the body of invocation ${this.#frameId} that were not sent`);
    this.#pass();
  }

  /** What has not been sent is dropped, and the runtime told that nothing more comes. */
  cutOff(): void {
    if (this.#over) return;
    this.#channel.invokeEnd(this.#frameId);
    this.close();
  }

  /** Nobody wants the rest. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#held = null;
    this.#source.close();
  }

  #pass(): void {
    if (this.#over) return;
    const room = STREAM_WINDOW_BYTES - this.#onTheWay;
    if (this.#held && room > 0) {
      const piece = this.#held.subarray(0, room);
      this.#held = piece.length < this.#held.length ? this.#held.subarray(room) : null;
      this.#onTheWay += piece.length;
      this.#channel.invokeBody(this.#frameId, piece);
    }
    if (this.#sourceEnded && !this.#held) {
      this.#over = true;
      this.#channel.invokeEnd(this.#frameId);
      return;
    }
    const full = this.#held !== null || this.#onTheWay >= STREAM_WINDOW_BYTES;
    if (full === this.#paused) return;
    this.#paused = full;
    if (full) this.#source.pause();
    else this.#source.resume();
  }
}
