import { ProtocolError } from './frame.ts';
import type { CallMessage, ExitedMessage, HelloMessage, ReadyMessage, ReplyHeadMessage, RuntimeErrorMessage } from './messages.ts';

/** Parsers of the JSON that runtimes send. Written by hand: they stand on the way of every request, and take nothing on trust. */

export function parseHello(payload: Buffer): HelloMessage {
  const message = parseObject(payload, 'Hello');
  return { protocol: integer(message, 'protocol', 'Hello'), runtime: text(message, 'runtime', 'Hello'), version: text(message, 'version', 'Hello') };
}

export function parseReady(payload: Buffer): ReadyMessage {
  const message = parseObject(payload, 'Ready');
  const concurrency = integer(message, 'concurrency', 'Ready');
  if (concurrency < 1) throw new ProtocolError('Ready: concurrency is below 1');
  return { concurrency, preloaded: texts(message, 'preloaded', 'Ready'), excluded: texts(message, 'excluded', 'Ready') };
}

/** Says only that the shape is right; whether status and headers make a response is the function's affair: see scheduler/reply-head.ts. */
export function parseReplyHead(payload: Buffer): ReplyHeadMessage {
  const message = parseObject(payload, 'ReplyHead');
  const headers = texts(message, 'headers', 'ReplyHead');
  if (headers.length % 2 !== 0) throw new ProtocolError('ReplyHead: headers has a name without a value');
  if (typeof message.status !== 'number') throw new ProtocolError('ReplyHead: status is no number');
  return { status: message.status, headers, streaming: message.streaming === true };
}

export function parseRuntimeError(payload: Buffer): RuntimeErrorMessage {
  const message = parseObject(payload, 'error');
  const error: RuntimeErrorMessage = {
    type: text(message, 'type', 'error').slice(0, 256),
    message: text(message, 'message', 'error').slice(0, 4096),
  };
  if (message.fatal === true) error.fatal = true;
  if (typeof message.trace === 'string') error.trace = message.trace.slice(0, 16_384);
  return error;
}

export function parseExited(payload: Buffer): ExitedMessage {
  const message = parseObject(payload, 'Exited');
  if (typeof message.signal === 'string') return { signal: message.signal.slice(0, 32) };
  return { code: integer(message, 'code', 'Exited') };
}

export function parseCall(payload: Buffer): CallMessage {
  const message = parseObject(payload, 'Call');
  const { mode, timeoutMs = null, contentType = null } = message;
  if (mode !== 'sync' && mode !== 'async') throw new ProtocolError('Call: mode is neither sync nor async');
  if (timeoutMs !== null && !(typeof timeoutMs === 'number' && timeoutMs >= 1)) throw new ProtocolError('Call: timeoutMs is no number from 1 on');
  if (contentType !== null && !(typeof contentType === 'string' && /^[\x20-\x7e]{1,256}$/.test(contentType))) {
    throw new ProtocolError('Call: contentType is no header value');
  }
  const bodyLength = integer(message, 'bodyLength', 'Call');
  if (bodyLength < 0) throw new ProtocolError('Call: bodyLength is below 0');
  const name = text(message, 'function', 'Call').slice(0, 256);
  return { invocation: integer(message, 'invocation', 'Call'), function: name, mode, timeoutMs, contentType, bodyLength };
}

/** @returns which of Load's `services` it came by; undefined: by `streamListen` */
export function parseStreamOpen(payload: Buffer): string | undefined {
  return payload.length === 0 ? undefined : text(parseObject(payload, 'StreamOpen'), 'service', 'StreamOpen');
}

/** Of StreamCredit and InvokeCredit. @returns bytes */
export function parseCredit(payload: Buffer): number {
  if (payload.length !== 4) throw new ProtocolError('credit: the payload is no number of four bytes');
  return payload.readUInt32BE(0);
}

function parseObject(payload: Buffer, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(payload.toString('utf8'));
  } catch (cause) {
    throw new ProtocolError(`${what}: the payload is no JSON`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ProtocolError(`${what}: the payload is no JSON object`);
  return value as Record<string, unknown>;
}

function integer(message: Record<string, unknown>, member: string, what: string): number {
  const value = message[member];
  if (!Number.isSafeInteger(value)) throw new ProtocolError(`${what}: ${member} is no integer`);
  return value as number;
}

function text(message: Record<string, unknown>, member: string, what: string): string {
  const value = message[member];
  if (typeof value !== 'string') throw new ProtocolError(`${what}: ${member} is no string`);
  return value;
}

function texts(message: Record<string, unknown>, member: string, what: string): string[] {
  const value = message[member];
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) throw new ProtocolError(`${what}: ${member} is no list of strings`);
  return value;
}
