import { brokerAddresses } from '../../amqp/broker-address.ts';
import { BrokerConnection, type BrokerConnectionParts } from '../../amqp/broker-connection.ts';
import type { LaneKey } from '../durable-queue.ts';
import { DeadTickets } from './dead-tickets.ts';
import { LanePuller } from './lane-puller.ts';
import { LaneQueues } from './lane-queues.ts';
import { QueueNames } from './queue-names.ts';
import { TicketPublisher } from './ticket-publisher.ts';
import type { Ticket, Tickets } from './tickets.ts';

/** Channels of lanes beyond so many are closed while nothing is held on them: a connection has 2047. */
const MAX_IDLE_LANES = 64;

export interface TicketsParts extends Omit<BrokerConnectionParts, 'addresses' | 'onConnected' | 'longestWaitMs'> {
  /** `amqp.url` of the configuration. */
  url: string;
  /** What queues' names begin with: the same on all nodes that share their work, another one for others. 1 to 64 letters, digits, `_`, `-` and `.` */
  prefix: string;
}

/** While work waits for the broker. */
const LONGEST_WAIT_MS = 3000;

/**
 * Tickets in quorum queues of RabbitMQ. Connects to nothing before `start`. Two connections, for a broker that has too little memory stops reading from those that
 * publish, their acknowledgements too.
 * @throws HearthError invalid_config when the URL can't be read; RangeError when the prefix is none
 */
export function createTickets({ url, prefix, ...parts }: TicketsParts): Tickets {
  const connectionParts = { ...parts, addresses: brokerAddresses(url), longestWaitMs: LONGEST_WAIT_MS };
  const publishing = new BrokerConnection(connectionParts);
  const pulling = new BrokerConnection(connectionParts);
  return new BrokerTickets(publishing, pulling, new QueueNames(prefix), parts.log);
}

class BrokerTickets implements Tickets {
  readonly #publishing: BrokerConnection;
  readonly #pulling: BrokerConnection;
  readonly #names: QueueNames;
  readonly #queues: LaneQueues;
  readonly #publisher: TicketPublisher;
  readonly #dead: DeadTickets;
  /** By queue; the one that was used last is the last. */
  readonly #pullers = new Map<string, LanePuller>();
  #lost: (ids: readonly string[]) => void = () => undefined;
  #died: Parameters<Tickets['onDead']>[0] = () => Promise.reject(new Error('nobody listens'));
  #gone: (lane: LaneKey) => void = () => undefined;
  #closed = false;

  constructor(publishing: BrokerConnection, pulling: BrokerConnection, names: QueueNames, log: TicketsParts['log']) {
    this.#publishing = publishing;
    this.#pulling = pulling;
    this.#names = names;
    this.#queues = new LaneQueues({ connection: publishing, names, onGone: (lane) => this.#gone(lane), log });
    this.#publisher = new TicketPublisher({ connection: publishing, names, queues: this.#queues });
    this.#dead = new DeadTickets({ connection: pulling, names, listener: (id, lane, reason) => this.#died(id, lane, reason), log });
  }

  publish(tickets: Parameters<Tickets['publish']>[0]): Promise<void> {
    return tickets.length === 0 ? Promise.resolve() : this.#publisher.publish(tickets);
  }

  pull(lane: LaneKey, limit: number): Promise<Ticket[]> {
    if (this.#closed || limit < 1) return Promise.resolve([]);
    return this.#puller(lane).pull(limit);
  }

  onLost(listener: (ids: readonly string[]) => void): void {
    this.#lost = listener;
  }

  onDead(listener: Parameters<Tickets['onDead']>[0]): void {
    this.#died = listener;
  }

  onGone(listener: (lane: LaneKey) => void): void {
    this.#gone = listener;
  }

  async start(): Promise<void> {
    // A broker that is away keeps nobody from starting.
    void this.#publisher.start();
    void this.#dead.start();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#dead.close();
    // What was acknowledged last goes out before the way for it is gone.
    await this.#pulling.close();
    await this.#publishing.close();
  }

  #puller(lane: LaneKey): LanePuller {
    const queue = this.#names.of(lane);
    const puller =
      this.#pullers.get(queue) ??
      new LanePuller({
        connection: this.#pulling,
        queue,
        onGone: () => this.#queues.gone(lane),
        onLost: (ids) => {
          if (!this.#closed) this.#lost(ids);
        },
      });
    this.#pullers.delete(queue);
    this.#pullers.set(queue, puller);
    if (this.#pullers.size > MAX_IDLE_LANES) this.#closeOneIdle();
    return puller;
  }

  #closeOneIdle(): void {
    for (const [queue, puller] of this.#pullers) {
      if (!puller.isIdle) continue;
      this.#pullers.delete(queue);
      puller.close();
      return;
    }
  }
}
