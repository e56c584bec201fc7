// WebSockets as functions see them: the handshake, which they accept or answer otherwise, and the socket.

import { Connection } from './connection.mjs';
import { FunctionError } from './errors.mjs';
import { ProtocolError } from './frames.mjs';
import { WebSocketClosed } from './hearth.mjs';
import { addHeaders } from './result.mjs';
import { CLOSE } from './websocket-codec.mjs';

/** RFC 6455, 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const MAX_MESSAGE_BYTES = 1024 * 1024;
const REFUSED = new FunctionError('Error', 'the WebSocket was not accepted before the handler returned: its answer is an ordinary one');
/** Those are made here or by the platform. */
const RESERVED = /^(sec-websocket-(accept|protocol|extensions|version|key)|connection|upgrade|content-length|transfer-encoding)$/i;

/** What `accept` gives: messages, and no bytes. */
export class Socket {
  #connection;
  #protocol;

  constructor(connection, protocol) {
    this.#connection = connection;
    this.#protocol = protocol;
  }

  /** The one that was agreed on; empty: none. */
  get protocol() {
    return this.#protocol;
  }

  /** Resolves with {code, reason} when it is closed, by whomever. */
  get closed() {
    return this.#connection.closed;
  }

  /** Resolves when more may be sent. @param data a string or bytes */
  send(data) {
    return this.#connection.send(data);
  }

  ping(data = '') {
    return this.#connection.ping(data);
  }

  /** The next message. Rejects with WebSocketClosed when no more comes. */
  async receive() {
    const data = await this.#connection.next();
    if (data === undefined) throw this.#connection.failure;
    return data;
  }

  /** Resolves as `closed` does. */
  close(code = CLOSE.normal, reason = '') {
    return this.#connection.close(code, reason);
  }

  /** Messages until it is closed. */
  async *[Symbol.asyncIterator]() {
    for (;;) {
      const data = await this.#connection.next();
      if (data === undefined) return;
      yield data;
    }
  }
}

/** A request to open a WebSocket, which the platform has checked. */
export class Handshake {
  #link;
  #headers;
  #connection = null;
  #protocols;
  #cancelled = null;
  #isEnded = false;

  /** @param link of the invocation; see Link */
  constructor(link, headers) {
    this.#link = link;
    this.#headers = headers;
    this.#protocols = valuesOf(headers, 'sec-websocket-protocol').flatMap((value) =>
      value
        .split(',')
        .map((one) => one.trim())
        .filter(Boolean),
    );
  }

  /** What the function has of it. */
  get offer() {
    return { protocols: this.#protocols, accept: (options) => this.#accept(options) };
  }

  get isAccepted() {
    return this.#connection !== null;
  }

  push(bytes) {
    if (this.#connection === null) throw new ProtocolError('bytes of a WebSocket came before it was accepted');
    this.#connection.push(bytes);
  }

  /** So many bytes of what was sent have been given to the caller. */
  credited(bytes) {
    this.#link.credited(bytes);
  }

  end() {
    this.#isEnded = true;
    this.#connection?.end();
  }

  abort(reason) {
    this.#cancelled ??= { reason };
    this.#link.drop();
    this.#connection?.abort(reason);
  }

  /** Whether an error says no more than that the caller has left. */
  isEnd(error) {
    return error instanceof WebSocketClosed && this.#connection?.isLeft === true;
  }

  /** The function has answered otherwise. */
  refuse() {
    this.abort(REFUSED);
  }

  /** The function has ended. Resolves once the connection has, in its own time. */
  finish(hasFailed) {
    return this.#connection.finish(hasFailed ? CLOSE.failed : CLOSE.normal);
  }

  #accept({ protocol = '', headers = {}, maxMessageBytes = MAX_MESSAGE_BYTES } = {}) {
    if (this.#connection !== null) throw new FunctionError('Error', 'the WebSocket was accepted already');
    if (this.#cancelled !== null) throw this.#cancelled.reason;
    if (!Number.isInteger(maxMessageBytes) || maxMessageBytes < 1)
      throw new RangeError(`maxMessageBytes is a whole number from 1 on, not ${maxMessageBytes}`);
    if (protocol !== '' && !this.#protocols.includes(protocol)) {
      throw new RangeError(`the protocol ${JSON.stringify(protocol)} is none of those that the caller offers: ${JSON.stringify(this.#protocols)}`);
    }
    const head = ['Sec-WebSocket-Accept', acceptOf(valuesOf(this.#headers, 'sec-websocket-key')[0] ?? '')];
    if (protocol !== '') head.push('Sec-WebSocket-Protocol', protocol);
    const own = [];
    addHeaders(own, headers, 'headers');
    const reserved = own.find((name, at) => at % 2 === 0 && RESERVED.test(name));
    if (reserved !== undefined) throw new TypeError(`the header ${reserved} of a handshake is not the function's to set`);
    this.#link.head(101, [...head, ...own]);
    this.#connection = new Connection(this.#link, maxMessageBytes);
    if (this.#isEnded) this.#connection.end();
    return new Socket(this.#connection, protocol);
  }
}

/** Sec-WebSocket-Accept for a key. */
function acceptOf(key) {
  // Loaded here, since few functions need it.
  const { createHash } = process.getBuiltinModule('node:crypto');
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64');
}

function valuesOf(headers, name) {
  return headers.filter((_, at) => at % 2 === 1 && headers[at - 1].toLowerCase() === name);
}
