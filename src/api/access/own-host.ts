import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { HearthError } from '../../errors.ts';
import { isLoopback, withoutBrackets } from './loopback.ts';
import { isReading } from './roles.ts';

/** Under which names the control plane may be addressed. */
export interface HostPolicy {
  /** What it listens on. */
  host: string;
  /** Further ones, in lower case: `name`, for any port, or `name:port`. */
  allowedHosts: readonly string[];
}

const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/;

/**
 * Web pages can't lie about the Host. A page whose name has been pointed at our address (DNS rebinding) sends that name, which is none of ours.
 * @param header in lower case
 * @param localPort the one that the connection reached
 */
export function isOwnHost(header: string, localPort: number | undefined, policy: HostPolicy): boolean {
  const [, name, portText] = HOST.exec(header) ?? [];
  if (name === undefined) return false;
  if (policy.allowedHosts.includes(header) || policy.allowedHosts.includes(name)) return true;
  const address = withoutBrackets(name);
  // Listening everywhere, possibly behind a mapped port, we don't know our own address; rebinding needs a name, though, and an address is none.
  if (isWildcard(policy.host) && (name === 'localhost' || isIP(address) !== 0)) return true;
  if (Number(portText ?? 80) !== localPort) return false;
  return isLoopback(name) || address === policy.host.toLowerCase();
}

/**
 * Whether a browser says that another site's page asks. Browsers send Origin with whatever changes something, and Sec-Fetch-Site in secure contexts; others
 * send neither.
 * @param host in lower case, found to be ours
 */
export function isForeignOrigin(origin: string | undefined, site: string | undefined, host: string, allowedHosts: readonly string[]): boolean {
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  if (origin === undefined) return false;
  // The scheme may be that of a proxy in front of us.
  const at = /^https?:\/\//.test(origin) && URL.canParse(origin) ? new URL(origin) : undefined;
  if (at === undefined || at.origin !== origin) return true;
  return at.host !== host && at.host !== new URL(`${at.protocol}//${host}`).host && !allowedHosts.includes(at.host);
}

/** @throws HearthError host_not_allowed or cross_origin */
export function checkSender(request: FastifyRequest, policy: HostPolicy): void {
  const host = request.headers.host?.toLowerCase() ?? '';
  if (!hasOneHost(request.raw.rawHeaders) || !fitsTarget(request.raw.url ?? '', host) || !isOwnHost(host, request.socket.localPort, policy)) {
    throw new HearthError(
      'host_not_allowed',
      `The control plane is not known as ${JSON.stringify(host.slice(0, 256))}. If that is a name of it, add it to api.allowed_hosts (HEARTH_API_ALLOWED_HOSTS).`,
    );
  }
  if (isReading(request.method)) return;
  const { origin } = request.headers;
  if (isForeignOrigin(origin, request.headers['sec-fetch-site'] as string | undefined, host, policy.allowedHosts)) {
    throw new HearthError(
      'cross_origin',
      `A page of ${JSON.stringify((origin ?? 'another site').slice(0, 256))} asked for this change; only pages of the control plane itself may. ` +
        'If the page is its own under another name, add that to api.allowed_hosts (HEARTH_API_ALLOWED_HOSTS).',
    );
  }
}

/** Of several, Node.js takes the first; who knows what a proxy took (RFC 9112 §3.2). */
function hasOneHost(rawHeaders: readonly string[]): boolean {
  return rawHeaders.filter((text, index) => index % 2 === 0 && text.toLowerCase() === 'host').length === 1;
}

/** A target in absolute form has a host of its own, which goes before the header and must be the same (RFC 9112 §3.2.2). */
function fitsTarget(target: string, host: string): boolean {
  if (target.startsWith('/') || target === '*') return true;
  const authority = /^https?:\/\/([^/?#]*)/i.exec(target)?.[1];
  return authority?.toLowerCase() === host;
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || withoutBrackets(host) === '::';
}
