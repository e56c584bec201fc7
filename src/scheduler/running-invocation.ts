import type { ExitedMessage } from '../protocol/messages.ts';
import type { RuntimeChannel } from '../protocol/runtime-channel.ts';
import type { ReplyQueue } from '../reply/endpoint.ts';
import type { BodyFeed } from './body-feed.ts';
import type { Invocation } from './invocation.ts';
import { ReplyAssembly } from './reply-assembly.ts';
import type { ReplyWindow } from './reply-window.ts';

/** An invocation that an instance has in hand, with the clocks that the instance keeps for it. */
export class RunningInvocation {
  readonly frameId: number;
  readonly invocation: Invocation;
  readonly assembly: ReplyAssembly;
  /** Its turn has come; false while it waits in the instance's channel behind another. */
  begun = false;
  /** Nobody wants its answer any more, and its turn had not come when that was known. */
  unwanted = false;
  /** By which a script answers where a broker is the way; null where it isn't. */
  queue: ReplyQueue | null = null;
  /** How its process has ended; what it published last may be on its way. */
  exit: ExitedMessage | null = null;
  /** Of a body that is streamed; null: it came whole. */
  feed: BodyFeed | null = null;
  /** Of a WebSocket that was accepted. */
  window: ReplyWindow | null = null;
  #idleTimer: NodeJS.Timeout | null = null;
  #graceTimer: NodeJS.Timeout | null = null;
  #release: (() => void) | null = null;

  /** @param maxReplyBytes of a buffered reply */
  constructor(frameId: number, invocation: Invocation, maxReplyBytes: number) {
    this.frameId = frameId;
    this.invocation = invocation;
    this.assembly = new ReplyAssembly(invocation, maxReplyBytes);
  }

  /** It was told to stop, and hasn't confirmed. */
  get isCancelled(): boolean {
    return this.#graceTimer !== null;
  }

  /** From now on its stream may pause for so long at most. */
  startIdleClock(limitMs: number, onPaused: () => void): void {
    this.#idleTimer = setTimeout(onPaused, limitMs);
  }

  /** A piece of its stream came. */
  refreshIdleClock(): void {
    this.#idleTimer?.refresh();
  }

  /** It was told to stop, and has so long to confirm. */
  startGrace(limitMs: number, onOver: () => void): void {
    this.stopClocks();
    this.#graceTimer = setTimeout(onOver, limitMs);
  }

  /** Its caller reads slowly: nothing more is read from the sandbox until the caller has caught up, or the invocation is over. */
  holdReading(channel: Pick<RuntimeChannel, 'pause' | 'resume'>): void {
    if (this.#release) return;
    channel.pause();
    const release = (): void => {
      if (this.#release !== release) return;
      this.#release = null;
      channel.resume();
    };
    this.#release = release;
    this.invocation.sink.onceDrained(release);
  }

  /** It is over: its clocks stop, and what waits behind it in the channel is read. */
  finish(): void {
    this.stop();
    this.#release?.();
  }

  /** Nothing of it is waited for any more, and nothing more of its body read. */
  stop(): void {
    this.stopClocks();
    this.feed?.close();
  }

  stopClocks(): void {
    if (this.#idleTimer) clearTimeout(this.#idleTimer);
    if (this.#graceTimer) clearTimeout(this.#graceTimer);
    this.#idleTimer = null;
    this.#graceTimer = null;
  }
}
