/// <reference types="node" />
import type { Readable } from 'node:stream';
import type { FetchHandler } from './web.js';

/** The request, as a handler gets it. `Body` is what the caller is trusted to send: nothing checks it. */
// biome-ignore lint/suspicious/noExplicitAny: what callers send is theirs to say
export interface Message<Body = any> {
  /** The JSON body, parsed; the text itself when it is no JSON; null when there is none. */
  body: Body;
  /** The bytes as they came. */
  raw_body: Buffer;
  /** Names as they came; repeated ones joined by `, `. */
  headers: Record<string, string | undefined>;
  /** The method, in capitals. */
  verb: string;
  /** Without the query. */
  path: string;
  /** The target as it came. */
  raw_path: string;
  /** The last value of each name. */
  query: Record<string, string | undefined>;
  query_all: Record<string, string[] | undefined>;
  /** What `:name` and `*` in the event key matched. */
  params: Record<string, string>;
  message_type: 'http' | 'queue';
}

/** The request, as a function that is registered with `stream_body` gets it. */
export interface StreamMessage extends Omit<Message<null>, 'raw_body'> {
  raw_body: null;
  /** The body as it comes. What isn't read is not taken from the caller. */
  stream: Readable;
  /** As in WebSocketMessage, of a function that is registered with both. */
  websocket?: WebSocketHandshake | null;
}

/** The request, as a function that is registered with `websocket` gets it. */
// biome-ignore lint/suspicious/noExplicitAny: as Message
export interface WebSocketMessage<Body = any> extends Message<Body> {
  /** null: this is an ordinary request. */
  websocket: WebSocketHandshake | null;
}

/** A request to open a WebSocket. A handler that returns without having accepted it answers as an ordinary one. */
export interface WebSocketHandshake {
  /** Those that the caller offers, in the order of its preference. */
  readonly protocols: readonly string[];
  /** May be called once. A handler that returns after it closes the socket with 1000, one that throws with 1011. */
  accept(options?: AcceptOptions): ServerWebSocket;
}

export interface AcceptOptions {
  /** One of `protocols`; none by default. */
  protocol?: string | undefined;
  /** Of the answer, besides those of the handshake. */
  headers?: Headers | Record<string, HeaderValue | readonly HeaderValue[]> | undefined;
  /** Bytes from 1 on; 1 MiB by default. A larger message closes the socket with 1009. */
  maxMessageBytes?: number | undefined;
}

/** A WebSocket. Iterating gives messages until it is closed: a string for a text, a Buffer for bytes. */
export interface ServerWebSocket extends AsyncIterable<string | Buffer> {
  /** The one that was agreed on; empty: none. */
  readonly protocol: string;
  /** Resolves when it is closed, by whomever: with the code 1005 if there was none, 1006 if there was no Close. */
  readonly closed: Promise<WebSocketEnd>;
  /** Resolves when more may be sent. Rejects with WebSocketClosed when it is closed; a rejection that nobody waits for is passed over. */
  send(data: string | ArrayBuffer | NodeJS.ArrayBufferView): Promise<void>;
  /** At most 125 bytes. */
  ping(data?: string | ArrayBuffer | NodeJS.ArrayBufferView): Promise<void>;
  /** The next message. Rejects with WebSocketClosed when no more comes. */
  receive(): Promise<string | Buffer>;
  /** Resolves as `closed` does. The code is 1000 by default, the reason has at most 123 bytes. */
  close(code?: number, reason?: string): Promise<WebSocketEnd>;
}

export interface WebSocketEnd {
  code: number;
  reason: string;
}

/** The circumstances of the call. */
export interface Context {
  readonly correlation_id: string;
  readonly instance_id: string;
  readonly function_name: string;
  /** Seconds since the epoch, after which nobody wants the answer. */
  readonly deadline: number;
  readonly message_queue_uri: string;
  /** The values of the secrets that the function is registered with, by name. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Writes to the log of the invocation. */
  readonly logger: Logger;
  /** Aborts when nobody wants the answer any more. */
  readonly signal: AbortSignal;
  /** In the web style, of a function that is registered with `websocket`; null: this is an ordinary request. */
  readonly websocket: WebSocketHandshake | null;
  /** Milliseconds until the deadline; 0 when it has passed. */
  remaining_ms(): number;
  /** As the function `traceHeaders`. */
  trace_headers(): TraceHeaders;
  /** As the function `invoke`. */
  invoke: typeof invoke;
}

