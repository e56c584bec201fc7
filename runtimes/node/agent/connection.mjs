// One WebSocket after its handshake, between the bytes of its caller and the socket that a function has (websocket.mjs).
//
// open → closing: we have sent Close, and wait for the other's → closed. Messages that came before the caller's Close can still be read then.

import { ProtocolError } from './frames.mjs';
import { WebSocketClosed } from './hearth.mjs';
import { WINDOW } from './link.mjs';
import { bytesOf, isBytes } from './result.mjs';
import { CLOSE, closePayload, encodeFrame, isCloseCode, MAX_CONTROL_BYTES, MessageReader, OPCODE, WebSocketError } from './websocket-codec.mjs';

/** How long a caller has to answer our Close, once that has left. Milliseconds. */
const CLOSE_PATIENCE_MS = 2000;
/** Messages that wait to be read: no more is credited above so many bytes. */
const MAX_UNREAD = WINDOW / 2;
const CREDIT_BYTES = WINDOW / 4;
/** What a message costs besides its bytes, about. */
const MESSAGE_OVERHEAD = 64;
const DONE = Promise.resolve();

export class Connection {
  #link;
  #reader;
  #makeMask;
  #state = 'open';
  #end = Promise.withResolvers();
  /** {code, reason}, once it is closed or we have sent Close. */
  #ended = null;
  #isClosedByUs = false;
  /** Why nobody wants it any more: {reason}. */
  #cancelled = null;
  #messages = [];
  #unread = 0;
  /** Whoever waits for a message. */
  #waiting = [];
  /** Bytes that came and are not credited. */
  #owed = 0;
  /** What is sent on our own account waits behind what the caller doesn't read: it gets no credit meanwhile. */
  #isCongested = false;
  /** What those wait for who have sent more than the window takes: {promise, resolve, reject}. */
  #drain = null;
  #timer = null;

  /**
   * @param link {write, drained, credit} as Link has them
   * @param makeMask of a client: gives 4 bytes for each frame; null: of a server
   */
  constructor(link, maxMessageBytes, makeMask = null) {
    this.#link = link;
    this.#makeMask = makeMask;
    const on = {
      message: (data) => this.#keep(data),
      ping: (payload) => this.#pong(payload),
      close: (code, reason) => this.#closedByPeer(code, reason),
    };
    this.#reader = new MessageReader(on, maxMessageBytes, makeMask === null);
  }

  /** Resolves with {code, reason}; never rejects. */
  get closed() {
    return this.#end.promise;
  }

