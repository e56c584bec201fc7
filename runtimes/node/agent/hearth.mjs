/**
 * The SDK of functions that Hearth runs: `import { invoke, InvokeError, logger, traceHeaders } from '@hearth/sdk'`, or from 'hearth'. A handler's context has the
 * same. ../types/index.d.ts has the types of what is public. The function that invokes must be registered with the names of those that it may invoke: `"invokes": ["resize", "notify"]`.
 */

export { logger } from './logger.mjs';

/** The other function was not run, failed, or answered with a status of 400 or above. */
export class InvokeError extends Error {
  /**
   * @param code as in the platform's catalogue of errors, such as `invoke_not_allowed` or `deadline_exceeded`; `status` for an answer
   * @param body what it answered, if it did
   */
  constructor(code, status, message, body = null) {
    super(`${code}: ${message}`);
    this.name = 'InvokeError';
    this.code = code;
    this.status = status;
    this.body = body;
  }
}

/** The WebSocket is closed: nothing can be sent, and no more comes. */
export class WebSocketClosed extends Error {
  /** @param code as Close had it; 1005: it had none, 1006: there was no Close */
  constructor(code, reason) {
    super(`the WebSocket is closed: ${code}${reason === '' ? '' : `, ${reason}`}`);
    this.name = 'WebSocketClosed';
    this.code = code;
    this.reason = reason;
  }
}

export const NOT_ALLOWED = 'this function may invoke none: register it with "invokes": ["name", …]';

/** What stands behind this module in this process. */
let platform = null;

/**
 * For the agent and the stand-in of testing.mjs.
 * @param given {send(head, body) → promise of {head, body}, traceHeaders()} @returns what was in place; null: nothing
 */
export function setPlatform(given) {
  const before = platform;
  platform = given;
  return before;
}

function here(what) {
  if (platform === null)
    throw new Error(`${what} works inside a function that Hearth runs, and this is none; @hearth/sdk/testing calls one elsewhere`);
  return platform;
}

/**
 * Invokes another function of the platform: its answer, or with `mode: 'async'` the id of the invocation, once that is on the disk. `payload` becomes the
 * body: JSON, or bytes as they are; undefined or null: none. Options: `mode`, `timeoutMs`. Rejects with InvokeError.
 */
export async function invoke(name, payload, options) {
  const { send } = here('invoke');
  const { head, body } = requestOf(name, payload, options);
  return readAnswer(head, await send(head, body));
}

/** What a request to elsewhere carries on (W3C Trace Context): traceparent and tracestate, as far as the caller sent them. */
export function traceHeaders() {
  return here('traceHeaders').traceHeaders();
}

export function requestOf(name, payload, options = {}) {
  const { mode = 'sync', timeoutMs = null } = options;
  if (typeof name !== 'string') throw new TypeError(`the name of a function is a string, not ${typeof name}`);
  if (mode !== 'sync' && mode !== 'async') throw new RangeError(`mode is "sync" or "async", not ${JSON.stringify(mode)}`);
  if (timeoutMs !== null && !(timeoutMs >= 1)) throw new RangeError(`timeoutMs is a number from 1 on, not ${timeoutMs}`);
  const timeout = timeoutMs === null || timeoutMs === Number.POSITIVE_INFINITY ? null : timeoutMs;
  const { contentType, body } = bodyOf(payload);
  return { head: { function: name, mode, timeoutMs: timeout, contentType, bodyLength: body.length }, body };
}

function bodyOf(payload) {
  if (payload === undefined || payload === null) return { contentType: null, body: Buffer.alloc(0) };
  if (payload instanceof ArrayBuffer) return { contentType: 'application/octet-stream', body: Buffer.from(payload) };
  if (ArrayBuffer.isView(payload)) {
    return { contentType: 'application/octet-stream', body: Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength) };
  }
  return { contentType: 'application/json', body: Buffer.from(JSON.stringify(payload)) };
}

/** @throws InvokeError for a status of 400 or above */
export function readAnswer(request, { head, body }) {
  if (request.mode === 'async') return head.id;
  const parsed = parse(head.headers, body);
  if (head.status >= 400) {
    throw new InvokeError('status', head.status, `the function ${request.function} answered with the status ${head.status}`, parsed);
  }
  return parsed;
}

function parse(headers, body) {
  if (body.length === 0) return null;
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    return body;
  }
  for (let at = 0; at + 1 < headers.length; at += 2) {
    if (headers[at].toLowerCase() !== 'content-type' || !headers[at + 1].toLowerCase().includes('json')) continue;
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  }
  return text;
}
