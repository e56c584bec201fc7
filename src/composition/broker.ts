import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { brokerAddress } from '../amqp/broker-address.ts';
import { ClientFarewell } from '../amqp/client-farewell.ts';
import type { Config } from '../config.ts';
import { HearthError } from '../errors.ts';
import type { Service } from '../services/services.ts';

/** Whether scripts answer by the queues of the operator's broker. */
export function answersByBroker({ amqp }: Pick<Config, 'amqp'>): boolean {
  return amqp.url !== '' && amqp.message_queue === 'broker';
}

/** The broker as functions see it. @throws HearthError invalid_config */
export function messageQueue({ amqp }: Pick<Config, 'amqp'>): Service {
  const { protocol, hostname, port } = amqp.functions_url === '' ? brokerAddress(amqp.url) : brokerAddress(amqp.functions_url, 'amqp.functions_url');
  const ca = brokerCa({ amqp });
  // The same bytes inside TLS: functions speak plain AMQP, whatever leads to the broker.
  const tls = { ...(ca ? { ca } : {}), ...(isIP(hostname) ? {} : { servername: hostname }) };
  return {
    name: 'message_queue',
    port: 5672,
    target: { host: hostname, port, ...(protocol === 'amqps' ? { tls } : {}) },
    watch: () => new ClientFarewell(),
  };
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