  /** Bytes from the caller. @throws ProtocolError when they are more than the window */
  push(bytes) {
    this.#owed += bytes.length;
    if (this.#owed > WINDOW) throw new ProtocolError('more came on a WebSocket than the window has room for');
    if (this.#state === 'closed') return;
    try {
      this.#reader.push(bytes);
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error;
      if (this.#state === 'open') this.#send(OPCODE.close, closePayload(error.code, error.message));
      this.#close(error.code, error.message);
      return;
    }
    this.#settle();
  }

  /** The caller has ended its side, or had its time to. */
  end() {
    this.#close(CLOSE.lost, '');
  }

  /** Nobody wants it any more: whoever reads, or waits to send, is told so. */
  abort(reason) {
    if (this.#state === 'closed') return;
    this.#cancelled = { reason };
    this.#messages.length = 0;
    this.#close(CLOSE.lost, '');
  }

  /** Resolves when more may be sent. A rejection that nobody waits for is none of the instance's. */
  send(data) {
    return this.#offer(typeof data === 'string' ? OPCODE.text : OPCODE.binary, payloadOf(data));
  }

  ping(data) {
    const payload = payloadOf(data);
    if (payload.length > MAX_CONTROL_BYTES) throw new RangeError(`a ping has at most ${MAX_CONTROL_BYTES} bytes, not ${payload.length}`);
    return this.#offer(OPCODE.ping, payload);
  }

  /** Resolves as `closed` does: when the caller has answered, or had its time to. What came and wasn't read is dropped. */
  close(code, reason) {
    if (!isCloseCode(code)) throw new RangeError(`a WebSocket is closed with 1000, 3000 to 4999 or another code of RFC 6455, not ${code}`);
    const payload = closePayload(code, reason);
    if (payload.length > MAX_CONTROL_BYTES) throw new RangeError(`the reason for closing has at most ${MAX_CONTROL_BYTES - 2} bytes`);
    if (this.#state !== 'open') return this.closed;
    this.#state = 'closing';
    this.#isClosedByUs = true;
    this.#ended = { code, reason };
    this.#messages.length = 0;
    this.#unread = 0;
    this.#answer(OPCODE.close, payload);
    void this.#link.drained().then(() => {
      if (this.#state === 'closing') this.#timer = setTimeout(() => this.end(), CLOSE_PATIENCE_MS);
    });
    this.#settle();
    return this.closed;
  }

  /** Closes it if it isn't closed, and resolves once all has left. Never rejects. */
  async finish(code) {
    await this.close(code, '');
    await this.#link.drained();
  }

  /** The next message; undefined when no more comes. Rejects when nobody wants it any more. */
  next() {
    const data = this.#messages.shift();
    if (data !== undefined) {
      this.#unread -= costOf(data);
      this.#settle();
      return Promise.resolve(data);
    }
    if (this.#state !== 'closed') return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    return this.#cancelled === null ? Promise.resolve(undefined) : Promise.reject(this.#cancelled.reason);
  }

  /** What those are told who send or receive when it is too late. */
  get failure() {
    return this.#cancelled === null ? new WebSocketClosed(this.#ended.code, this.#ended.reason) : this.#cancelled.reason;
  }

  /** The caller has left, by whatever way. */
  get isLeft() {
    return this.#state === 'closed' && !this.#isClosedByUs;
  }

  #keep(data) {
    if (this.#state !== 'open') return;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) waiting.resolve(data);
    else {
      this.#messages.push(data);
      this.#unread += costOf(data);
    }
  }

  #pong(payload) {
    if (this.#state === 'open') this.#answer(OPCODE.pong, payload);
  }

  #answer(opcode, payload) {
    if (this.#send(opcode, payload) || this.#isCongested) return;
    this.#isCongested = true;
    void this.#link.drained().then(() => {
      this.#isCongested = false;
      this.#settle();
    });
  }

  #closedByPeer(code, reason) {
    if (this.#state === 'open') this.#send(OPCODE.close, closePayload(code, ''));
    this.#close(code, reason);
  }

  #close(code, reason) {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    clearTimeout(this.#timer);
    this.#ended = { code, reason };
    this.#end.resolve(this.#ended);
    this.#drain?.reject(this.failure);
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (this.#cancelled === null) resolve(undefined);
      else reject(this.#cancelled.reason);
    }
  }

  /** Credits what came, unless enough of it is unread. */
  #settle() {
    if (this.#owed < CREDIT_BYTES || this.#unread > MAX_UNREAD || this.#isCongested || this.#state === 'closed') return;
    this.#link.credit(this.#owed);
    this.#owed = 0;
  }

  #offer(opcode, payload) {
    if (this.#state !== 'open') return unheard(Promise.reject(this.failure));
    return this.#send(opcode, payload) ? DONE : this.#drained();
  }

  #send(opcode, payload) {
    return this.#link.write(encodeFrame(opcode, payload, this.#makeMask?.() ?? null));
  }

  #drained() {
    if (this.#drain === null) {
      const drain = Promise.withResolvers();
      this.#drain = drain;
      unheard(drain.promise);
      void this.#link.drained().then(() => {
        drain.resolve();
        this.#drain = null;
      });
    }
    return this.#drain.promise;
  }
}

function payloadOf(data) {
  if (typeof data === 'string') return Buffer.from(data);
  if (typeof data !== 'object' || data === null || !isBytes(data)) {
    throw new TypeError(`what is sent on a WebSocket is a string or bytes, not ${data === null ? 'null' : typeof data}`);
  }
  return bytesOf(data);
}

function costOf(data) {
  return data.length + MESSAGE_OVERHEAD;
}

function unheard(promise) {
  promise.catch(() => undefined);
  return promise;
}
