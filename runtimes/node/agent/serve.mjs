// Handlers: their invocations, as many at a time as the function's concurrency, the others in the order in which they came.

import { Calls } from './calls.mjs';
import { leave } from './end.mjs';
import { errorObject, FunctionError } from './errors.mjs';
import { encode, encodeBody, encodeJson, FRAME, MAX_PAYLOAD, ProtocolError, parseObject } from './frames.mjs';
import { setPlatform } from './hearth.mjs';
import { headFrame, Invocation } from './invocation.mjs';
import { current, installOutput } from './output.mjs';
import { Context, hideSecrets, makeMessage, traceOf } from './request.mjs';
import { piece, shape, streamType } from './result.mjs';
import { makeRequest } from './web.mjs';

/** A cancelled invocation whose function doesn't end is given up after so long, if others run beside it; alone, the platform ends the instance. Milliseconds. */
const CANCEL_PATIENCE_MS = 100;
const NOTHING = Buffer.alloc(0);
const OVER = new Error('the invocation is over');

export class HandlerServer {
  #channel;
  #shown;
  #entry = null;
  #common;
  #calls;
  /** Everything that was announced and isn't over. */
  #invocations = new Map();
  #waiting = [];
  #running = new Set();
  #concurrency;
  #closing = false;
  /** Of connections to services; null when there are none. */
  tunnel = null;
  /** Of a function that is registered for streams or WebSockets; null for others. */
  streams = null;

  /** @param shown what traces are to have in place of the code's own path */
  constructor(channel, load, shown) {
    this.#channel = channel;
    this.#shown = shown;
    this.#concurrency = Math.max(1, load.concurrency ?? 1);
    this.#calls = new Calls(channel, load.calls === true);
    this.#common = { functionName: load.function, secrets: hideSecrets(load.secrets ?? {}), calls: this.#calls };
    installOutput(channel, (id) => this.#invocations.has(id));
    setPlatform({
      send: (head, body) => this.#calls.send(running('invoke').id, head, body),
      traceHeaders: () => traceOf(running('traceHeaders').invoke.headers),
    });
    this.#standFirm();
  }

  get concurrency() {
    return this.#concurrency;
  }

  /** What is called from now on. */
  serve(entry) {
    this.#entry = entry;
  }

  onFrame(type, id, payload) {
    if (type === FRAME.invoke) this.#announce(id, parseObject(payload));
    else if (type === FRAME.invokeBody) this.#takeBody(id, payload);
    else if (type === FRAME.invokeEnd) this.#invocations.get(id)?.incoming?.end();
    else if (type === FRAME.replyCredit) this.#invocations.get(id)?.incoming?.credited?.(payload.readUInt32BE(0));
    else if (type === FRAME.cancel) this.#cancel(id);
    else if (type === FRAME.shutdown) {
      this.#closing = true;
      this.#leaveWhenIdle();
    } else if (!this.#calls.take(type, id, payload) && !this.tunnel?.take(type, id, payload))
      throw new ProtocolError(`type 0x${type.toString(16)} came after Ready`);
  }

  error(error) {
    const object = errorObject(error);
    for (const from of this.#shown.from) object.trace = object.trace.replaceAll(from, this.#shown.to);
    return object;
  }

  #announce(id, invoke) {
    if (invoke.bodyLength === null && this.streams === null) throw new ProtocolError('Invoke announces no length, and Load no streams');
    const invocation = new Invocation(id, invoke, invoke.bodyLength === null ? this.streams.incoming(id, invoke) : null);
    this.#invocations.set(id, invocation);
    if (invocation.missing === 0) this.#enqueue(invocation);
  }

  #takeBody(id, payload) {
    const invocation = this.#invocations.get(id);
    // Cancelled while its body was on the way.
    if (invocation === undefined) return;
    if (invocation.incoming !== null) {
      invocation.incoming.push(payload);
      return;
    }
    invocation.missing -= payload.length;
    // The reader's memory is its own, and the function may keep the body.
    invocation.pieces.push(Buffer.from(payload));
    if (invocation.missing < 0) throw new ProtocolError('more body came than Invoke announced');
    if (invocation.missing === 0) this.#enqueue(invocation);
  }

  #enqueue(invocation) {
    if (this.#running.size < this.#concurrency) this.#start(invocation);
    else this.#waiting.push(invocation);
  }

  #start(invocation) {
    this.#running.add(invocation);
    current.run(invocation, () => void this.#run(invocation));
  }

  /** Never rejects. */
  async #run(invocation) {
    try {
      let value = this.#call(invocation);
      if (typeof value?.then === 'function') value = await value;
      if (invocation.over) return;
      if (invocation.hasSocket) return this.#hangUp(invocation);
      invocation.incoming?.refuse?.();
      const shaped = shape(value);
      if (shaped.status === 101) throw new FunctionError('RangeError', 'the status 101 is given by accepting a WebSocket, not by returning it');
      if (shaped.stream === undefined) this.#reply(invocation, shaped);
      else await this.#stream(invocation, shaped);
    } catch (error) {
      if (!invocation.over && invocation.incoming?.isEnd?.(error)) this.#hangUp(invocation);
      else this.#fail(invocation, error);
    }
  }

