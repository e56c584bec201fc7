import type { Channel, ConsumeMessage } from 'amqplib';

export interface SessionEvents {
  /** The broker has said yes to a consumer. */
  onConsuming(): void;
  onMessage(message: ConsumeMessage): void;
  /** Called once: nothing more comes on this channel. */
  onLost(reason: string): void;
}

/**
 * One channel with consumers on one queue. Each consumer is a slot: its prefetch is 1, so that it has a message or waits for one, and there are as many
 * messages here at most as there are slots. Slots are added and taken away as there is room; the prefetch of a consumer could not be changed, and one of the
 * whole channel is something that quorum queues don't have.
 */
export class Session {
  readonly #channel: Channel;
  readonly #queue: string;
  readonly #events: SessionEvents;
  /** By consumer tag. */
  readonly #waiting = new Set<string>();
  /** Told to go, and not yet gone: a message may still come. */
  readonly #leaving = new Set<string>();
  /** Of those with a message, the ones that take no other. */
  readonly #cancelled = new Set<string>();
  readonly #busy = new Map<string, ConsumeMessage>();
  #nextTag = 1;
  /** Of the broker's complaint, which comes before the end. */
  #complaint: string | null = null;
  #lost = false;
  #closed = false;
  readonly #ending = new AbortController();

  /** The queue is there, as far as is known. The channel is the session's from now on. */
  constructor(channel: Channel, queue: string, events: SessionEvents) {
    this.#channel = channel;
    this.#queue = queue;
    this.#events = events;
    channel.on('error', (error: Error) => {
      this.#complaint = error.message;
    });
    channel.on('close', () => {
      this.#closed = true;
      this.#ending.abort();
      this.#lose(this.#complaint ?? 'the connection to the broker was lost');
    });
  }

  /**
   * The first slots. Resolves once the broker has said yes to one, or has ended the session.
   * @param slots how many
   */
  async begin(slots: () => number): Promise<void> {
    // Of each consumer that is added (RabbitMQ: "per consumer" when not global).
    await this.#channel.prefetch(1).catch(() => undefined);
    if (this.#lost) return;
    await Promise.race(Array.from({ length: slots() }, () => this.#addSlot()));
  }

  /** Takes nothing more, for that reason; what is here may be settled. */
  lose(reason: string): void {
    this.#lose(reason);
    this.#closeIfDone();
  }

  /** Aborted when messages that are here are the broker's again. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  /** Slots without a message. */
  get free(): number {
    return this.#waiting.size + this.#leaving.size;
  }

  /** Messages that are not settled. */
  get unacked(): number {
    return this.#busy.size;
  }

  /** Adds slots, or takes away such as wait for a message. */
  setFree(wanted: number): void {
    if (this.#lost) return;
    for (let free = this.free; free < wanted; free++) void this.#addSlot();
    for (const tag of [...this.#waiting]) {
      if (this.#waiting.size <= wanted) return;
      this.#removeSlot(tag);
    }
  }

  /** @param isToGo whether the slot takes no other one */
  settle(message: ConsumeMessage, settlement: 'ack' | 'requeue', isToGo: boolean): void {
    const tag = message.fields.consumerTag as string;
    if (this.#busy.get(tag) !== message) return;
    this.#busy.delete(tag);
    if (this.#closed) return;
    // One whose consumer was cancelled while the message was on its way is no slot any more.
    if (!this.#lost && !this.#cancelled.delete(tag)) {
      this.#waiting.add(tag);
      if (isToGo) this.#removeSlot(tag);
    }
    try {
      if (settlement === 'ack') this.#channel.ack(message);
      else this.#channel.nack(message, false, true);
    } catch {
      // The channel has ended in this very moment: the message is the broker's again.
    }
    if (this.#lost) this.#closeIfDone();
  }

  /** Never rejects: the channel's own events tell what is wrong. */
  async #addSlot(): Promise<void> {
    const tag = `hearth-${this.#nextTag++}`;
    this.#waiting.add(tag);
    const consuming = this.#channel.consume(this.#queue, (message) => this.#take(tag, message), { consumerTag: tag });
    await consuming.then(
      () => this.#events.onConsuming(),
      () => undefined,
    );
  }

  #removeSlot(tag: string): void {
    this.#waiting.delete(tag);
    this.#leaving.add(tag);
    const gone = (): void => void this.#leaving.delete(tag);
    this.#channel.cancel(tag).then(gone, gone);
  }

  #take(tag: string, message: ConsumeMessage | null): void {
    // RabbitMQ's consumer cancel notification: there is no such queue any more, or no leader of it.
    if (message === null) {
      this.lose('the queue was deleted, or can not be had at present');
      return;
    }
    if (this.#closed) return;
    this.#waiting.delete(tag);
    if (this.#leaving.delete(tag)) this.#cancelled.add(tag);
    this.#busy.set(tag, message);
    this.#events.onMessage(message);
  }

  /** Takes nothing more; what is here may be settled. Resolves once nothing more comes. */
  async stop(): Promise<void> {
    const tags = [...this.#waiting, ...this.#leaving, ...this.#busy.keys()];
    await Promise.all(tags.map((tag) => this.#channel.cancel(tag).catch(() => undefined)));
    this.#waiting.clear();
    this.#leaving.clear();
    this.#lost = true;
    this.#closeIfDone();
  }

  /** Gives up what is here: the broker gives it to others. */
  abandon(): void {
    this.#ending.abort();
  }

  #lose(reason: string): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#waiting.clear();
    this.#leaving.clear();
    this.#events.onLost(reason);
  }

  #closeIfDone(): void {
    if (this.#busy.size === 0 && !this.#closed) void this.#channel.close().catch(() => undefined);
  }
}
