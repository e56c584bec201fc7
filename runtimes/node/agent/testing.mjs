/**
 * Calls a handler as the platform would, without the platform:
 *
 *     import { call } from '@hearth/sdk/testing';
 *
 *     const answer = await call(handler, { body: { name: 'Ada' }, invokes: { greeting: ({ name }) => `Hello ${name}` } });
 *     assert.deepEqual([answer.status, answer.json()], [200, { text: 'Hello Ada' }]);
 *
 * `connect` opens a WebSocket to one:
 *
 *     const socket = await connect(handler);
 *     await socket.send('hello');
 *     assert.equal(await socket.receive(), 'HELLO');
 *
 * The request is taken apart and the answer put together by the code that does it inside sandboxes. What the handler throws is thrown here. There are no limits,
 * and no deadline is enforced.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { IncomingBody } from './body.mjs';
import { InvokeError, readAnswer, requestOf, setPlatform } from './hearth.mjs';
import { addStreams } from './incoming.mjs';
import { entryOf } from './load.mjs';
import { Context, hideSecrets, makeMessage, traceOf } from './request.mjs';
import { bytesOf, isBytes, piece, shape, streamType } from './result.mjs';
import { ClientSocket, HandshakeRefused, handshakeHeaders, makePair } from './testing-socket.mjs';
import { makeRequest } from './web.mjs';

export { HandshakeRefused };

const OVER = new Error('the handler has ended');

/** The call that runs here: several may at a time. */
const current = new AsyncLocalStorage();
const platform = {
  send: (head, body) => (current.getStore() ?? outer ?? nowhere()).send(head, body),
  traceHeaders: () => (current.getStore() ?? outer ?? nowhere()).traceHeaders(),
};
/** What was in place: there is something if a function of the platform tests another. */
const outer = setPlatform(platform);

function nowhere() {
  throw new Error('this works while `call` runs a handler, in its own asynchronous context; here none runs');
}

/** What a caller would get. */
class Answer {
  constructor(status, headers, pieces, streamed, invoked) {
    this.status = status;
    this.headers = pairsOf(headers);
    this.pieces = pieces;
    this.streamed = streamed;
    this.invoked = invoked;
  }

  get body() {
    return Buffer.concat(this.pieces);
  }

  get text() {
    return this.body.toString();
  }

  json() {
    return JSON.parse(this.text);
  }

  header(name) {
    return this.headers.find(([known]) => known.toLowerCase() === name.toLowerCase())?.[1];
  }
}

/** The platform, for `invoke` and `traceHeaders`. */
class StandIn {
  invoked = [];
  #functions;
  #invoke;

  constructor(functions, invoke) {
    this.#functions = functions;
    this.#invoke = invoke;
  }

  /** As Calls has it. */
  async invoke(_invocation, name, payload, options) {
    const { head, body } = requestOf(name, payload, options);
    return readAnswer(head, await this.send(head, body));
  }

