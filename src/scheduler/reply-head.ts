import { HearthError } from '../errors.ts';
import type { ReplyMessage } from '../reply/endpoint.ts';

/** Status and headers of a function's answer, fit to be sent: names and values in turn. */
export interface ReplyHead {
  status: number;
  headers: string[];
  /** What it says of the length of its body, in bytes. Only of an answer to HEAD is it used: there it is the length of GET's. */
  bodyLength: string | null;
}

const MAX_HEADERS = 200;
/** Names and values together, in characters, which are bytes here. Clients and proxies take far less. */
const MAX_HEADER_CHARS = 64 * 1024;

/** RFC 9110 §5.6.2, and §5.5 without obs-fold. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/;
const LENGTH = /^\d{1,15}$/;

/** The platform frames the response itself, and names what ran. */
const OURS = new Set([
  'connection',
  'content-length',
  'transfer-encoding',
  'keep-alive',
  'upgrade',
  'trailer',
  'te',
  'x-correlation-id',
  'x-serverless-instance-id',
  'server-timing',
  'date',
]);

/**
 * Checks and cleans what a function wants as head of its response.
 * @param upgraded it is the answer to a handshake that accepts it, whose status is 101
 * @throws HearthError invalid_reply when no HTTP response can be made of it
 */
export function checkReplyHead(status: number, headers: readonly string[], upgraded = false): ReplyHead {
  if (!upgraded && (!Number.isInteger(status) || status < 200 || status > 599)) {
    throw new HearthError('invalid_reply', `The function answered with the status ${status}; it must be a whole number from 200 to 599.`);
  }
  if (headers.length > 2 * MAX_HEADERS) {
    throw new HearthError('invalid_reply', `The function answered with ${headers.length / 2} headers; ${MAX_HEADERS} are allowed.`);
  }
  const kept: string[] = [];
  let bodyLength: string | null = null;
  let chars = 0;
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] as string;
    const value = headers[index + 1] as string;
    chars += name.length + value.length;
    if (chars > MAX_HEADER_CHARS)
      throw new HearthError('invalid_reply', `The function answered with more than ${MAX_HEADER_CHARS} bytes of headers.`);
    const lower = name.toLowerCase();
    if (OURS.has(lower) || lower.startsWith('proxy-') || lower.startsWith('x-hearth-')) {
      if (lower === 'content-length' && LENGTH.test(value)) bodyLength = value;
      continue;
    }
    if (!TOKEN.test(name)) throw new HearthError('invalid_reply', `The function answered with a header whose name is not allowed: ${shown(name)}.`);
    if (!VALUE.test(value)) {
      throw new HearthError(
        'invalid_reply',
        `The function answered with a value of the header ${name} that is not allowed in HTTP: ${shown(value)}. Line breaks, NUL and characters beyond Latin-1 can't stand there.`,
      );
    }
    kept.push(name, value);
  }
  return { status, headers: kept, bodyLength };
}

/**
 * The head that an AMQP message makes: its headers property, its content type, and a status by the header `Status`, as in CGI (RFC 3875 §6.3.3).
 * @throws HearthError invalid_reply
 */
export function headOfMessage(message: ReplyMessage): ReplyHead {
  let status = 200;
  let typed = message.contentType !== undefined;
  const headers: string[] = message.contentType === undefined ? [] : ['Content-Type', message.contentType];
  for (let index = 0; index + 1 < message.headers.length; index += 2) {
    const name = message.headers[index] as string;
    const value = message.headers[index + 1] as string;
    const lower = name.toLowerCase();
    if (lower === 'status') {
      const code = /^(\d{3})\b/.exec(value);
      if (!code)
        throw new HearthError('invalid_reply', `The function answered with the header Status: ${shown(value)}, which begins with no three digits.`);
      status = Number(code[1]);
    } else if (lower === 'content-type') {
      if (!typed) headers.push(name, value);
      typed = true;
    } else headers.push(name, value);
  }
  if (!typed && message.body.length > 0) headers.push('Content-Type', looksLikeJson(message.body) ? 'application/json' : 'text/plain; charset=utf-8');
  return checkReplyHead(status, headers);
}

/** The seed's template publishes json.dumps(…) and names no type. An object, a list or a string is told by its first byte; no body is parsed for it. */
function looksLikeJson(body: Buffer): boolean {
  const first = body[0];
  return first === 0x7b || first === 0x5b || first === 0x22;
}

function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