/** A response with a status and headers, as AWS Lambda knows it behind API Gateway. */
interface StatusResponse {
  /** An integer. */
  statusCode: number;
  headers?: Headers | Record<string, HeaderValue | readonly HeaderValue[]> | null | undefined;
  multiValueHeaders?: Record<string, readonly HeaderValue[]> | null | undefined;
  cookies?: string | readonly string[] | null | undefined;
  /** Text, bytes, a stream, or anything else that JSON can write. */
  body?: unknown;
  /** That `body` is base64 of the bytes to send. */
  isBase64Encoded?: boolean | undefined;
}

export type { StatusResponse as Response };

type HeaderValue = string | number | boolean | null | undefined;

/** What a handler may return; objects and arrays become JSON, generators and streams are streamed. */
// biome-ignore lint/suspicious/noConfusingVoidType: handlers without a return are meant
export type Result = StatusResponse | object | string | number | boolean | null | undefined | void;

/** `handler(message, context)`. `Handler<Order, Response>` takes bodies of the type Order, and answers with statuses. */
// biome-ignore lint/suspicious/noExplicitAny: as Message
export type Handler<Body = any, Returned extends Result = Result> = (message: Message<Body>, context: Context) => Returned | Promise<Returned>;

/** Of a function that is registered with `stream_body`. */
export type StreamHandler<Returned extends Result = Result> = (message: StreamMessage, context: Context) => Returned | Promise<Returned>;

/** Of a function that is registered with `websocket`. */
// biome-ignore lint/suspicious/noExplicitAny: as Message
export type WebSocketHandler<Body = any, Returned extends Result = Result> = (
  message: WebSocketMessage<Body>,
  context: Context,
) => Returned | Promise<Returned>;

/** The Web standard's style: `export default handler`, or `export default { fetch: handler }`. */
export type WebHandler = FetchHandler<Context>;

export interface InvokeOptions {
  /** `sync`, which is the default, waits for the answer; `async` puts it into the queue: it runs later, at least once. */
  mode?: 'sync' | 'async' | undefined;
  /** Milliseconds from 1 on, for which the answer is waited for; never longer than the caller itself has time. */
  timeoutMs?: number | null | undefined;
}

/**
 * Invokes another function of the platform. `payload` becomes the body: JSON, or bytes as they are; undefined or null: none. Resolves with the answer: parsed
 * when it is JSON, else text, or a Buffer if it is no text; null when it has no body. Rejects with InvokeError.
 *
 * The function that invokes must be registered with the names of those that it may invoke: `"invokes": ["resize"]`.
 */
// biome-ignore lint/suspicious/noExplicitAny: what the other function answers is its own to say
export function invoke<Answer = any>(name: string, payload?: unknown, options?: InvokeOptions & { mode?: 'sync' | undefined }): Promise<Answer>;
/** Resolves with the id of the invocation, once that is on the disk. */
export function invoke(name: string, payload: unknown, options: InvokeOptions & { mode: 'async' }): Promise<string>;

/** The other function was not run, failed, or answered with a status of 400 or above. */
export class InvokeError extends Error {
  constructor(code: string, status: number, message: string, body?: unknown);
  override readonly name: 'InvokeError';
  /** As in the platform's catalogue of errors, such as `invoke_not_allowed`, `invocation_too_deep` or `deadline_exceeded`; `status` for an answer. */
  readonly code: string;
  readonly status: number;
  /** What it answered, if it did. */
  readonly body: unknown;
}

/** The WebSocket is closed: nothing can be sent, and no more comes. */
export class WebSocketClosed extends Error {
  constructor(code: number, reason: string);
  override readonly name: 'WebSocketClosed';
  /** As Close had it; 1005: it had none, 1006: there was no Close. */
  readonly code: number;
  readonly reason: string;
}

/** Lines `LEVEL text` for the log of the invocation, formatted as by `console.log`. The least level is that of the variable LOG_LEVEL, INFO without it. */
export interface Logger {
  debug(message: unknown, ...values: unknown[]): void;
  info(message: unknown, ...values: unknown[]): void;
  warn(message: unknown, ...values: unknown[]): void;
  error(message: unknown, ...values: unknown[]): void;
}

/** The same as `context.logger`, for code that has no context at hand. */
export const logger: Logger;

export interface TraceHeaders {
  traceparent?: string;
  tracestate?: string;
}

/** What a request to elsewhere carries so that traces join up: traceparent and tracestate (W3C Trace Context), as far as the caller sent them. */
export function traceHeaders(): TraceHeaders;
