// What a function sees of a request: a handler's `message` and `context`, a script's environment. The members are those of docs/functions.md.

import { inspect } from 'node:util';
import { logger } from './logger.mjs';

/** @param raw the body's bytes */
export function makeMessage(invoke, raw) {
  const { query, queryAll } = parseQuery(invoke.query);
  return {
    headers: headerObject(invoke.headers),
    body: parseBody(raw),
    raw_body: raw,
    path: invoke.path,
    raw_path: invoke.rawPath,
    verb: invoke.verb,
    query,
    query_all: queryAll,
    params: invoke.params,
    message_type: invoke.messageType ?? 'http',
  };
}

/** null, the parsed JSON, or the text itself. */
export function parseBody(raw) {
  if (raw.length === 0) return null;
  const text = raw.toString();
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** As an own member, whatever the name: `__proto__` too. */
function put(target, name, value) {
  if (name === '__proto__') Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
  else target[name] = value;
}

/** Names as they came; repeated ones joined. */
export function headerObject(pairs) {
  const headers = {};
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    const name = pairs[at];
    const before = Object.hasOwn(headers, name) ? headers[name] : undefined;
    put(headers, name, before === undefined ? pairs[at + 1] : `${before}${name.toLowerCase() === 'cookie' ? '; ' : ', '}${pairs[at + 1]}`);
  }
  return headers;
}

export function parseQuery(text) {
  const query = {};
  const queryAll = {};
  if (text === '') return { query, queryAll };
  for (const [name, value] of new URLSearchParams(text)) {
    put(query, name, value);
    if (Object.hasOwn(queryAll, name)) queryAll[name].push(value);
    else put(queryAll, name, [value]);
  }
  return { query, queryAll };
}

/** Values by name, which neither console.log nor JSON.stringify shows. */
export function hideSecrets(values) {
  const secrets = {};
  for (const [name, value] of Object.entries(values)) Object.defineProperty(secrets, name, { value, enumerable: false });
  Object.defineProperty(secrets, inspect.custom, { value: () => `<secrets: ${Object.keys(values).join(', ')}>` });
  return Object.freeze(secrets);
}

/** traceparent and tracestate of a request's headers (W3C Trace Context). */
export function traceOf(pairs) {
  const found = {};
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    const name = pairs[at].toLowerCase();
    if (name === 'traceparent' || name === 'tracestate') found[name] = pairs[at + 1];
  }
  return found;
}

/** One for each call. `signal` aborts when nobody wants the answer any more. */
export class Context {
  #abort;
  #calls;
  #headers;
  #offer;

  /** @param common what is the same for all calls: functionName, secrets, calls */
  constructor(invocation, invoke, common) {
    this.message_queue_uri = 'message_queue';
    this.correlation_id = invoke.correlationId;
    this.instance_id = invoke.instanceId;
    this.function_name = common.functionName;
    this.deadline = invoke.deadline / 1000;
    Object.defineProperty(this, 'secrets', { value: common.secrets });
    this.#headers = invoke.headers;
    this.#abort = invocation.abort;
    this.#offer = invocation.offer ?? null;
    this.#calls = (name, payload, options) => common.calls.invoke(invocation.id, name, payload, options);
  }

  get signal() {
    return this.#abort.signal;
  }

  get logger() {
    return logger;
  }

  /** In the web style; a handler's message has it too. null: this is no handshake of a WebSocket. */
  get websocket() {
    return this.#offer;
  }

  /** What a request to elsewhere carries on: traceparent and tracestate, as far as the caller sent them. */
  trace_headers() {
    return traceOf(this.#headers);
  }

  /** Milliseconds until nobody wants the answer any more; 0 when that has passed. */
  remaining_ms() {
    return Math.max(0, this.deadline * 1000 - Date.now());
  }

  /** What the function of that name answers. Options: `mode` "sync" or "async", `timeoutMs`. */
  invoke(name, payload, options) {
    return this.#calls(name, payload, options);
  }
}

/** What Python's str.splitlines() takes for the end of a line, and NUL, which an environment can't hold. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
const BREAKS = /[\0\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]/g;

function oneLine(text) {
  return text.replace(BREAKS, ' ').toWellFormed();
}

/** The variables that a script finds. */
export function scriptEnvironment(invoke, raw) {
  const { headers } = invoke;
  const lines = [];
  for (let at = 0; at + 1 < headers.length; at += 2) lines.push(`${oneLine(headers[at])}: ${oneLine(headers[at + 1])}`);
  return {
    HTTP_HEADER: lines.join('\n'),
    HTTP_BODY: scriptBody(invoke, raw),
    HTTP_PATH: oneLine(invoke.path),
    HTTP_VERB: oneLine(invoke.verb),
    HTTP_QUERY: oneLine(invoke.query),
    HTTP_TARGET: oneLine(invoke.rawPath),
    // As OpenTelemetry names them in an environment.
    ...Object.fromEntries(Object.entries(traceOf(headers)).map(([name, value]) => [name.toUpperCase(), oneLine(value)])),
  };
}

/** JSON text around the body, which isn't encoded anew when it is JSON already. */
function scriptBody({ scriptBody: verbatim }, raw) {
  if (typeof verbatim === 'string') return verbatim.replaceAll('\0', ' ').toWellFormed();
  if (raw.length === 0) return '{"body": null}';
  const text = raw.toString();
  try {
    JSON.parse(text);
    return `{"body": ${text}}`;
  } catch {
    return `{"body": ${JSON.stringify(text)}}`;
  }
}
