import type { ConfirmChannel, Message } from 'amqplib';
import type { BrokerConnection } from '../../amqp/broker-connection.ts';
import { within } from '../../amqp/within.ts';
import type { LaneKey } from '../durable-queue.ts';
import type { LaneQueues } from './lane-queues.ts';
import type { QueueNames } from './queue-names.ts';
import { closeQuietly } from './quietly.ts';
import type { NewTicket } from './tickets.ts';

/** From asking for a channel to the last confirmation. */
const TIMEOUT_MS = 5000;
/** RabbitMQ takes no longer times (4 bytes); the database knows the deadline anyway. */
const MAX_EXPIRATION_MS = 2 ** 32 - 1;
/** What a ticket is, is in its properties. */
const NO_BODY = Buffer.alloc(0);

export interface TicketPublisherParts {
  connection: Pick<BrokerConnection, 'openChannel' | 'requireUnblocked'>;
  names: QueueNames;
  queues: Pick<LaneQueues, 'ensure' | 'gone'>;
}

/**
 * Puts tickets into the queues of their lanes, many at a time over one channel, and waits for the broker's confirmations. The default exchange leads to a queue by
 * its name, so there is nothing over which the broker would close the channel; what finds no queue comes back.
 */
export class TicketPublisher {
  readonly #parts: TicketPublisherParts;
  #channel: Promise<ConfirmChannel> | null = null;
  /** Those that came back, by the number that each try has. */
  readonly #returned = new Set<string>();
  #tries = 0;

  constructor(parts: TicketPublisherParts) {
    this.#parts = parts;
  }

  /** As Tickets has it. */
  async publish(tickets: readonly NewTicket[]): Promise<void> {
    const { connection } = this.#parts;
    connection.requireUnblocked();
    try {
      await within(TIMEOUT_MS, this.#publish(tickets), `the broker did not confirm them within ${TIMEOUT_MS / 1000} s`);
    } catch (error) {
      // What has had no answer in time must not be met by the next ones; after any other error the channel is as good as gone.
      this.#discard();
      // A broker that is short of memory or disk has said so by now, and reads nothing.
      connection.requireUnblocked();
      throw error;
    }
  }

  /** Connects. Never rejects. */
  async start(): Promise<void> {
    await this.#open().catch(() => undefined);
  }

  async #publish(tickets: readonly NewTicket[]): Promise<void> {
    const { queues } = this.#parts;
    await this.#ensureAll(tickets);
    const unroutable = await this.#publishOnce(tickets);
    if (unroutable.length === 0) return;
    for (const lane of this.#lanesOf(unroutable)) queues.gone(lane);
    await this.#ensureAll(unroutable);
    if ((await this.#publishOnce(unroutable)).length > 0) throw new Error("a lane's queue is deleted as soon as it is declared");
  }

  async #ensureAll(tickets: readonly NewTicket[]): Promise<void> {
    await Promise.all(this.#lanesOf(tickets).map((lane) => this.#parts.queues.ensure(lane)));
  }

  #lanesOf(tickets: readonly NewTicket[]): LaneKey[] {
    return [...new Map(tickets.map(({ lane }) => [this.#parts.names.of(lane), lane])).values()];
  }

  /** @returns those whose queues are not there */
  async #publishOnce(tickets: readonly NewTicket[]): Promise<NewTicket[]> {
    const channel = await this.#open();
    const came = await Promise.all(tickets.map((ticket) => this.#send(channel, ticket)));
    return tickets.filter((_, place) => !came[place]);
  }

  /** @returns whether it is in a queue */
  #send(channel: ConfirmChannel, { lane, id, expiresInMs }: NewTicket): Promise<boolean> {
    const number = String(this.#tries++);
    const mayExpire = expiresInMs !== null && expiresInMs <= MAX_EXPIRATION_MS;
    const options = {
      mandatory: true,
      persistent: true,
      messageId: id,
      correlationId: number,
      appId: 'hearth',
      ...(mayExpire ? { expiration: String(Math.max(0, Math.ceil(expiresInMs))) } : {}),
    };
    return new Promise((resolve, reject) => {
      channel.publish('', this.#parts.names.of(lane), NO_BODY, options, (error: Error | null) => {
        // The broker returns one before it confirms it.
        const came = !this.#returned.delete(number);
        if (error) reject(failureOf(error));
        else resolve(came);
      });
    });
  }

  #discard(): void {
    const channel = this.#channel;
    this.#channel = null;
    channel?.then(closeQuietly, () => undefined);
  }

  #open(): Promise<ConfirmChannel> {
    if (this.#channel) return this.#channel;
    const opening = this.#parts.connection.openChannel().then((channel) => {
      channel.on('error', () => undefined);
      channel.on('return', ({ properties }: Message) => this.#returned.add(String(properties.correlationId)));
      channel.on('close', forget);
      return channel;
    });
    const forget = (): void => {
      if (this.#channel === opening) this.#channel = null;
    };
    this.#channel = opening;
    opening.catch(forget);
    return opening;
  }
}

function failureOf(error: Error): Error {
  if (error.message === 'message nacked') return new Error('the broker refused tickets: a queue is full or failed', { cause: error });
  return new Error('the connection to the broker was lost before it had confirmed them', { cause: error });
}
