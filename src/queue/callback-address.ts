import { lookup as dnsLookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { HearthError } from '../errors.ts';

/** Addresses that are the host itself, its neighbours, or nobody (RFC 6890 and its successors): a caller from outside must not reach them through us. */
const INSIDE: readonly [net: string, prefix: number, family: 'ipv4' | 'ipv6'][] = [
  ['0.0.0.0', 8, 'ipv4'],
  ['10.0.0.0', 8, 'ipv4'],
  ['100.64.0.0', 10, 'ipv4'],
  ['127.0.0.0', 8, 'ipv4'],
  // Of Azure; the others' metadata services lie in ranges that are inside anyway.
  ['168.63.129.16', 32, 'ipv4'],
  ['169.254.0.0', 16, 'ipv4'],
  ['172.16.0.0', 12, 'ipv4'],
  ['192.0.0.0', 24, 'ipv4'],
  ['192.168.0.0', 16, 'ipv4'],
  ['198.18.0.0', 15, 'ipv4'],
  ['224.0.0.0', 4, 'ipv4'],
  ['240.0.0.0', 4, 'ipv4'],
  ['::', 128, 'ipv6'],
  ['::1', 128, 'ipv6'],
  // Ways through IPv6 to an address of IPv4: translated (NAT64), 6to4, Teredo.
  ['64:ff9b::', 96, 'ipv6'],
  ['64:ff9b:1::', 48, 'ipv6'],
  ['2002::', 16, 'ipv6'],
  ['2001::', 32, 'ipv6'],
  ['fc00::', 7, 'ipv6'],
  ['fe80::', 10, 'ipv6'],
  ['fec0::', 10, 'ipv6'],
  ['ff00::', 8, 'ipv6'],
];
const MAX_URL_CHARS = 2048;

/** Where results may be sent: anywhere outside, and to hosts that the operator names. */
export class CallbackAddresses {
  readonly #blocked = new BlockList();
  readonly #allowed: ReadonlySet<string>;

  /** @param allowed `host` or `host:port`, wherever they are */
  constructor(allowed: readonly string[]) {
    this.#allowed = new Set(allowed.map((host) => host.toLowerCase()));
    for (const [net, prefix, family] of INSIDE) this.#blocked.addSubnet(net, prefix, family);
  }

  /** What can be said without asking DNS. @throws HearthError invalid_request */
  check(text: string): void {
    const url = URL.parse(text);
    if (!url || text.length > MAX_URL_CHARS || !/^https?:$/.test(url.protocol)) {
      throw invalid(`is to be an http or https URL of at most ${MAX_URL_CHARS} characters.`);
    }
    if (url.username !== '' || url.password !== '') throw invalid('must not have a user or password in it.');
    const host = bare(url.hostname);
    if (this.#isAllowed(url)) return;
    if (host === 'localhost' || host.endsWith('.localhost') || (isIP(host) !== 0 && this.#isInside(host))) {
      throw invalid(`leads to ${host}, inside the platform's own network. The operator can allow a host by queue.callback_hosts.`);
    }
  }

  /** For the connection: resolves the name, and leaves out what is inside, so that a name can't lead there either. */
  lookupFor(url: URL): LookupFunction {
    if (this.#isAllowed(url)) return dnsLookup as LookupFunction;
    return (hostname, options, callback) => {
      dnsLookup(hostname, { ...options, all: true }, (error, addresses) => {
        const outside = error ? [] : addresses.filter(({ address }) => !this.#isInside(address));
        const [first] = outside;
        if (error || !first) {
          callback(error ?? new Error(`${hostname} leads inside the platform's own network`), []);
          return;
        }
        if (options.all) callback(null, outside);
        else callback(null, first.address, first.family);
      });
    };
  }

  #isAllowed(url: URL): boolean {
    return this.#allowed.has(url.hostname) || this.#allowed.has(url.host);
  }

  #isInside(address: string): boolean {
    return this.#blocked.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
}

/** Without the brackets of an IPv6 address. */
function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}

function invalid(what: string): HearthError {
  return new HearthError('invalid_request', `The callback URL ${what}`, { extra: { errors: [{ field: 'callback_url', message: what }] } });
}
