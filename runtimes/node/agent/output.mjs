// process.stdout and process.stderr of handlers: what is printed goes to the platform under the invocation that printed it.

import { AsyncLocalStorage } from 'node:async_hooks';
import { Writable } from 'node:stream';
import { encode, FRAME, MAX_PAYLOAD } from './frames.mjs';

/** More than so many bytes do not wait in our memory for the platform to read them: a loop that prints would fill it. */
const MAX_WAITING = 4 * 1024 * 1024;

/** The invocation that runs here. */
export const current = new AsyncLocalStorage();

/** Puts both streams in place; console writes to them. @param isLive whether an id may still be named in a frame */
export function installOutput(channel, isLive) {
  replace('stdout', new LogStream(channel, isLive, FRAME.logOut, 1));
  replace('stderr', new LogStream(channel, isLive, FRAME.logErr, 2));
}

function replace(name, stream) {
  Object.defineProperty(process, name, { value: stream, enumerable: true, configurable: true, writable: true });
}

class LogStream extends Writable {
  #channel;
  #isLive;
  #type;
  #dropped = 0;

  constructor(channel, isLive, type, descriptor) {
    super({ emitClose: false, autoDestroy: false });
    this.#channel = channel;
    this.#isLive = isLive;
    this.#type = type;
    this.fd = descriptor;
    this.isTTY = false;
  }

  /** Not by way of Writable's queue, whose writes come late and would be attributed to whoever runs then. */
  write(chunk, encoding, done) {
    const callback = typeof encoding === 'function' ? encoding : done;
    const data = typeof chunk === 'string' ? Buffer.from(chunk, typeof encoding === 'string' ? encoding : 'utf8') : chunk;
    if (!(data instanceof Uint8Array)) throw new TypeError(`what is written is a string or bytes, not ${typeof chunk}`);
    const ready = this.#send(data);
    if (typeof callback === 'function') queueMicrotask(callback);
    return ready;
  }

  #send(data) {
    if (this.#channel.waitingBytes > MAX_WAITING) {
      this.#dropped += data.length;
      return false;
    }
    const id = current.getStore()?.id ?? 0;
    const shown = this.#isLive(id) ? id : 0;
    if (this.#dropped > 0) {
      const note = `[${this.#dropped} bytes of output came faster than they could be kept]\n`;
      this.#dropped = 0;
      this.#channel.send(encode(this.#type, shown, Buffer.from(note)));
    }
    let ready = true;
    for (let at = 0; at < data.length; at += MAX_PAYLOAD) ready = this.#channel.send(encode(this.#type, shown, data.subarray(at, at + MAX_PAYLOAD)));
    return ready;
  }

  /** Stays open: the next invocation prints too. */
  end(chunk, encoding, done) {
    if (chunk !== undefined && typeof chunk !== 'function') this.write(chunk, encoding);
    for (const callback of [chunk, encoding, done]) if (typeof callback === 'function') queueMicrotask(callback);
    return this;
  }

  destroy() {
    return this;
  }
}
