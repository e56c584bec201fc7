import { HearthError } from '../errors.ts';

/** Where a broker is and who we are there, in the shape that amqplib takes it in. */
export interface BrokerAddress {
  readonly protocol: 'amqp' | 'amqps';
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly vhost: string;
  /** For logs and errors: without user and password. */
  readonly shown: string;
}

/** One, or nodes of one cluster: each serves the same queues. */
export type BrokerAddresses = readonly [BrokerAddress, ...BrokerAddress[]];

/**
 * Reads one AMQP URI, or several of one cluster's nodes with commas between them. A comma that no URI follows belongs to what is before it, a password for example.
 * @throws HearthError invalid_config that repeats no URL, since a password may be in it
 * @param setting where the text comes from
 */
export function brokerAddresses(text: string, setting = 'amqp.url'): BrokerAddresses {
  const [first = '', ...others] = text.split(/\s*,\s*(?=amqps?:\/\/)/i);
  const addresses: BrokerAddresses = [brokerAddress(first, setting), ...others.map((other) => brokerAddress(other, setting))];
  const differing = (['username', 'password', 'vhost'] as const).find((part) => addresses.some((address) => address[part] !== addresses[0][part]));
  if (differing)
    throw invalidSetting(setting, `has ${differing}s that differ: several URLs name the nodes of one cluster, where these are the same on each`);
  if (new Set(addresses.map(({ shown }) => shown)).size < addresses.length) throw invalidSetting(setting, 'names the same node twice');
  return addresses;
}

/**
 * Reads an AMQP URI (rabbitmq.com/docs/uri-spec): `amqp://user:password@host:port/vhost`, each part in percent encoding; without a user it is `guest`, without a vhost `/`.
 * @throws HearthError invalid_config that does not repeat the URL, since a password may be in it
 * @param setting where the text comes from
 */
export function brokerAddress(text: string, setting = 'amqp.url'): BrokerAddress {
  const invalid = (what: string) => invalidSetting(setting, what);
  const decode = (part: string) => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw invalid('has a % in its user or password that begins no percent encoding; write %25 for it');
    }
  };
  const url = URL.parse(text);
  if (!url || !/^amqps?:$/.test(url.protocol) || url.hostname === '') throw invalid('is to be of the form amqp://user:password@host:port/vhost');
  if (url.hostname.includes(','))
    throw invalid('has a host with a comma; of several nodes each is named by a whole URL: amqp://user:password@host:port/vhost,amqp://…');
  if (url.search !== '' || url.hash !== '')
    throw invalid('takes no parameters after a ? or #; write such characters of the password in percent encoding');
  const protocol = url.protocol === 'amqps:' ? 'amqps' : 'amqp';
  const port = url.port === '' ? (protocol === 'amqps' ? 5671 : 5672) : Number(url.port);
  const path = url.pathname.slice(1);
  const anonymous = url.username === '' && url.password === '';
  return {
    protocol,
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port,
    username: anonymous ? 'guest' : decode(url.username),
    password: anonymous ? 'guest' : decode(url.password),
    // amqplib decodes it itself.
    vhost: path === '' ? '/' : path,
    shown: `${protocol}://${url.hostname}:${port}/${path}`,
  };
}

function invalidSetting(setting: string, what: string): HearthError {
  const variable = `HEARTH_${setting.replace('.', '_').toUpperCase()}`;
  return new HearthError('invalid_config', `Configuration: ${setting} ${what}. It comes from the configuration file or ${variable}.`);
}
