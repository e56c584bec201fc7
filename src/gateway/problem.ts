import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { HearthError } from '../errors.ts';

/** Answers with RFC 9457 problem details. @param headers names and values in turn @param end false: the caller ends the response */
export function sendProblem(
  response: ServerResponse,
  error: HearthError,
  headers: readonly string[] = [],
  members: Record<string, unknown> = {},
  end = true,
): void {
  if (response.headersSent || response.destroyed) return;
  const body = Buffer.from(JSON.stringify({ ...error.toProblem(), ...members }));
  const head = [...headers, 'Content-Type', 'application/problem+json', 'Content-Length', String(body.length)];
  if (error.retryAfter !== undefined) head.push('Retry-After', String(error.retryAfter));
  if (error.allow) head.push('Allow', error.allow.join(', '));
  response.writeHead(error.status, head);
  if (end) response.end(body);
  else response.write(body);
}

/** The same for a connection on which no request could be read: written by hand, and the connection is over. */
export function rawProblem(error: HearthError): string {
  const body = JSON.stringify(error.toProblem());
  return [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? 'Error'}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(error.retryAfter === undefined ? [] : [`Retry-After: ${error.retryAfter}`]),
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
