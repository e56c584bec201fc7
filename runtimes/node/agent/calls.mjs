// A function's invocations of other functions: Call frames out, CallReply or CallFailed back.

import { encodeBody, encodeJson, FRAME, parseObject } from './frames.mjs';
import { InvokeError, NOT_ALLOWED, readAnswer, requestOf } from './hearth.mjs';

export class Calls {
  #channel;
  #allowed;
  #pending = new Map();
  #next = 1;

  /** @param allowed whether the function is registered with any that it may invoke */
  constructor(channel, allowed) {
    this.#channel = channel;
    this.#allowed = allowed;
  }

  async invoke(invocation, name, payload, options) {
    const { head, body } = requestOf(name, payload, options);
    return readAnswer(head, await this.send(invocation, head, body));
  }

  /** @returns {head, body} of CallReply @throws InvokeError */
  send(invocation, head, body) {
    if (!this.#allowed) {
      throw new InvokeError('invoke_not_allowed', 403, NOT_ALLOWED);
    }
    const call = this.#next++;
    return new Promise((resolve, reject) => {
      this.#pending.set(call, { resolve, reject, head: null, pieces: [], missing: 0 });
      this.#channel.send(encodeJson(FRAME.call, call, { ...head, invocation }));
      for (const frame of encodeBody(FRAME.callBody, call, body)) this.#channel.send(frame);
    });
  }

  /** A frame about one of them. @returns false when it is about something else */
  take(type, call, payload) {
    if (type !== FRAME.callReply && type !== FRAME.callReplyBody && type !== FRAME.callFailed) return false;
    const pending = this.#pending.get(call);
    if (pending === undefined) return true;
    if (type === FRAME.callFailed) {
      this.#pending.delete(call);
      const { code, status, message } = parseObject(payload);
      pending.reject(new InvokeError(code, status, message));
      return true;
    }
    if (type === FRAME.callReply) {
      pending.head = parseObject(payload);
      pending.missing = pending.head.bodyLength;
    } else {
      pending.pieces.push(Buffer.from(payload));
      pending.missing -= payload.length;
    }
    if (pending.missing <= 0) {
      this.#pending.delete(call);
      pending.resolve({ head: pending.head, body: Buffer.concat(pending.pieces) });
    }
    return true;
  }
}
