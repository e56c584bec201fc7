import { ProtocolError, STREAM_WINDOW_BYTES } from '../protocol/frame.ts';
import type { RuntimeChannel } from '../protocol/runtime-channel.ts';
import type { ReplySink } from './invocation.ts';

/** What has been given to the caller is told in portions of this size. Bytes. */
const CREDIT_BYTES = STREAM_WINDOW_BYTES / 2;

/** What a function sends by a WebSocket: at most a window of it waits for its caller, so that one who doesn't read holds up nobody else. */
export class ReplyWindow {
  readonly #channel: Pick<RuntimeChannel, 'replyCredit'>;
  readonly #frameId: number;
  readonly #sink: Pick<ReplySink, 'write' | 'onceDrained'>;
  /** Bytes. */
  #uncredited = 0;
  #waiting = false;

  constructor(channel: Pick<RuntimeChannel, 'replyCredit'>, frameId: number, sink: Pick<ReplySink, 'write' | 'onceDrained'>) {
    this.#channel = channel;
    this.#frameId = frameId;
    this.#sink = sink;
  }

  /** @throws ProtocolError when it is more than the window allows */
  pass(chunk: Buffer): void {
    this.#uncredited += chunk.length;
    if (this.#uncredited > STREAM_WINDOW_BYTES)
      throw new ProtocolError(`more than ${STREAM_WINDOW_BYTES} bytes of the reply to invocation ${this.#frameId} without credit`);
    const ok = this.#sink.write(chunk);
    if (this.#waiting) return;
    if (ok) this.#credit();
    else {
      this.#waiting = true;
      this.#sink.onceDrained(() => {
        this.#waiting = false;
        this.#credit();
      });
    }
  }

  #credit(): void {
    if (this.#uncredited < CREDIT_BYTES) return;
    this.#channel.replyCredit(this.#frameId, this.#uncredited);
    this.#uncredited = 0;
  }
}
