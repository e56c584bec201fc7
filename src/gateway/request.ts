import type { IncomingMessage, ServerResponse } from 'node:http';
import { HearthError } from '../errors.ts';
import { canonicalPath } from '../router/canonical-path.ts';
import { VERSION_HEADER } from '../router/choose-versions.ts';
import type { BodyMemory } from './body-memory.ts';
import { checkHost } from './check-request.ts';
import { type Client, isForwardingHeader, isRewritten } from './client-address.ts';

/** What functions are told by the platform, and by no caller. */
const PLATFORMS_OWN: ReadonlySet<string> = new Set(['x-correlation-id', 'x-hearth-attempt', 'x-hearth-destination', 'x-hearth-queue']);

/** The request target, taken apart. */
export interface Target {
  /** Canonical; what routing and the function see. */
  path: string;
  /** As it came, without scheme and authority. */
  rawPath: string;
  /** Without the question mark. */
  query: string;
  /** Of a target in absolute form: stands for the Host header. */
  host: string | null;
}

/** @throws HearthError malformed_request */
export function parseTarget(url: string): Target {
  // RFC 9112 §3.2.2: an absolute form must be accepted, and its host counts, whatever the Host header says.
  const absolute = url.startsWith('/') ? null : /^https?:\/\/([^/?#]+)/i.exec(url);
  if (absolute) checkHost(absolute[1] as string);
  const rest = absolute ? url.slice(absolute[0].length) : url;
  const rawPath = absolute && !rest.startsWith('/') ? `/${rest}` : rest;
  const question = rawPath.indexOf('?');
  const path = canonicalPath(question < 0 ? rawPath : rawPath.slice(0, question));
  if (path === undefined || !path.startsWith('/') || rawPath.includes('#')) {
    throw new HearthError(
      'malformed_request',
      'The target of the request does not begin with / or http://, or has a dot segment, a backslash, a fragment, a NUL or a broken percent-encoding.',
    );
  }
  return { path, rawPath, query: question < 0 ? '' : rawPath.slice(question + 1), host: absolute ? (absolute[1] as string) : null };
}

/**
 * Headers for the function: as they came, but for those that the platform vouches for: the caller's X-Correlation-Id and X-Hearth-Attempt are taken out for ours to stand there, and what is said about the way of the request is passed on only when a named proxy says it.
 */
export function passedHeaders(raw: readonly string[], client: Client, host: string | null): string[] {
  const headers: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] as string;
    const first = name.charCodeAt(0) | 0x20;
    // All names of interest begin with x, f or h.
    if (first === 0x78 || first === 0x66) {
      const lower = name.toLowerCase();
      if (PLATFORMS_OWN.has(lower) || (isForwardingHeader(lower) && (!client.viaProxy || isRewritten(lower)))) continue;
    } else if (host !== null && first === 0x68 && name.toLowerCase() === 'host') continue;
    headers.push(name, raw[index + 1] as string);
  }
  if (host !== null) headers.push('Host', host);
  headers.push('X-Forwarded-For', client.address, 'X-Forwarded-Proto', client.scheme);
  return headers;
}

/** The caller's own id of the request, kept as metadata and echoed; bounded, and only what is safe to echo. */
export function callerRequestId(request: IncomingMessage): string | null {
  const id = request.headers['x-request-id'] ?? request.headers['x-correlation-id'];
  return typeof id === 'string' && /^[\u0021-\u007e]{1,200}$/.test(id) ? id : null;
}

/** Value of X-Hearth-Version. From the raw headers, whose names need no parsing. */
export function versionOverride(raw: readonly string[]): string | undefined {
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] as string;
    if (name.length === VERSION_HEADER.length && name.toLowerCase() === VERSION_HEADER) return raw[index + 1];
  }
  return undefined;
}

/** By its lower-case name; of a repeated header the values as Node.js joins them. */
export function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** Whether a body may follow (RFC 9112 §6.3). */
export function hasBody(request: IncomingMessage): boolean {
  const { headers } = request;
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] !== undefined && headers['content-length'] !== '0');
}

/**
 * Reads the body whole, and calls back once; not at all when the caller leaves before its end.
 * @param limit bytes; a longer body is an error as soon as that is known, and the rest of it is not read
 * @param memory what all bodies together may hold; what this one took is given back when its response closes
 */
export function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  limit: number,
  memory: BodyMemory,
  done: (error: HearthError | null, body: Buffer) => void,
): void {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > limit) {
    done(tooLarge(limit), EMPTY);
    return;
  }
  let chunks: Buffer[] = [];
  let bytes = 0;
  const stop = (error: HearthError): void => {
    request.off('data', onData);
    request.off('end', onEnd);
    chunks = [];
    done(error, EMPTY);
  };
  const onData = (chunk: Buffer): void => {
    if (bytes + chunk.length > limit) stop(tooLarge(limit));
    else if (!memory.take(chunk.length)) stop(noMemory());
    else {
      bytes += chunk.length;
      chunks.push(chunk);
    }
  };
  const onEnd = (): void => done(null, chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes));
  request.on('data', onData);
  request.on('end', onEnd);
  response.once('close', () => memory.giveBack(bytes));
}

function noMemory(): HearthError {
  return new HearthError('gateway_full', 'The bodies of all requests together are larger than gateway.body_memory_bytes. Try again.', {
    retryAfter: 1,
  });
}

const EMPTY = Buffer.alloc(0);

function tooLarge(limit: number): HearthError {
  return new HearthError('body_too_large', `The request body is larger than ${limit} bytes. Send less, or raise gateway.max_body_bytes.`, {
    extra: { limit_bytes: limit },
  });
}
