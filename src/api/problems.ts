import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyBaseLogger, FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { HearthError, toHearthError } from '../errors.ts';
import { validationError } from './validation.ts';

/** The one place where errors become responses: RFC 9457 problem details. */

const PROBLEM_TYPE = 'application/problem+json';

/** Anything that a route, Fastify or its plugins threw, as one of ours. */
function asHearthError(error: unknown): HearthError {
  if (error instanceof HearthError) return error;
  const { code, statusCode, validation, validationContext, message } = error as Partial<FastifyError>;
  if (validation !== undefined) return validationError(validation, validationContext ?? 'body');
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new HearthError('body_too_large', 'The request body is larger than the control plane takes.', { cause: error });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new HearthError('unsupported_media_type', 'The control plane takes bodies of the type application/json only.', { cause: error });
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new HearthError('malformed_request', message ?? 'The request is malformed.', { cause: error });
  }
  return toHearthError(error);
}

export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = asHearthError(error);
  if (known.status >= 500) request.log.error({ err: known, correlationId: request.id }, 'a request of the control plane failed');
  if (known.retryAfter !== undefined) reply.header('retry-after', String(known.retryAfter));
  if (known.allow !== undefined) reply.header('allow', known.allow.join(', '));
  if (known.challenge !== undefined) reply.header('www-authenticate', known.challenge);
  const problem = { ...known.toProblem(), ...(known.code === 'internal' ? { correlation_id: request.id } : {}) };
  // As text: a serialiser made from the route's schema would leave out members that only some problems have.
  return reply.code(known.status).type(PROBLEM_TYPE).send(JSON.stringify(problem));
}

/** For what Node.js rejects before there is a request: malformed HTTP, headers too large, a client too slow. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket, log: FastifyBaseLogger): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  log.debug({ err: error }, 'a client of the control plane sent what is no HTTP request');
  const known = clientError(error.code);
  const body = JSON.stringify(known.toProblem());
  socket.end(
    `HTTP/1.1 ${known.status} ${STATUS_CODES[known.status]}\r\nContent-Type: ${PROBLEM_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function clientError(code: string | undefined): HearthError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new HearthError('headers_too_large', 'The headers of the request are larger than the control plane takes.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new HearthError('request_timeout', 'The request did not arrive in time.');
    default:
      return new HearthError('malformed_request', 'What arrived is no well-formed HTTP request.');
  }
}
