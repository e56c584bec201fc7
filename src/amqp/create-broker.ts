import { brokerAddress } from './broker-address.ts';
import { BrokerConnection, type BrokerConnectionParts } from './broker-connection.ts';
import { type ExchangeMessage, ExchangePublisher } from './exchange-publisher.ts';

/** The operator's RabbitMQ. */
export interface Broker {
  /** See ExchangePublisher. */
  publish(message: ExchangeMessage, ending: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/**
 * Connects to nothing yet: a broker that is away must not keep the platform from starting.
 * @param url `amqp.url` of the configuration
 * @throws HearthError invalid_config when it can't be read
 */
export function createBroker(url: string, parts: Omit<BrokerConnectionParts, 'address'>): Broker {
  const connection = new BrokerConnection({ ...parts, address: brokerAddress(url) });
  const publisher = new ExchangePublisher(connection);
  return { publish: (message, ending) => publisher.publish(message, ending), close: () => connection.close() };
}
