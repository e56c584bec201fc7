/**
 * The SDK of functions that Hearth runs: `import { invoke, InvokeError } from 'hearth'`. A handler has the same as `context.invoke`.
 * The function that invokes must be registered with the names of those that it may invoke: `"invokes": ["resize", "notify"]`.
 */

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

/** What carries calls of this process: (head, body) → promise of {head, body}. */
let transport = null;

/** For the agent. */
export function setTransport(send) {
  transport = send;
}

/**
 * Invokes another function of the platform: its answer, or with `mode: 'async'` the id of the invocation, once that is on the disk. `payload` becomes the
 * body: JSON, or bytes as they are; undefined or null: none. Options: `mode`, `timeoutMs`. Rejects with InvokeError.
 */
export async function invoke(name, payload, options) {
  if (transport === null) throw new Error('invoke works inside a function that Hearth runs, while an invocation runs; here none does');
  const { head, body } = requestOf(name, payload, options);
  return readAnswer(head, await transport(head, body));
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
