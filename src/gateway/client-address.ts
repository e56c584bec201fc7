import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import { HearthError } from '../errors.ts';

/** Who calls, as far as it can be believed. */
export interface Client {
  /** IPv4 or IPv6 address. */
  address: string;
  scheme: 'http' | 'https';
  /** The connection comes from one of the named proxies. */
  viaProxy: boolean;
}

/** Tells the client's address: that of the connection, or what a named proxy says of it. */
export class ClientAddresses {
  readonly #proxies: BlockList | null;

  /** @param trustedProxies addresses and CIDR ranges @throws HearthError invalid_config */
  constructor(trustedProxies: readonly string[]) {
    this.#proxies = trustedProxies.length === 0 ? null : blockList(trustedProxies);
  }

  of(request: IncomingMessage): Client {
    const peer = plainAddress(request.socket.remoteAddress ?? '');
    if (!this.#proxies || !this.#isProxy(peer)) return { address: peer, scheme: 'http', viaProxy: false };
    const { headers } = request;
    return { address: this.#behind(peer, headers['x-forwarded-for']), scheme: schemeOf(headers['x-forwarded-proto']), viaProxy: true };
  }

  /** Each proxy appends whom it was called by. From the right, the first who is no named proxy is the client; what stands left of it is anybody's word. */
  #behind(peer: string, chain: string | string[] | undefined): string {
    let client = peer;
    for (const entry of String(chain ?? '')
      .split(',')
      .reverse()) {
      const address = plainAddress(withoutPort(entry.trim()));
      if (isIP(address) === 0) break;
      client = address;
      if (!this.#isProxy(address)) break;
    }
    return client;
  }

  #isProxy(address: string): boolean {
    const family = isIP(address);
    return family !== 0 && this.#proxies !== null && this.#proxies.check(address, family === 6 ? 'ipv6' : 'ipv4');
  }
}

/**
 * Whether a header says something about the way of the request that only a named proxy may say. `Forwarded` and `X-Real-IP` are nobody's: proxies that
 * write the one header pass the other on as the client sent it.
 * @param name in lower case
 */
export function isForwardingHeader(name: string): boolean {
  return name.startsWith('x-forwarded-') || name === 'forwarded' || name === 'x-real-ip';
}

/** Those that the gateway writes itself, from what it believes, or nobody. @param name in lower case */
export function isRewritten(name: string): boolean {
  return name === 'x-forwarded-for' || name === 'x-forwarded-proto' || name === 'forwarded' || name === 'x-real-ip';
}

function blockList(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', prefix, ...rest] = entry.split('/');
    const family = isIP(address);
    const bits = prefix === undefined ? (family === 6 ? 128 : 32) : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
    if (family === 0 || rest.length > 0 || !(bits <= (family === 6 ? 128 : 32))) {
      throw new HearthError(
        'invalid_config',
        `Configuration: gateway.trusted_proxies has ${JSON.stringify(entry)}, which is no address and no range such as 10.0.0.0/8.`,
      );
    }
    list.addSubnet(address, bits, family === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}

/** An IPv4 address that a socket for both families gives as IPv6, as itself. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/** `203.0.113.9:4711` and `[2001:db8::1]:4711` are seen in the wild. */
function withoutPort(entry: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(entry);
  if (bracketed) return bracketed[1] as string;
  return /^[\d.]+:\d+$/.test(entry) ? entry.slice(0, entry.indexOf(':')) : entry;
}

function schemeOf(header: string | string[] | undefined): 'http' | 'https' {
  const values = String(header ?? '').split(',');
  return values.at(-1)?.trim().toLowerCase() === 'https' ? 'https' : 'http';
}