  #call(invocation) {
    const { invoke } = invocation;
    const raw = invocation.pieces.length === 0 ? NOTHING : invocation.raw;
    const context = new Context(invocation, invoke, this.#common);
    const { call, web } = this.#entry;
    if (web) return call(makeRequest(invoke, invocation.incoming?.toWebStream?.() ?? raw, invocation.abort.signal), context);
    const message = makeMessage(invoke, raw);
    return call(this.streams === null ? message : this.streams.addTo(message, invocation), context);
  }

  #reply(invocation, { status, headers, body }) {
    if (invocation.over) return;
    const { id } = invocation;
    const head = headFrame(id, status, headers, false);
    const end = encode(FRAME.replyEnd, id);
    if (body.length <= MAX_PAYLOAD)
      this.#channel.send(Buffer.concat(body.length === 0 ? [head, end] : [head, encode(FRAME.replyBody, id, body), end]));
    else for (const frame of [head, ...encodeBody(FRAME.replyBody, id, body), end]) this.#channel.send(frame);
    this.#end(invocation);
  }

  /** Piece by piece; a Response's that has its only piece at once goes out whole. */
  async #stream(invocation, { status, headers, stream, probe }) {
    try {
      if (probe === true) {
        const first = await soon(stream.next());
        if (first.value?.done) return this.#reply(invocation, { status, headers, body: NOTHING });
        if (first.value !== undefined) {
          const second = await soon(stream.next());
          if (second.value?.done) return this.#reply(invocation, { status, headers, body: piece(first.value.value) });
          return await this.#pump(invocation, status, headers, stream, [first.promise, second.promise]);
        }
        return await this.#pump(invocation, status, headers, stream, [first.promise]);
      }
      const first = await stream.next();
      if (first.done) return this.#reply(invocation, { status, headers, body: NOTHING });
      // Before the head goes out: a first piece that is none is a failure like any other.
      piece(first.value);
      return await this.#pump(invocation, status, streamType(headers, first.value), stream, [first]);
    } finally {
      // As `for await` does when it is left; what it rejects with has no one to hear it.
      if (typeof stream.return === 'function') Promise.resolve(stream.return()).catch(() => undefined);
    }
  }

  async #pump(invocation, status, headers, stream, begun) {
    if (invocation.over) return;
    this.#channel.send(headFrame(invocation.id, status, headers, true));
    for (let at = 0; ; at++) {
      const { done, value } = await (at < begun.length ? begun[at] : stream.next());
      if (invocation.over) return;
      if (done) break;
      const data = piece(value);
      let ready = true;
      for (const frame of encodeBody(FRAME.replyBody, invocation.id, data)) ready = this.#channel.send(frame);
      if (!ready) await this.#channel.drained();
      if (invocation.over) return;
    }
    this.#channel.send(encode(FRAME.replyEnd, invocation.id));
    this.#end(invocation);
  }

  /** @param atOnce the process ends: nothing can be waited for */
  #fail(invocation, error, atOnce = false) {
    if (invocation.over) return;
    const object = this.error(error);
    // The caller is told type and message; where it was stands in the record.
    if (object.trace !== '') this.#channel.send(encode(FRAME.logErr, invocation.id, Buffer.from(`${object.trace}\n`)));
    const failed = encodeJson(FRAME.failed, invocation.id, object);
    if (invocation.hasSocket) {
      this.#hangUp(invocation, failed, atOnce);
      return;
    }
    this.#channel.send(failed);
    this.#end(invocation);
  }

  /** Closes a WebSocket as it should be, then says that the invocation is over. @param failed the frame Failed; null: it succeeded */
  #hangUp(invocation, failed = null, atOnce = false) {
    invocation.over = true;
    const end = () => {
      if (!this.#invocations.has(invocation.id)) return;
      this.#channel.send(failed ?? encode(FRAME.replyEnd, invocation.id));
      this.#end(invocation);
    };
    const closed = invocation.incoming.finish(failed !== null);
    if (atOnce) end();
    else void closed.then(end);
  }

  #end(invocation) {
    invocation.over = true;
    invocation.incoming?.abort(OVER);
    this.#invocations.delete(invocation.id);
    this.#running.delete(invocation);
    const next = this.#waiting.shift();
    if (next !== undefined) this.#start(next);
    this.#leaveWhenIdle();
  }

  #cancel(id) {
    const invocation = this.#invocations.get(id);
    if (invocation === undefined) return;
    const cancelled = new FunctionError('Cancelled', 'the invocation was cancelled');
    if (!this.#running.has(invocation)) {
      const at = this.#waiting.indexOf(invocation);
      if (at >= 0) this.#waiting.splice(at, 1);
      this.#fail(invocation, cancelled);
      return;
    }
    const reason = new DOMException('nobody wants the answer any more', 'AbortError');
    invocation.abort.abort(reason);
    invocation.incoming?.abort(reason);
    setTimeout(() => {
      if (this.#running.size > 1) this.#fail(invocation, cancelled);
    }, CANCEL_PATIENCE_MS).unref();
  }

  #leaveWhenIdle() {
    if (this.#closing && this.#invocations.size === 0) void this.#channel.flushed().then(() => leave(0));
  }

  /** What would end the process, or leave callers without an answer. */
  #standFirm() {
    process.on('unhandledRejection', (reason) => {
      process.stderr.write(`Unhandled rejection: ${this.#text(reason)}\n`);
      const invocation = current.getStore();
      if (invocation !== undefined) this.#fail(invocation, reason);
    });
    process.on('uncaughtException', (error) => {
      process.stderr.write(`Uncaught exception: ${this.#text(error)}\n`);
      // Nobody knows in what state the function's module is now.
      this.#failAll(error);
      void this.#channel.flushed().then(() => leave(1));
    });
    process.exit = process.reallyExit = (code) => {
      const caller = current.getStore();
      const said = new FunctionError('ProcessExit', `the function called process.exit(${code ?? process.exitCode ?? 0})`);
      if (caller !== undefined) this.#fail(caller, said, true);
      this.#failAll(said);
      leave(Number(code ?? process.exitCode ?? 0) || 0);
    };
  }

  #failAll(error) {
    for (const invocation of [...this.#running]) {
      // None that waits is started in a process that ends; the platform runs those elsewhere.
      this.#waiting.length = 0;
      this.#fail(invocation, error, true);
    }
  }

  #text(error) {
    const { type, message, trace } = this.error(error);
    return trace || `${type}: ${message}`;
  }
}

/** The invocation that runs here. */
function running(what) {
  const invocation = current.getStore();
  if (invocation === undefined || invocation.over) {
    throw new Error(`${what} works while an invocation runs, in its own asynchronous context; here none does`);
  }
  return invocation;
}

/** What the promise resolves with if it does so before anything else happens; its value is undefined otherwise. */
function soon(promise) {
  return new Promise((resolve, reject) => {
    promise.then((value) => resolve({ promise, value }), reject);
    setImmediate(resolve, { promise, value: undefined });
  });
}