  async send(head, body) {
    const name = head.function;
    if (!Object.hasOwn(this.#functions, name)) {
      throw new InvokeError(
        'invoke_not_allowed',
        403,
        `it may not invoke "${name}": give \`call\` a stand-in for it by \`invokes\`, and register the function with "invokes": ["${name}"]`,
      );
    }
    const payload = head.contentType === null ? null : head.contentType === 'application/json' ? JSON.parse(body) : body;
    this.invoked.push({ name, payload, mode: head.mode });
    if (head.mode === 'async') return { head: { id: randomUUID() }, body: null };
    const { status, headers, pieces } = await gather(await this.#functions[name](payload));
    return { head: { status, headers }, body: Buffer.concat(pieces) };
  }

  traceHeaders() {
    return traceOf(this.#invoke.headers);
  }
}

/** @param handler a function, an object with `fetch` or `handler`, or a module that exports one; the options are those of types/testing.d.ts */
export async function call(handler, options = {}) {
  const { invoke, raw } = makeInvoke(options);
  if (options.stream === undefined) return run(handler, options, invoke, raw, {});
  const body = new IncomingBody(null);
  void feed(body, options.stream);
  try {
    return await run(handler, options, invoke, raw, { body });
  } finally {
    body.abort(OVER);
  }
}

/** Opens a WebSocket. Resolves with the caller's end once the handler has accepted; rejects with HandshakeRefused, or what it threw, when it doesn't. */
export async function connect(handler, { protocols = [], ...options } = {}) {
  const { invoke, raw } = makeInvoke({ verb: 'GET', ...options });
  invoke.headers.push(...handshakeHeaders(protocols));
  const { handshake, opened } = makePair(invoke.headers);
  options.signal?.addEventListener('abort', () => handshake.abort(options.signal.reason), { once: true });
  const ended = run(handler, options, invoke, raw, { handshake });
  // Whoever asks for it hears of it.
  ended.catch(() => undefined);
  const { connection, headers } = await Promise.race([
    opened,
    ended.then((answer) => {
      // It may have accepted and ended at once.
      if (handshake.isAccepted) return opened;
      throw new HandshakeRefused(answer);
    }),
  ]);
  return new ClientSocket(connection, headers, ended);
}

/** @param streams {body: IncomingBody} or {handshake} or nothing */
async function run(handler, options, invoke, raw, { body = null, handshake = null }) {
  const { functionName = 'function', signal = new AbortController().signal } = options;
  const standIn = new StandIn(options.invokes ?? {}, invoke);
  const common = { functionName, secrets: hideSecrets(options.secrets ?? {}), calls: standIn };
  const { call: entry, web } = entryOf({ module: { web: isWeb(handler, options.style) } }, exportsOf(handler));
  const offer = handshake?.offer ?? null;
  const modes = { streamBody: body !== null, websocket: handshake !== null };
  return current.run(standIn, async () => {
    const context = new Context({ id: 1, abort: { signal }, offer }, invoke, common);
    const given = web ? makeRequest(invoke, body?.toWebStream() ?? raw, signal) : addStreams(makeMessage(invoke, raw), modes, body, offer);
    let value;
    try {
      value = await entry(given, context);
    } catch (error) {
      const isFailure = !handshake?.isEnd(error);
      if (handshake?.isAccepted) await handshake.finish(isFailure);
      if (isFailure) throw error;
    }
    if (handshake?.isAccepted) {
      await handshake.finish(false);
      return new Answer(101, [], [], true, standIn.invoked);
    }
    handshake?.refuse();
    const { status, headers, pieces, streamed } = await gather(value);
    return new Answer(status, headers, pieces, streamed, standIn.invoked);
  });
}

/** Pieces as they come, until nobody reads them any more. */
async function feed(body, pieces) {
  try {
    for await (const item of pieces) {
      if (body.isAborted) return;
      body.push(piece(item));
    }
    body.end();
  } catch (error) {
    body.abort(error);
  }
}

function makeInvoke({ body, verb = 'POST', path = '/', query = '', headers = {}, params = {}, messageType, timeoutMs = 60_000 }) {
  const { raw, contentType } = encode(body);
  const flat = [...(typeof headers[Symbol.iterator] === 'function' ? headers : Object.entries(headers))].flat().map(String);
  const isTyped = flat.some((name, at) => at % 2 === 0 && name.toLowerCase() === 'content-type');
  if (contentType !== null && !isTyped) flat.push('Content-Type', contentType);
  const queryText = typeof query === 'string' ? query : new URLSearchParams(query).toString();
  const target = path.split('/').map(encodeURIComponent).join('/');
  const invoke = {
    correlationId: randomUUID(),
    instanceId: 'local',
    deadline: Date.now() + timeoutMs,
    query: queryText,
    headers: flat,
    path,
    rawPath: queryText === '' ? target : `${target}?${queryText}`,
    verb: verb.toUpperCase(),
    params: { ...params },
    messageType,
  };
  return { invoke, raw };
}

function encode(body) {
  if (body === undefined || body === null) return { raw: Buffer.alloc(0), contentType: null };
  if (isBytes(body)) return { raw: bytesOf(body), contentType: null };
  if (typeof body === 'string') return { raw: Buffer.from(body), contentType: 'text/plain; charset=utf-8' };
  return { raw: Buffer.from(JSON.stringify(body)), contentType: 'application/json' };
}

/** {status, headers, pieces, streamed} */
async function gather(value) {
  const { status, headers, body, stream, probe } = shape(value);
  if (stream === undefined) return { status, headers, pieces: body.length === 0 ? [] : [body], streamed: false };
  const items = [];
  for await (const item of { [Symbol.asyncIterator]: () => stream }) items.push(item);
  // An empty stream, and a Response whose body is one piece, go out whole.
  const streamed = items.length > (probe === true ? 1 : 0);
  const typed = probe === true || items.length === 0 ? headers : streamType(headers, items[0]);
  return { status, headers: typed, pieces: items.map(piece), streamed };
}

function pairsOf(flat) {
  const pairs = [];
  for (let at = 0; at < flat.length; at += 2) pairs.push([flat[at], flat[at + 1]]);
  return pairs;
}

const exportsOf = (handler) => (typeof handler === 'function' || typeof handler?.fetch === 'function' ? { default: handler } : handler);

/** The platform sees the type of the parameter besides, which is gone here. */
function isWeb(handler, style) {
  if (style !== undefined) return style === 'web';
  const bare = typeof handler === 'function' ? handler : handler?.default;
  if (typeof bare !== 'function') return false;
  return /^(async\b)?\s*(function\b[^(]*)?\(?\s*(request|req)\s*,?\s*(\)|=>)/.test(Function.prototype.toString.call(bare));
}
