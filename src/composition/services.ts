import type { Config } from '../config.ts';
import { HearthError } from '../errors.ts';
import type { Service } from '../services/services.ts';
import { answersByBroker, messageQueue } from './broker.ts';

/** Each has an address and a listening socket in every sandbox. */
const MAX_SERVICES = 64;
/** Names that lead somewhere already. */
const TAKEN = new Set(['localhost', 'fn', 'message_queue']);

/**
 * What functions reach by a name.
 * @param brokerAt the place in `amqp.url` of the broker's node that scripts are to be led to
 * @throws HearthError invalid_config
 */
export function readServices(config: Pick<Config, 'services' | 'amqp'>, brokerAt: () => number): Service[] {
  const services = Object.entries(config.services).map(([name, target]) => readService(name, target));
  if (new Set(services.map(({ name }) => name)).size < services.length) throw invalid('has a name twice');
  if (services.length > MAX_SERVICES) throw invalid(`has ${services.length} names; there may be ${MAX_SERVICES}`);
  return answersByBroker(config) ? [messageQueue(config, brokerAt), ...services] : services;
}

function readService(key: string, target: string): Service {
  const [name = '', inner = ''] = key.split(/:(.*)/s, 2);
  if (!/^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/.test(name))
    throw invalid(
      `has the name '${name}', which is none of a host: small letters, digits, _, - and dots, and a port behind a colon if functions are to use another one than the target's`,
    );
  if (TAKEN.has(name)) throw invalid(`has the name '${name}', which leads somewhere else already`);
  const [, host = '', digits = ''] = /^(?:\[?)([^[\]\s/@]+?)\]?:(\d{1,5})$/.exec(target ?? '') ?? [];
  const port = Number(digits);
  const innerPort = inner === '' ? port : Number(inner);
  if (!(innerPort >= 1 && innerPort <= 65_535)) throw invalid(`has the name '${key}', which ends in no port`);
  if (host === '' || port < 1 || port > 65_535) throw invalid(`leads the name '${name}' to '${target}', which is not of the form host:port`);
  return { name, port: innerPort, target: () => ({ host, port }) };
}

function invalid(what: string): HearthError {
  return new HearthError('invalid_config', `Configuration: services ${what}. It comes from the configuration file or HEARTH_SERVICES.`);
}
