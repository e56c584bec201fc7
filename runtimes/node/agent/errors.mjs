// Anything a function threw, as the protocol's error object. Survives values that fight back.

import { fileURLToPath } from 'node:url';

const MESSAGE_BYTES = 4096;
const TRACE_BYTES = 16_384;
const TYPE_BYTES = 256;
const MAX_CAUSES = 3;
const AGENT_FOLDER = new URL('.', import.meta.url).href;
const AGENT_PATH = fileURLToPath(AGENT_FOLDER);

/** What the function did is wrong in a way that we found out; shown without a trace of our own. */
export class FunctionError extends Error {
  constructor(type, message) {
    super(message);
    this.name = type;
  }
}

/** At most `limit` bytes of UTF-8; a cut text ends in '…'. */
export function cut(text, limit) {
  const data = Buffer.from(text.slice(0, limit));
  if (text.length <= limit && data.length <= limit) return text;
  let end = Math.min(limit - 3, data.length);
  while (end > 0 && (data[end] & 0xc0) === 0x80) end--;
  return `${data.toString('utf8', 0, end)}…`;
}

/** {type, message, trace}. Never throws, whatever the thrown value does. */
export function errorObject(error) {
  const isOurs = guarded(() => error instanceof FunctionError, false) === true;
  const type = typeOf(error);
  const message = guarded(() => textOf(error), `<${type} that can't be shown as text>`);
  return {
    type: cut(type, TYPE_BYTES),
    message: cut(message, MESSAGE_BYTES),
    trace: isOurs
      ? ''
      : cut(
          guarded(() => traceOf(error), ''),
          TRACE_BYTES,
        ),
  };
}

function typeOf(error) {
  if (typeof error !== 'object' || error === null) return error === null ? 'null' : typeof error;
  return guarded(() => {
    const { name } = error;
    return typeof name === 'string' && name !== '' ? name : error.constructor.name;
  }, 'Error');
}

function textOf(error) {
  if (typeof error !== 'object' || error === null) return String(error);
  const { message } = error;
  if (typeof message === 'string') return message;
  return JSON.stringify(error) ?? String(error);
}

function traceOf(error, depth = 0) {
  if (typeof error !== 'object' || error === null || typeof error.stack !== 'string') return '';
  const own = error.stack
    .split('\n')
    .filter((line) => !line.includes(AGENT_FOLDER) && !line.includes(AGENT_PATH) && !/^\s+at .*\(?node:internal\//.test(line))
    .join('\n');
  const { cause } = error;
  if (cause === undefined || depth >= MAX_CAUSES) return own;
  const why = guarded(() => traceOf(cause, depth + 1) || textOf(cause), '');
  return why === '' ? own : `${own}\nCaused by: ${why}`;
}

function guarded(make, fallback) {
  try {
    const value = make();
    return typeof fallback === 'string' && typeof value !== 'string' ? fallback : value;
  } catch {
    return fallback;
  }
}
