import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Api } from './api.ts';

/** How long, and how much, of a body that nobody wants is read. */
const LATE_MS = 1000;
const LATE_BYTES = 64 * 1024 * 1024;

/**
 * Reads on for a moment when a request is answered before its body has come. To close the connection at once, which Fastify asks for, would make the kernel
 * reset it, and a client that is still sending would lose the answer (RFC 9112 §9.6).
 */
export function readLateBodies(app: Api): void {
  app.addHook('onSend', (request, reply, payload, done) => {
    const { raw } = request;
    if (!raw.complete && hasBody(raw)) {
      reply.removeHeader('connection');
      readOn(raw, reply.raw);
    }
    done(null, payload);
  });
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function readOn(request: IncomingMessage, response: ServerResponse): void {
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > LATE_BYTES) request.destroy();
  });
  request.resume();
  response.once('finish', () => {
    if (request.complete) return;
    const timer = setTimeout(() => request.destroy(), LATE_MS);
    const stop = (): void => clearTimeout(timer);
    request.once('end', stop);
    request.once('close', stop);
  });
}
