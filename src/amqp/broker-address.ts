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

/**
 * Reads an AMQP URI (rabbitmq.com/docs/uri-spec): `amqp://user:password@host:port/vhost`, each part in percent encoding; without a user it is `guest`, without a vhost `/`.
 * @throws HearthError invalid_config that does not repeat the URL, since a password may be in it
 * @param setting where the text comes from
 */
export function brokerAddress(text: string, setting = 'amqp.url'): BrokerAddress {
  const invalid = (what: string) =>
    new HearthError(
      'invalid_config',
      `Configuration: ${setting} ${what}. It comes from the configuration file or HEARTH_${setting.replace('.', '_').toUpperCase()}.`,
    );
  const decode = (part: string) => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw invalid('has a % in its user or password that begins no percent encoding; write %25 for it');
    }
  };
  const url = URL.parse(text);
  if (!url || !/^amqps?:$/.test(url.protocol) || url.hostname === '') throw invalid('is to be of the form amqp://user:password@host:port/vhost');
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
