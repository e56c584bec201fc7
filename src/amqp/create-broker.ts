import type { Channel } from 'amqplib';
import { brokerAddresses } from './broker-address.ts';
import { BrokerConnection, type BrokerConnectionParts } from './broker-connection.ts';
import { type ExchangeMessage, ExchangePublisher, type OutgoingMessage } from './exchange-publisher.ts';

/** The operator's RabbitMQ. */
export interface Broker {
  /** See ExchangePublisher. */
  publish(message: ExchangeMessage, ending: AbortSignal): Promise<void>;
  /** See ExchangePublisher. */
  send(message: OutgoingMessage, ending: AbortSignal): Promise<void>;
  /**
   * A channel to consume on, over a connection of its own: a broker that has too little memory stops reading from those that publish, acknowledgements too.
   * @throws Error that says why there is none
   */
  openConsumerChannel(): Promise<Channel>;
  readonly counts: BrokerCounts;
  close(): Promise<void>;
}

/** Of a connection: null while nobody has asked for it. */
export interface BrokerCounts {
  publishing: BrokerConnection['counts'];
  consuming: BrokerConnection['counts'];
  /** Messages, by what came of them. */
  published: Readonly<ExchangePublisher['counts']>;
}

/**
 * Connects to nothing yet: a broker that is away must not keep the platform from starting.
 * @param url `amqp.url` of the configuration
 * @throws HearthError invalid_config when it can't be read
 */
export function createBroker(url: string, parts: Omit<BrokerConnectionParts, 'addresses'>): Broker {
  const addresses = brokerAddresses(url);
  const connection = new BrokerConnection({ ...parts, addresses });
  const consuming = new BrokerConnection({ ...parts, addresses });
  const publisher = new ExchangePublisher(connection);
  return {
    publish: (message, ending) => publisher.publish(message, ending),
    send: (message, ending) => publisher.send(message, ending),
    openConsumerChannel: () => consuming.openPlainChannel(),
    get counts() {
      return { publishing: connection.counts, consuming: consuming.counts, published: publisher.counts };
    },
    async close() {
      // What was acknowledged last goes out before the way for it is gone.
      await consuming.close();
      await connection.close();
    },
  };
}
