// Both ends of a WebSocket in one process, for testing.mjs: the function's, and the caller's.

import { randomBytes } from 'node:crypto';
import { Connection } from './connection.mjs';
import { Outflow } from './link.mjs';
import { Handshake, Socket } from './websocket.mjs';

/** For the Sec-WebSocket-Key of callers; that of RFC 6455. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

/** The handler answered otherwise; `answer` is what a caller would get. */
export class HandshakeRefused extends Error {
  constructor(answer) {
    super(`the handler did not accept the WebSocket, and answered with the status ${answer.status}`);
    this.name = 'HandshakeRefused';
    this.answer = answer;
  }
}

/** The caller's end. */
export class ClientSocket extends Socket {
  #headers;
  #ended;

  /** @param headers of the answer, names and values in turn @param ended resolves when the handler has ended, rejects with what it threw */
  constructor(connection, headers, ended) {
    super(connection, headerOf(headers, 'Sec-WebSocket-Protocol') ?? '');
    this.#headers = headers;
    this.#ended = ended;
  }

  header(name) {
    return headerOf(this.#headers, name);
  }

  get ended() {
    return this.#ended;
  }
}

/** Headers of a handshake, names and values in turn. */
export function handshakeHeaders(protocols) {
  const headers = ['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Version', '13', 'Sec-WebSocket-Key', KEY];
  return protocols.length === 0 ? headers : [...headers, 'Sec-WebSocket-Protocol', protocols.join(', ')];
}

/** {handshake, opened}: the latter resolves with {connection, headers} once the handler has accepted. */
export function makePair(headers) {
  const opened = Promise.withResolvers();
  let client = null;
  const toClient = new Outflow((bytes) => queueMicrotask(() => client.push(bytes)));
  const toServer = new Outflow((bytes) => queueMicrotask(() => handshake.push(bytes)));
  const serverLink = Object.assign(toClient, {
    credit: (bytes) => toServer.credited(bytes),
    head(_status, answered) {
      client = new Connection(clientLink, Number.POSITIVE_INFINITY, () => randomBytes(4));
      opened.resolve({ connection: client, headers: answered });
    },
  });
  const clientLink = Object.assign(toServer, { credit: (bytes) => toClient.credited(bytes) });
  const handshake = new Handshake(serverLink, headers);
  return { handshake, opened: opened.promise };
}

function headerOf(headers, name) {
  const at = headers.findIndex((known, index) => index % 2 === 0 && known.toLowerCase() === name.toLowerCase());
  return at < 0 ? undefined : headers[at + 1];
}
