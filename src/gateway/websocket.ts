import type { IncomingMessage } from 'node:http';
import { HearthError } from '../errors.ts';
import type { RouteTarget } from '../router/router.ts';
import { hasBody } from './request.ts';

/** 16 bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/** Whether a request asks for a WebSocket, and not for some other protocol (RFC 6455 §4.2.1). */
export function asksForWebSocket(request: IncomingMessage): boolean {
  const { method, httpVersion, headers } = request;
  return (
    method === 'GET' && httpVersion === '1.1' && lists(headers.upgrade, 'websocket') && lists(headers.connection, 'upgrade') && !hasBody(request)
  );
}

/** Of several functions on one event key none can have the connection. */
export function takesWebSocket(targets: readonly RouteTarget[]): boolean {
  return targets.length === 1 && (targets[0] as RouteTarget).version.websocket;
}

/**
 * Browsers let any page connect to any server, and leave it to the server to look at the Origin (RFC 6455 §10.2).
 * @throws HearthError websocket_version, malformed_request, cross_origin
 */
export function checkHandshake(request: IncomingMessage, targets: readonly RouteTarget[]): void {
  const { headers } = request;
  const version = headers['sec-websocket-version'];
  if (version !== '13') {
    const found = version === undefined ? 'no Sec-WebSocket-Version' : `the Sec-WebSocket-Version ${JSON.stringify(version.slice(0, 40))}`;
    throw new HearthError('websocket_version', `The handshake has ${found}; this gateway speaks version 13 (RFC 6455).`);
  }
  if (!KEY.test(headers['sec-websocket-key'] ?? '')) {
    throw new HearthError('malformed_request', 'The Sec-WebSocket-Key of the handshake is missing, or no 16 bytes in base64 (RFC 6455 §4.2.1).');
  }
  const origins = targets[0]?.version.policy?.cors?.origins;
  const { origin } = headers;
  if (origins === undefined || origin === undefined || origins[0] === '*' || origins.includes(origin)) return;
  throw new HearthError('cross_origin', `A page of ${origin.slice(0, 200)} may not connect to this function: its \`cors.origins\` do not name it.`);
}

/** Whether a header that is a list has that token. */
function lists(header: string | undefined, token: string): boolean {
  return header?.split(',').some((part) => part.trim().toLowerCase() === token) ?? false;
}
