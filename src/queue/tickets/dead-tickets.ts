import type { Channel, ConsumeMessage } from 'amqplib';
import type { BrokerConnection } from '../../amqp/broker-connection.ts';
import type { LaneKey } from '../durable-queue.ts';
import { assertQueue, DEAD_QUEUE_OPTIONS } from './lane-queues.ts';
import type { QueueNames } from './queue-names.ts';
import { closeQuietly, sayQuietly } from './quietly.ts';
import type { DeadTicketReason } from './tickets.ts';

/** Unacknowledged, on one node. */
const PREFETCH = 16;
/** Before a consumer that ended is made again, and before one that its listener could not deal with is given to somebody again. */
const RETRY_MS = 1000;

export interface DeadTicketsParts {
  connection: Pick<BrokerConnection, 'openPlainChannel'>;
  names: QueueNames;
  listener: (id: string, lane: LaneKey, reason: DeadTicketReason) => Promise<void>;
  log: { warn(fields: object, message: string): void };
}

/** Consumes the queue of dead tickets, as every node does: each goes to one of them, and is acknowledged when that one has dealt with it. */
export class DeadTickets {
  readonly #parts: DeadTicketsParts;
  readonly #timers = new Set<NodeJS.Timeout>();
  #reason: string | null = null;
  #closed = false;

  constructor(parts: DeadTicketsParts) {
    this.#parts = parts;
  }

  /** Resolves once it consumes, or will try again later. Never rejects. */
  async start(): Promise<void> {
    let channel: Channel | null = null;
    try {
      const { connection, names, log } = this.#parts;
      // An error closes the channel that it happens on.
      const declaring = await connection.openPlainChannel();
      declaring.on('error', () => undefined);
      try {
        await assertQueue(declaring, names.dead, DEAD_QUEUE_OPTIONS, log);
      } finally {
        closeQuietly(declaring);
      }
      channel = await connection.openPlainChannel();
      await this.#consume(channel);
      this.#reason = null;
    } catch (error) {
      if (channel) closeQuietly(channel);
      const reason = (error as Error).message;
      if (reason !== this.#reason && !this.#closed)
        this.#parts.log.warn({ reason }, 'dead tickets can not be consumed; it is tried again each second');
      this.#reason = reason;
      this.#later(() => void this.start());
    }
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  async #consume(channel: Channel): Promise<void> {
    let consumes = false;
    let ended = false;
    channel.on('error', () => undefined);
    channel.on('close', () => {
      ended = true;
      if (consumes) this.#later(() => void this.start());
    });
    await channel.prefetch(PREFETCH);
    await channel.consume(this.#parts.names.dead, (message) => {
      // The queue was deleted.
      if (message === null) closeQuietly(channel);
      else void this.#deal(channel, message);
    });
    if (ended) throw new Error('the broker ended the channel');
    consumes = true;
  }

  /** Never rejects. */
  async #deal(channel: Channel, message: ConsumeMessage): Promise<void> {
    const { names, listener, log } = this.#parts;
    const death = deathOf(message, names);
    if (death === null) {
      log.warn({ queue: names.dead, message: message.properties.messageId }, 'what is no ticket was in the queue of dead ones, and is dropped');
      return sayQuietly(() => channel.ack(message));
    }
    try {
      await listener(death.id, death.lane, death.reason);
      sayQuietly(() => channel.ack(message));
    } catch (error) {
      log.warn({ ticket: death.id, err: error }, 'a dead ticket is given to somebody again, as it could not be dealt with');
      this.#later(() => sayQuietly(() => channel.nack(message, false, true)));
    }
  }

  #later(work: () => void): void {
    if (this.#closed) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, RETRY_MS);
    this.#timers.add(timer);
  }
}

/** What the broker wrote on it: `x-death`, a table for each queue that it died in and each reason, the last death first (rabbitmq.com/docs/dlx). */
function deathOf({ properties }: ConsumeMessage, names: QueueNames): { id: string; lane: LaneKey; reason: DeadTicketReason } | null {
  const deaths: unknown = properties.headers?.['x-death'];
  const [death] = Array.isArray(deaths) ? (deaths as { queue?: unknown; reason?: unknown }[]) : [];
  const lane = typeof death?.queue === 'string' ? names.laneOf(death.queue) : null;
  const id: unknown = properties.messageId;
  if (lane === null || typeof id !== 'string') return null;
  // Whatever else an operator's policy gives them up for, they were not too late.
  return { id, lane, reason: death?.reason === 'expired' ? 'expired' : 'delivery_limit' };
}
