import { randomUUID } from 'node:crypto';
import type { Channel, ConsumeMessage, Message } from 'amqplib';
import type { BrokerConnection } from '../../amqp/broker-connection.ts';
import type { AskerFrame, RunnerFrame } from './frame.ts';

/** The broker's name for the answers to whoever asks on a channel (rabbitmq.com/docs/direct-reply-to): no queue is made, declared or deleted for them. */
const REPLY_TO = 'amq.rabbitmq.reply-to';
/** Frames that were sent to us and not looked at: others stay with the broker, which drops them when their time is over. */
const PREFETCH = 64;
/** Adverts that were not read after so long are of no use. Milliseconds. */
const ADVERT_TTL_MS = 2000;
const MAX_ADVERTS = 1000;
/** Between two attempts to open a channel. Milliseconds. */
const RETRY_MS = 500;

export interface LinkParts {
  connection: Pick<BrokerConnection, 'openPlainChannel' | 'requireUnblocked'>;
  /** Of this node. */
  nodeId: string;
  /** Of all nodes that belong together; others on the same broker have another. */
  cluster: string;
  log: { warn(fields: object, message: string): void };
}

/** A frame that came. */
export interface Incoming {
  type: string;
  id: string;
  /** Where the answer goes; empty: nowhere. */
  replyTo: string;
  content: Buffer;
}

export interface LinkListener {
  /** For this node as the one who runs. */
  onAsker(frame: Incoming): void;
  /** For this node as the one who has asked. */
  onRunner(frame: Incoming): void;
  onAdvert(content: Buffer): void;
  /** What was sent to that queue has come back: its node is gone. */
  onReturned(queue: string, type: string, id: string): void;
  /** Frames may be sent and will come. */
  onUp(): void;
  /** Answers that were waited for won't come, and those that were asked for can't be given. */
  onDown(): void;
}

/**
 * The way between nodes: one channel, on which this node has a queue of its own for what others hand over, consumes the broker's direct reply-to, and hears the
 * adverts of all. The queue is exclusive, so that the broker deletes it in the moment in which the node is gone; what is sent there after that comes back.
 */
export class Link {
  readonly #parts: LinkParts;
  readonly #listener: LinkListener;
  readonly #exchange: string;
  #channel: Channel | null = null;
  #queue: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #opening: Promise<void> | null = null;
  #closed = false;
  #complained = false;

  constructor(parts: LinkParts, listener: LinkListener) {
    this.#parts = parts;
    this.#listener = listener;
    this.#exchange = `hearth.${parts.cluster}.adverts`;
  }

  /** This node's queue, a new one with each channel; null: there is no way to others at present. */
  get queue(): string | null {
    return this.#queue;
  }

  /** Whether a call may be handed over: the broker is there, and takes messages. */
  get isOpen(): boolean {
    if (this.#queue === null) return false;
    try {
      this.#parts.connection.requireUnblocked();
      return true;
    } catch {
      return false;
    }
  }

  /** Connects, now and whenever the connection was lost. */
  start(): void {
    this.#opening = this.#open().finally(() => {
      this.#opening = null;
    });
  }

  /** @param expiresMs the broker drops it when it was not taken within so long @returns false: there is no way at present */
  ask(queue: string, type: AskerFrame, id: string, content: Buffer, expiresMs?: number): boolean {
    const expiration = expiresMs === undefined ? {} : { expiration: Math.max(1, Math.ceil(expiresMs)) };
    return this.#publish('', queue, content, { type, correlationId: id, replyTo: REPLY_TO, mandatory: true, ...expiration });
  }

  /** Not mandatory: to the broker an address of direct reply-to is no queue, and every answer would come back. */
  answer(replyTo: string, type: RunnerFrame, id: string, content: Buffer): void {
    this.#publish('', replyTo, content, { type, correlationId: id });
  }

  advertise(content: Buffer): void {
    this.#publish(this.#exchange, '', content, {});
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    await this.#opening;
    const channel = this.#channel;
    this.#lost();
    // What was said last goes out before it.
    await channel?.close().catch(() => undefined);
  }

  async #open(): Promise<void> {
    try {
      const channel = await this.#parts.connection.openPlainChannel();
      let complaint: Error | null = null;
      channel.on('error', (error: Error) => {
        complaint = error;
      });
      channel.on('close', () => {
        if (complaint) this.#complain(complaint);
        if (this.#channel !== channel) return;
        this.#lost();
        this.#later();
      });
      const queue = await this.#consume(channel);
      if (this.#closed) return void channel.close().catch(() => undefined);
      this.#channel = channel;
      this.#queue = queue;
      this.#complained = false;
      this.#listener.onUp();
    } catch (error) {
      this.#complain(error as Error);
      this.#later();
    }
  }

  async #consume(channel: Channel): Promise<string> {
    const { nodeId, cluster } = this.#parts;
    channel.on('return', (message: Message) => {
      const { type, correlationId } = message.properties;
      this.#listener.onReturned(message.fields.routingKey, String(type), String(correlationId));
    });
    await channel.consume(REPLY_TO, (message) => message && this.#listener.onRunner(incoming(message)), { noAck: true });
    await channel.assertExchange(this.#exchange, 'fanout', { durable: false, autoDelete: true });
    // A queue of the connection before this one may still be there, so that each has a name of its own.
    const suffix = `${nodeId}.${randomUUID().slice(0, 8)}`;
    const adverts = await channel.assertQueue(`hearth.${cluster}.adverts.${suffix}`, {
      exclusive: true,
      autoDelete: true,
      durable: false,
      messageTtl: ADVERT_TTL_MS,
      maxLength: MAX_ADVERTS,
    });
    await channel.bindQueue(adverts.queue, this.#exchange, '');
    await channel.consume(adverts.queue, (message) => message && this.#listener.onAdvert(message.content), { noAck: true });
    const { queue } = await channel.assertQueue(`hearth.${cluster}.node.${suffix}`, {
      exclusive: true,
      autoDelete: true,
      durable: false,
    });
    await channel.prefetch(PREFETCH);
    await channel.consume(queue, (message) => {
      // It was deleted there, or its broker is going down: so is the way.
      if (message === null) return void channel.close().catch(() => undefined);
      channel.ack(message);
      this.#listener.onAsker(incoming(message));
    });
    return queue;
  }

  #publish(exchange: string, routingKey: string, content: Buffer, options: object): boolean {
    if (this.#channel === null) return false;
    try {
      this.#channel.publish(exchange, routingKey, content, options);
      return true;
    } catch {
      // The channel has ended in this very moment, which `close` tells.
      return false;
    }
  }

  #lost(): void {
    if (this.#channel === null) return;
    this.#channel = null;
    this.#queue = null;
    this.#listener.onDown();
  }

  /** Once, until it was there again: the connection itself tells when the broker is away. */
  #complain({ message }: Error): void {
    if (!this.#complained && !this.#closed) this.#parts.log.warn({ reason: message }, 'calls can be handed over to no other node at present');
    this.#complained = true;
  }

  #later(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => this.start(), RETRY_MS);
  }
}

function incoming({ properties, content }: ConsumeMessage): Incoming {
  const { type, correlationId, replyTo } = properties;
  return { type: String(type), id: String(correlationId), replyTo: replyTo === undefined ? '' : String(replyTo), content };
}
