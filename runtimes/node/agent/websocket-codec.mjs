// Frames of WebSockets (RFC 6455): bytes in, whole messages out, and the other way round. No extensions.

import { isUtf8 } from 'node:buffer';

export const OPCODE = Object.freeze({ continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 });

export const CLOSE = Object.freeze({ normal: 1000, protocolError: 1002, none: 1005, lost: 1006, badText: 1007, tooBig: 1009, failed: 1011 });

/** Of the payload of a control frame. */
export const MAX_CONTROL_BYTES = 125;
/** What is taken for a message at first, however long it is said to be. */
const FIRST_BYTES = 16_384;
const MAX_HEADER_BYTES = 14;
const MASK_BYTES = 4;

/** The peer broke the protocol, or sent too much; `code` is what it is told in Close. */
export class WebSocketError extends Error {
  constructor(code, message) {
    super(message);
    this.name = 'WebSocketError';
    this.code = code;
  }
}

/** Whether Close may carry that code: those of RFC 6455 and of its registry, and those that are free for applications. */
export function isCloseCode(code) {
  return (
    Number.isInteger(code) && ((code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) || (code >= 3000 && code <= 4999))
  );
}

/** One frame. @param mask 4 bytes, of a client; null: none */
export function encodeFrame(opcode, payload, mask = null, isLast = true) {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const start = 2 + extended + (mask === null ? 0 : MASK_BYTES);
  const frame = Buffer.allocUnsafe(start + length);
  frame[0] = (isLast ? 0x80 : 0) | opcode;
  frame[1] = (mask === null ? 0 : 0x80) | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) frame.writeUInt16BE(length, 2);
  else if (extended === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  frame.set(payload, start);
  if (mask !== null) {
    frame.set(mask, start - MASK_BYTES);
    applyMask(frame.subarray(start), mask, 0);
  }
  return frame;
}

/** What Close carries. @param code CLOSE.none: nothing */
export function closePayload(code, reason) {
  if (code === CLOSE.none) return Buffer.alloc(0);
  const text = Buffer.from(reason);
  const payload = Buffer.allocUnsafe(2 + text.length);
  payload.writeUInt16BE(code, 0);
  payload.set(text, 2);
  return payload;
}

/** @param from how many bytes of the frame's payload came before these */
function applyMask(bytes, mask, from) {
  for (let at = 0; at < bytes.length; at++) bytes[at] ^= mask[(from + at) & 3];
}

/** Bytes that come in pieces. Takes memory as they come, not as they are announced. */
class Gathering {
  #buffer = Buffer.alloc(0);
  length = 0;

