// From what a handler returned to an HTTP response. The rules are those of docs/functions.md.

import { FunctionError } from './errors.mjs';

const TEXT = 'text/plain; charset=utf-8';
const BYTES = 'application/octet-stream';
const JSON_TYPE = 'application/json';
const NOTHING = Buffer.alloc(0);

/** {status, headers, body} with bytes, or {status, headers, stream} with an async iterator. @throws FunctionError when it can't be a response */
export function shape(value) {
  if (value === undefined || value === null) return whole(204, [], NOTHING);
  if (typeof value === 'string') return whole(200, ['Content-Type', TEXT], Buffer.from(value));
  if (typeof value === 'object') {
    if (isBytes(value)) return whole(200, ['Content-Type', BYTES], bytesOf(value));
    if (isResponse(value)) return shapeResponse(value);
    if (Number.isInteger(value.statusCode)) return shapeObject(value);
    if (isStream(value)) return { status: 200, headers: [], stream: iteratorOf(value) };
  }
  return whole(200, ['Content-Type', JSON_TYPE], toJson(value));
}

const whole = (status, headers, body) => ({ status, headers, body });

export function isBytes(value) {
  return value instanceof Uint8Array || ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
}

export function bytesOf(value) {
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

/** Also one of a library's own, which is no instance of ours. */
export function isResponse(value) {
  return value instanceof Response || (value[Symbol.toStringTag] === 'Response' && typeof value.arrayBuffer === 'function');
}

/** Generators, streams of Node.js, ReadableStreams: not arrays, which are JSON. */
function isStream(value) {
  if (typeof value[Symbol.asyncIterator] === 'function') return true;
  return typeof value.next === 'function' && typeof value[Symbol.iterator] === 'function';
}

function iteratorOf(value) {
  return typeof value[Symbol.asyncIterator] === 'function' ? value[Symbol.asyncIterator]() : value[Symbol.iterator]();
}

/** The Content-Type of a stream that has none, by its first piece. */
export function streamType(headers, first) {
  return has(headers, 'content-type') ? headers : [...headers, 'Content-Type', typeof first === 'string' ? TEXT : BYTES];
}

/** One item of a stream as bytes. */
export function piece(item) {
  if (typeof item === 'string') return Buffer.from(item);
  if (typeof item === 'object' && item !== null && isBytes(item)) return bytesOf(item);
  throw new FunctionError('TypeError', `a stream yields strings or bytes, not ${item === null ? 'null' : typeof item}`);
}

function toJson(value) {
  let text;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new FunctionError(error?.name ?? 'TypeError', `the result can't be written as JSON: ${error?.message}`);
  }
  if (text === undefined) throw new FunctionError('TypeError', `the result can't be written as JSON: it is a ${typeof value}`);
  return Buffer.from(text);
}

function shapeObject({ statusCode: status, headers: given, multiValueHeaders, cookies, body, isBase64Encoded }) {
  const headers = [];
  addHeaders(headers, given, 'headers');
  addHeaders(headers, multiValueHeaders, 'multiValueHeaders');
  if (cookies !== undefined && cookies !== null) addHeaders(headers, { 'Set-Cookie': cookies }, 'cookies');
  const typed = (type, data) => whole(status, has(headers, 'content-type') ? headers : [...headers, 'Content-Type', type], data);
  if (body === undefined || body === null) return whole(status, headers, NOTHING);
  if (typeof body === 'string') return isBase64Encoded ? typed(BYTES, fromBase64(body)) : typed(TEXT, Buffer.from(body));
  if (typeof body === 'object') {
    if (isBytes(body)) return typed(BYTES, bytesOf(body));
    if (isStream(body)) return { status, headers, stream: iteratorOf(body) };
  }
  return typed(JSON_TYPE, toJson(body));
}

/** Buffer's decoder passes over what is none. */
function fromBase64(text) {
  const bare = text.replace(/\s+/g, '');
  if (bare.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(bare))
    throw new FunctionError('TypeError', 'isBase64Encoded is set, but body is no base64');
  return Buffer.from(bare, 'base64');
}

function has(headers, name) {
  for (let at = 0; at < headers.length; at += 2) if (headers[at].toLowerCase() === name) return true;
  return false;
}

/** Adds names and values in turn; `member` is what they are called in errors. */
export function addHeaders(headers, given, member) {
  if (given === undefined || given === null) return;
  if (given instanceof Headers) {
    headers.push(...headerPairs(given));
    return;
  }
  if (typeof given !== 'object' || Array.isArray(given)) throw new FunctionError('TypeError', `${member} is an object, not ${typeof given}`);
  for (const [name, value] of Object.entries(given)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one === undefined || one === null) continue;
      if (typeof one === 'object' || typeof one === 'function' || typeof one === 'symbol') {
        throw new FunctionError('TypeError', `the value of header ${name} is a string, not ${typeof one}`);
      }
      headers.push(name, String(one));
    }
  }
}

/** Names and values in turn; each cookie by itself, as Headers iterates. */
function headerPairs(headers) {
  const pairs = [];
  for (const [name, value] of headers) pairs.push(name, value);
  return pairs;
}

function shapeResponse(response) {
  const { status, body } = response;
  if (status === 0 || response.type === 'error') throw new FunctionError('TypeError', 'the function answered with Response.error()');
  if (response.bodyUsed) throw new FunctionError('TypeError', "the body of the function's Response has been read already");
  const headers = headerPairs(response.headers);
  if (body === null) return whole(status, headers, NOTHING);
  return { status, headers, stream: body[Symbol.asyncIterator](), probe: true };
}
