import type { Channel } from 'amqplib';
import { HearthError } from '../errors.ts';
import type { BrokerConnection } from './broker-connection.ts';
import type { Leftovers } from './leftovers.ts';
import { ReplyRun, type RunReceiver } from './reply-run.ts';

/** Idle channels that are kept. */
const MAX_IDLE = 64;

export interface ReplyQueuesParts {
  connection: Pick<BrokerConnection, 'openPlainChannel' | 'absence' | 'shown' | 'at' | 'counts' | 'close'>;
  leftovers: Leftovers;
  /** A larger answer fails its run. Bytes. */
  maxMessageBytes: number;
}

/**
 * The queues by which scripts answer on a broker: one for each run, named as its correlation id and declared as the seed's template does, consumed from the beginning
 * of the run and deleted after it. Each run has a channel to itself, for a function may make the broker close it: by a queue of that name that is durable, say.
 */
export class ReplyQueues {
  readonly #parts: ReplyQueuesParts;
  readonly #idle: Channel[] = [];

  constructor(parts: ReplyQueuesParts) {
    this.#parts = parts;
  }

  /** Connects, so that the first run finds a channel. Never rejects: the log tells of a broker that is away. */
  async start(): Promise<void> {
    await this.#parts.leftovers.start();
    const channel = await this.#take().catch(() => null);
    if (channel) this.#giveBack(channel);
  }

  /** Why no run can be answered at present; null: nothing is known against it. */
  refusal(): HearthError | null {
    const { absence, shown } = this.#parts.connection;
    return absence === null ? null : unavailable(shown, absence);
  }

  /** Which of the broker's nodes has the queues, by its place in the list of them. */
  get at(): number {
    return this.#parts.connection.at;
  }

  get counts(): BrokerConnection['counts'] {
    return this.#parts.connection.counts;
  }

  /** A run begins. What comes of it is told to the receiver. */
  open(correlationId: string, receiver: RunReceiver): ReplyRun {
    const { leftovers, connection, maxMessageBytes } = this.#parts;
    leftovers.opened(correlationId);
    return new ReplyRun(correlationId, receiver, {
      maxMessageBytes,
      shown: connection.shown,
      take: () => this.#take(),
      giveBack: (channel) => this.#giveBack(channel),
      deleted: () => leftovers.closed(correlationId),
      leave: () => leftovers.add(correlationId),
    });
  }

  /** A run is over whose answer its client takes from the broker: the queue is deleted later, if nobody uses it then. */
  leaveToClient(correlationId: string): void {
    this.#parts.leftovers.addLater(correlationId);
  }

  /** The broker can be reached, again. */
  connected(): void {
    this.#parts.leftovers.sweep();
  }

  async close(): Promise<void> {
    await this.#parts.leftovers.close();
    await this.#parts.connection.close();
  }

  async #take(): Promise<Channel> {
    const idle = this.#idle.pop();
    if (idle) return idle;
    const channel = await this.#parts.connection.openPlainChannel();
    channel.on('error', () => undefined);
    channel.on('close', () => {
      const at = this.#idle.indexOf(channel);
      if (at >= 0) this.#idle.splice(at, 1);
    });
    return channel;
  }

  #giveBack(channel: Channel): void {
    if (this.#idle.length < MAX_IDLE) this.#idle.push(channel);
    else channel.close().catch(() => undefined);
  }
}

function unavailable(shown: string, reason: string): HearthError {
  return new HearthError(
    'broker_unavailable',
    `Scripts are answered by the broker ${shown}, which can't be reached: ${reason}. The function was not run. Try again in some seconds; whoever runs the platform sees to the broker, or sets amqp.message_queue to embedded.`,
    { retryAfter: 5 },
  );
}
