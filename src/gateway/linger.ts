import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How long, and how much, of a body that nobody wants is read. */
const LINGER_MS = 1000;
const LINGER_BYTES = 16 * 1024 * 1024;

/**
 * Ends a connection whose request was answered before its body had come. Closing it at once would make the kernel reset it, and the caller, still sending,
 * would lose the answer (RFC 9112 §9.6): so what comes is read and dropped for a moment first. The answer must have been written, and not ended.
 */
export function lingerAndClose(request: IncomingMessage, response: ServerResponse): void {
  let bytes = 0;
  let over = false;
  const close = (): void => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    response.end(() => request.destroy());
  };
  const timer = setTimeout(close, LINGER_MS);
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > LINGER_BYTES) close();
  });
  request.on('end', close);
  request.on('close', close);
}

/** Ends an answer that did not say that its connection ends, before the request's body had come: what is left of it has a moment to come, or the connection ends. */
export function lingerAndGoOn(request: IncomingMessage, response: ServerResponse): void {
  const timer = setTimeout(() => {
    if (!request.complete) request.destroy();
  }, LINGER_MS);
  const stop = (): void => clearTimeout(timer);
  request.once('end', stop);
  request.once('close', stop);
  response.end();
}

/** Ends our side of a connection that is no HTTP server's any more. What still comes is dropped for a moment, for the sake of what was said last. */
export function endSocket(socket: Socket): void {
  socket.resume();
  socket.end();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}
