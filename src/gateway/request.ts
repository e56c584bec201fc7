import type { IncomingMessage } from 'node:http';
import { HearthError } from '../errors.ts';
import { canonicalPath } from '../router/canonical-path.ts';
import { VERSION_HEADER } from '../router/choose-versions.ts';

/** The request target, taken apart. */
export interface Target {
  /** Canonical; what routing and the function see. */
  path: string;
  /** As it came, without scheme and authority. */
  rawPath: string;
  /** Without the question mark. */
  query: string;
}

/** @throws HearthError malformed_request */
export function parseTarget(url: string): Target {
  // RFC 9112 §3.2.2: an absolute form must be accepted.
  const rawPath = url.startsWith('/') ? url : url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '') || '/';
  const question = rawPath.indexOf('?');
  const path = canonicalPath(question < 0 ? rawPath : rawPath.slice(0, question));
  if (path === undefined || !path.startsWith('/')) {
    throw new HearthError(
      'malformed_request',
      'The path of the request has a dot segment, a NUL or a broken percent-encoding, or does not begin with /.',
    );
  }
  return { path, rawPath, query: question < 0 ? '' : rawPath.slice(question + 1) };
}

/** Headers for the function: as they came, but for the caller's X-Correlation-Id, in whose place comes ours. */
export function functionHeaders(raw: readonly string[], correlationId: string): string[] {
  const headers: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] as string;
    if (name.length === 16 && name.toLowerCase() === 'x-correlation-id') continue;
    headers.push(name, raw[index + 1] as string);
  }
  headers.push('X-Correlation-Id', correlationId);
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
 */
export function readBody(request: IncomingMessage, limit: number, done: (error: HearthError | null, body: Buffer) => void): void {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > limit) {
    done(tooLarge(limit), EMPTY);
    return;
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes <= limit) {
      chunks.push(chunk);
      return;
    }
    request.off('data', onData);
    request.off('end', onEnd);
    done(tooLarge(limit), EMPTY);
  };
  const onEnd = (): void => done(null, chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes));
  request.on('data', onData);
  request.on('end', onEnd);
}

const EMPTY = Buffer.alloc(0);

function tooLarge(limit: number): HearthError {
  return new HearthError('body_too_large', `The request body is larger than ${limit} bytes. Send less, or raise gateway.max_body_bytes.`, {
    extra: { limit_bytes: limit },
  });
}