  /** @param announced how many there will be, as far as is known */
  add(bytes, announced) {
    const needed = this.length + bytes.length;
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, Math.min(announced, Math.max(FIRST_BYTES, 2 * this.#buffer.length))));
      larger.set(this.#buffer.subarray(0, this.length));
      this.#buffer = larger;
    }
    const place = this.#buffer.subarray(this.length, needed);
    place.set(bytes);
    this.length = needed;
    return place;
  }

  /** All of them, which are the taker's. */
  take() {
    const bytes = this.#buffer.subarray(0, this.length);
    this.#buffer = Buffer.alloc(0);
    this.length = 0;
    return bytes;
  }
}

/** Takes bytes as they come and gives `on` what they mean: `message(string | Buffer)`, `ping(bytes)`, `close(code, reason)`. Pongs are passed over. */
export class MessageReader {
  #on;
  #maxMessageBytes;
  #isMasked;
  #header = Buffer.alloc(MAX_HEADER_BYTES);
  #headerLength = 0;
  #headerNeeded = 2;
  /** Of the frame whose payload comes; null: a header comes. */
  #frame = null;
  #control = new Gathering();
  #message = new Gathering();
  /** Opcode of the message of which a part has come; 0: none. */
  #opcode = 0;
  #isOver = false;

  /** @param isMasked whether the peer is a client */
  constructor(on, maxMessageBytes, isMasked = true) {
    this.#on = on;
    this.#maxMessageBytes = maxMessageBytes;
    this.#isMasked = isMasked;
  }

  /** What comes after Close, or an error, is passed over. @throws WebSocketError */
  push(bytes) {
    let at = 0;
    try {
      while (!this.#isOver && at < bytes.length) {
        at = this.#frame === null ? this.#takeHeader(bytes, at) : this.#takePayload(bytes, at);
        if (this.#frame?.missing === 0) this.#endFrame();
      }
    } catch (error) {
      this.#isOver = true;
      throw error;
    }
  }

  #takeHeader(bytes, from) {
    const end = Math.min(bytes.length, from + this.#headerNeeded - this.#headerLength);
    this.#header.set(bytes.subarray(from, end), this.#headerLength);
    this.#headerLength += end - from;
    if (this.#headerLength < this.#headerNeeded) return end;
    const [first, second] = this.#header;
    if (this.#headerNeeded === 2) {
      this.#check(first, second);
      const short = second & 0x7f;
      this.#headerNeeded += (short === 126 ? 2 : short === 127 ? 8 : 0) + (this.#isMasked ? MASK_BYTES : 0);
      if (this.#headerNeeded > 2) return end;
    }
    this.#beginFrame(first, second & 0x7f);
    return end;
  }

  #check(first, second) {
    const opcode = first & 0x0f;
    const isLast = (first & 0x80) !== 0;
    if ((first & 0x70) !== 0) throw protocolError('a reserved bit is set, and no extension was agreed on');
    if (((second & 0x80) !== 0) !== this.#isMasked) throw protocolError(this.#isMasked ? 'a frame is not masked' : 'a frame is masked');
    if (opcode > OPCODE.pong || (opcode > OPCODE.binary && opcode < OPCODE.close)) throw protocolError(`there is no opcode ${opcode}`);
    if (opcode >= OPCODE.close) {
      if (!isLast) throw protocolError('a control frame is fragmented');
      if ((second & 0x7f) > MAX_CONTROL_BYTES) throw protocolError('a control frame is too long');
    } else if (opcode === OPCODE.continuation && this.#opcode === 0) throw protocolError('a message begins with a continuation');
    else if (opcode !== OPCODE.continuation && this.#opcode !== 0) throw protocolError('a message begins inside another');
  }

  #beginFrame(first, short) {
    const header = this.#header;
    const length = short === 126 ? header.readUInt16BE(2) : short === 127 ? Number(header.readBigUInt64BE(2)) : short;
    const opcode = first & 0x0f;
    if (opcode < OPCODE.close) {
      if (short === 127 && (header[2] & 0x80) !== 0) throw protocolError('a length has its highest bit set');
      if (this.#message.length + length > this.#maxMessageBytes) {
        throw new WebSocketError(CLOSE.tooBig, `a message has more than ${this.#maxMessageBytes} bytes`);
      }
      if (opcode !== OPCODE.continuation) this.#opcode = opcode;
    }
    const mask = this.#isMasked ? Uint8Array.prototype.slice.call(header, this.#headerLength - MASK_BYTES, this.#headerLength) : null;
    this.#frame = { opcode, isLast: (first & 0x80) !== 0, mask, length, missing: length };
    this.#headerLength = 0;
    this.#headerNeeded = 2;
  }

  #takePayload(bytes, from) {
    const frame = this.#frame;
    const end = Math.min(bytes.length, from + frame.missing);
    const gathering = frame.opcode >= OPCODE.close ? this.#control : this.#message;
    const place = gathering.add(bytes.subarray(from, end), gathering.length + frame.missing);
    if (frame.mask !== null) applyMask(place, frame.mask, frame.length - frame.missing);
    frame.missing -= end - from;
    return end;
  }

  #endFrame() {
    const { opcode, isLast } = this.#frame;
    this.#frame = null;
    if (opcode === OPCODE.ping) this.#on.ping(this.#control.take());
    else if (opcode === OPCODE.pong) this.#control.take();
    else if (opcode === OPCODE.close) this.#close(this.#control.take());
    else if (isLast) this.#endMessage();
  }

  #endMessage() {
    const isText = this.#opcode === OPCODE.text;
    const bytes = this.#message.take();
    this.#opcode = 0;
    if (isText && !isUtf8(bytes)) throw new WebSocketError(CLOSE.badText, 'a text is no UTF-8');
    this.#on.message(isText ? bytes.toString() : bytes);
  }

  #close(payload) {
    this.#isOver = true;
    if (payload.length === 0) {
      this.#on.close(CLOSE.none, '');
      return;
    }
    if (payload.length === 1) throw protocolError('a Close has half a code');
    const code = payload.readUInt16BE(0);
    if (!isCloseCode(code)) throw protocolError(`a Close has the code ${code}`);
    const reason = payload.subarray(2);
    if (!isUtf8(reason)) throw new WebSocketError(CLOSE.badText, 'the reason of a Close is no UTF-8');
    this.#on.close(code, reason.toString());
  }
}

function protocolError(message) {
  return new WebSocketError(CLOSE.protocolError, message);
}
