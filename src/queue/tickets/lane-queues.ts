import type { Channel, Options } from 'amqplib';
import type { BrokerConnection } from '../../amqp/broker-connection.ts';
import type { LaneKey } from '../durable-queue.ts';
import type { QueueNames } from './queue-names.ts';
import { closeQuietly, codeOf } from './quietly.ts';

/** A ticket whose holders die so often is dead. */
const DELIVERY_LIMIT = 20;
/** A queue that nobody has asked for tickets for so long is deleted, with what is in it: functions have many versions. */
const EXPIRES_MS = 7 * 24 * 3600_000;
/** RabbitMQ 4 counts by default to 20, then drops what is dead already; 3.10 knows no word for "never". */
const NO_DELIVERY_LIMIT = 2 ** 31 - 1;

export interface LaneQueuesParts {
  connection: Pick<BrokerConnection, 'openPlainChannel'>;
  names: QueueNames;
  onGone: (lane: LaneKey) => void;
  log: { warn(fields: object, message: string): void };
}

/** The queues of lanes: quorum queues, declared when they are first needed, and again when they are gone. What is there already is taken as it is. */
export class LaneQueues {
  readonly #parts: LaneQueuesParts;
  /** By name: those that are there, as far as is known, and those that are being declared. */
  readonly #known = new Map<string, Promise<void>>();

  constructor(parts: LaneQueuesParts) {
    this.#parts = parts;
  }

  /** Resolves once it is there. @throws Error that says why it is not */
  ensure(lane: LaneKey): Promise<void> {
    const name = this.#parts.names.of(lane);
    const known = this.#known.get(name);
    if (known) return known;
    const declared = this.#declare(name, lane);
    this.#known.set(name, declared);
    declared.catch(() => this.#known.delete(name));
    return declared;
  }

  /** It is not there: whoever needs it declares it. */
  gone(lane: LaneKey): void {
    this.#known.delete(this.#parts.names.of(lane));
    this.#parts.onGone(lane);
  }

  async #declare(name: string, lane: LaneKey): Promise<void> {
    const found = await this.#onChannel((channel) => channel.checkQueue(name)).catch((error: unknown) => {
      if (codeOf(error) !== 404) throw error;
      return null;
    });
    if (found === null) this.#parts.onGone(lane);
    await this.#onChannel((channel) => assertQueue(channel, name, this.#options(), this.#parts.log));
  }

  /** An error closes a channel, so each question has its own. */
  async #onChannel<T>(ask: (channel: Channel) => Promise<T>): Promise<T> {
    const channel = await this.#parts.connection.openPlainChannel();
    channel.on('error', () => undefined);
    try {
      return await ask(channel);
    } finally {
      closeQuietly(channel);
    }
  }

  #options(): Options.AssertQueue {
    return {
      durable: true,
      arguments: {
        'x-queue-type': 'quorum',
        'x-delivery-limit': DELIVERY_LIMIT,
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': this.#parts.names.dead,
        // Dead ones are kept until the other queue has confirmed them, which needs the overflow behaviour.
        'x-dead-letter-strategy': 'at-least-once',
        'x-overflow': 'reject-publish',
        'x-expires': EXPIRES_MS,
      },
    };
  }
}

/** Of tickets that the broker has given up. */
export const DEAD_QUEUE_OPTIONS: Options.AssertQueue = {
  durable: true,
  arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': NO_DELIVERY_LIMIT },
};

/**
 * One that somebody has declared otherwise, an older release or the operator, serves as it is; the log tells. The channel is closed then.
 * @throws Error that says why there is none
 */
export async function assertQueue(channel: Channel, name: string, options: Options.AssertQueue, log: LaneQueuesParts['log']): Promise<void> {
  try {
    await channel.assertQueue(name, options);
  } catch (error) {
    if (codeOf(error) !== 406) throw error;
    log.warn(
      { queue: name, reason: (error as Error).message },
      'a queue of tickets has other arguments than it is to have; it is used as it is, and tickets may wait or be lost in it in other ways: delete it, and it is made anew',
    );
  }
}
