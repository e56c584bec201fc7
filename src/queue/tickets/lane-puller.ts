import type { Channel, GetMessage } from 'amqplib';
import type { BrokerConnection } from '../../amqp/broker-connection.ts';
import { within } from '../../amqp/within.ts';
import { closeQuietly, codeOf, sayQuietly } from './quietly.ts';
import type { Ticket } from './tickets.ts';

/** A broker that says nothing for so long leaves the lane with what there is. */
const TIMEOUT_MS = 5000;
/** Each asks for one ticket at a time, and the answer takes the agreement of the queue's replicas, which they give to many questions at once: 16 get twice to thrice what 4 get. */
const MAX_CHANNELS = 16;

export interface LanePullerParts {
  connection: Pick<BrokerConnection, 'openPlainChannel'>;
  queue: string;
  /** The queue is not there. */
  onGone: () => void;
  /** Tickets that were handed out are with the broker again. */
  onLost: (ids: readonly string[]) => void;
}

/**
 * Takes the tickets of one lane, by `basic.get`: no more than are asked for, so that the rest are there for others. Its channels carry this lane alone, for the broker
 * closes a channel over a queue that is gone, and with it takes back every ticket that was got on it.
 */
export class LanePuller {
  readonly #parts: LanePullerParts;
  readonly #channels = new Set<PullChannel>();
  /** Under way. */
  #pulls = 0;

  constructor(parts: LanePullerParts) {
    this.#parts = parts;
  }

  /** Nothing would be lost by its end. */
  get isIdle(): boolean {
    return this.#pulls === 0 && [...this.#channels].every(({ isIdle }) => isIdle);
  }

  /** As Tickets has it. */
  async pull(limit: number): Promise<Ticket[]> {
    const round = new Round(limit);
    const failures: unknown[] = [];
    const work = this.#channelsFor(limit).map((channel) => channel.then((one) => one.pull(round)).catch((error: unknown) => failures.push(error)));
    this.#pulls++;
    try {
      await within(TIMEOUT_MS, Promise.all(work));
    } catch {
      // What they still get is given back.
    } finally {
      round.end();
      this.#pulls--;
    }
    if (failures.some((error) => codeOf(error) === 404)) this.#parts.onGone();
    return round.handOut();
  }

  /** One that still waits for an earlier answer is left to it. */
  #channelsFor(limit: number): Promise<PullChannel>[] {
    const free = [...this.#channels].filter(({ isAsking }) => !isAsking).slice(0, limit);
    const more = Math.max(0, Math.min(MAX_CHANNELS - this.#channels.size, limit - free.length));
    return [...free.map((channel) => Promise.resolve(channel)), ...Array.from({ length: more }, () => this.#open())];
  }

  close(): void {
    for (const { channel } of this.#channels) closeQuietly(channel);
  }

  async #open(): Promise<PullChannel> {
    const { connection, queue, onLost } = this.#parts;
    const channel = new PullChannel(await connection.openPlainChannel(), queue, onLost);
    this.#channels.add(channel);
    channel.channel.on('close', () => this.#channels.delete(channel));
    return channel;
  }
}

/** One asking for tickets, by several channels. */
class Round {
  readonly #limit: number;
  readonly #got: HeldTicket[] = [];
  #asked = 0;
  #isDrained = false;
  #isOver = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @returns whether one more may be asked for */
  ask(): boolean {
    if (this.#isDrained || this.#isOver || this.#asked >= this.#limit) return false;
    this.#asked++;
    return true;
  }

  got(ticket: HeldTicket): void {
    if (this.#isOver) ticket.giveBack();
    else this.#got.push(ticket);
  }

  /** There are no more; what was asked for before may still come. */
  drained(): void {
    this.#isDrained = true;
  }

  end(): void {
    this.#isOver = true;
  }

  /** Those that haven't been lost meanwhile. */
  handOut(): Ticket[] {
    return this.#got.filter((ticket) => ticket.handOut());
  }
}

class PullChannel {
  readonly channel: Channel;
  readonly #queue: string;
  readonly #held = new Set<HeldTicket>();
  isAsking = false;

  constructor(channel: Channel, queue: string, onLost: LanePullerParts['onLost']) {
    this.channel = channel;
    this.#queue = queue;
    channel.on('error', () => undefined);
    channel.on('close', () => {
      const lost = [...this.#held].filter((ticket) => ticket.lose());
      this.#held.clear();
      if (lost.length > 0) onLost(lost.map(({ id }) => id));
    });
  }

  get isIdle(): boolean {
    return this.#held.size === 0 && !this.isAsking;
  }

  /** @throws Error over which the broker closed the channel */
  async pull(round: Round): Promise<void> {
    this.isAsking = true;
    try {
      while (round.ask()) {
        const message = await this.channel.get(this.#queue);
        if (message === false) return round.drained();
        const ticket = new HeldTicket(this.channel, message, () => this.#held.delete(ticket));
        this.#held.add(ticket);
        round.got(ticket);
      }
    } finally {
      this.isAsking = false;
    }
  }
}

/** got → handed out → acknowledged | given back | lost. */
class HeldTicket implements Ticket {
  readonly id: string;
  readonly redelivered: boolean;
  readonly #channel: Channel;
  readonly #message: GetMessage;
  readonly #onReleased: () => void;
  #state: 'got' | 'handed out' | 'released' = 'got';

  constructor(channel: Channel, message: GetMessage, onReleased: () => void) {
    this.id = String(message.properties.messageId);
    this.redelivered = message.fields.redelivered;
    this.#channel = channel;
    this.#message = message;
    this.#onReleased = onReleased;
  }

  /** @returns false when the broker has it again */
  handOut(): boolean {
    if (this.#state !== 'got') return false;
    this.#state = 'handed out';
    return true;
  }

  acknowledge(): void {
    if (this.#release()) sayQuietly(() => this.#channel.ack(this.#message));
  }

  giveBack(): void {
    if (this.#release()) sayQuietly(() => this.#channel.nack(this.#message, false, true));
  }

  /** @returns whether somebody has it who is to be told */
  lose(): boolean {
    const wasOut = this.#state === 'handed out';
    this.#state = 'released';
    return wasOut;
  }

  #release(): boolean {
    if (this.#state === 'released') return false;
    this.#state = 'released';
    this.#onReleased();
    return true;
  }
}
