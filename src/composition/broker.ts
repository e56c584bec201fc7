import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { type BrokerAddress, brokerAddresses } from '../amqp/broker-address.ts';
import { ClientFarewell } from '../amqp/client-farewell.ts';
import type { Config } from '../config.ts';
import { HearthError } from '../errors.ts';
import type { Service, ServiceTarget } from '../services/services.ts';

const CLUSTER_HEARTBEAT_S = 3;

/** Whether scripts answer by the queues of the operator's broker. */
export function answersByBroker({ amqp }: Pick<Config, 'amqp'>): boolean {
  return amqp.url !== '' && amqp.message_queue === 'broker';
}

/**
 * The broker as functions see it: of several nodes the one on which the platform has its own connection, for the queues by which they answer are there.
 * @param at that node's place in the list of `amqp.url`
 * @throws HearthError invalid_config
 */
export function messageQueue({ amqp }: Pick<Config, 'amqp'>, at: () => number): Service {
  const nodes = brokerAddresses(amqp.url);
  const seen = amqp.functions_url === '' ? nodes : brokerAddresses(amqp.functions_url, 'amqp.functions_url');
  if (seen.length > 1 && seen.length !== nodes.length)
    throw new HearthError(
      'invalid_config',
      `Configuration: amqp.functions_url has ${seen.length} URLs and amqp.url ${nodes.length}; it takes one, or one for each of those, in the same order.`,
    );
  const ca = brokerCa({ amqp });
  const targets = seen.map((address) => targetOf(address, ca));
  return {
    name: 'message_queue',
    port: 5672,
    target: () => (targets[at()] ?? targets[0]) as ServiceTarget,
    watch: () => new ClientFarewell(),
  };
}

/** The same bytes inside TLS: functions speak plain AMQP, whatever leads to the broker. */
function targetOf({ protocol, hostname, port }: BrokerAddress, ca: Buffer | undefined): ServiceTarget {
  const tls = { ...(ca ? { ca } : {}), ...(isIP(hostname) ? {} : { servername: hostname }) };
  return { host: hostname, port, ...(protocol === 'amqps' ? { tls } : {}) };
}

/** How soon a silent broker is given up. In a cluster its other nodes are there to go to, within ten seconds, which are three heartbeats of three. */
export function brokerHeartbeat({ database }: Pick<Config, 'database'>): { heartbeatS?: number } {
  return database.url === '' ? {} : { heartbeatS: CLUSTER_HEARTBEAT_S };
}

/** Of an `amqps` broker whose certificate is signed by nobody whom Node.js knows; undefined: none was named. @throws HearthError invalid_config */
export function brokerCa({ amqp }: Pick<Config, 'amqp'>): Buffer | undefined {
  if (amqp.ca_file === '') return undefined;
  try {
    return readFileSync(resolve(amqp.ca_file));
  } catch (cause) {
    throw new HearthError('invalid_config', `The file ${amqp.ca_file} of amqp.ca_file can't be read: ${(cause as Error).message}.`, { cause });
  }
}
