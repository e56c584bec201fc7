/// <reference types="node" />
import type { Handler, Message, Result, ServerWebSocket, StreamHandler, WebHandler, WebSocketHandler } from './index.js';

/** A handler's module, as `import * as` or `require` gives it, counts too. */
// biome-ignore lint/suspicious/noExplicitAny: handlers of whatever body
export type HandlerModule = { handler: Handler<any> } | { default: Handler<any> | { handler: Handler<any> } };
export type WebModule = { fetch: WebHandler } | { default: WebHandler | { fetch: WebHandler } };

export type StreamModule = { handler: StreamHandler } | { default: StreamHandler | { handler: StreamHandler } };
export type WebSocketModule = { handler: WebSocketHandler } | { default: WebSocketHandler | { handler: WebSocketHandler } };

export interface CallOptions {
  /** Bytes as they are, a string as text/plain, anything else as JSON; undefined or null: none. */
  body?: unknown;
  /** The method; POST by default. */
  verb?: string | undefined;
  /** `/` by default; not encoded, and without the query. */
  path?: string | undefined;
  query?: string | URLSearchParams | Record<string, string> | undefined;
  headers?: Record<string, string> | Iterable<readonly [string, string]> | undefined;
  /** What `:name` and `*` in the event key match. */
  params?: Record<string, string> | undefined;
  /** `http` by default. */
  messageType?: Message['message_type'] | undefined;
  /** Of `context.secrets`. */
  secrets?: Record<string, string> | undefined;
  /** What stands in for the functions that it may invoke. Each is given the payload, and returns what a handler may, or throws an InvokeError. */
  // biome-ignore lint/suspicious/noExplicitAny: as Message
  invokes?: Record<string, (payload: any) => Result | Promise<Result>> | undefined;
  /** Until the deadline that the handler sees, in milliseconds; 60,000 by default. It is not enforced: `signal` does what it would. */
  timeoutMs?: number | undefined;
  functionName?: string | undefined;
  /** What `context.signal` and `request.signal` follow. */
  signal?: AbortSignal | undefined;
  /** Of a bare function. By default it is `web` if it has one parameter that is called `request` or `req`. */
  style?: 'handler' | 'web' | undefined;
}

/** That the handler invoked another function. */
export interface Invoked {
  name: string;
  payload: unknown;
  mode: 'sync' | 'async';
}

/** What a caller would get. */
export interface Answer {
  readonly status: number;
  /** In their order; repeated ones as often as they are sent. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** As they were sent: more than one only if it is streamed. */
  readonly pieces: readonly Buffer[];
  readonly streamed: boolean;
  /** In the order of the invocations. */
  readonly invoked: readonly Invoked[];
  readonly body: Buffer;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: as JSON.parse
  json(): any;
  /** The first of that name, whatever its capitals; undefined when there is none. */
  header(name: string): string | undefined;
}

/**
 * Calls a handler as the platform would, without the platform. The request is taken apart and the answer put together by the code that does it inside
 * sandboxes. What the handler throws is thrown here. There are no limits, and no deadline is enforced.
 */
// biome-ignore lint/suspicious/noExplicitAny: handlers of whatever body
export function call(handler: Handler<any> | HandlerModule, options?: CallOptions): Promise<Answer>;
export function call(handler: WebHandler | WebModule, options?: CallOptions): Promise<Answer>;
/** As to a function that is registered with `stream_body`. */
export function call(handler: StreamHandler | StreamModule | WebHandler | WebModule, options: StreamOptions): Promise<Answer>;

export interface StreamOptions extends Omit<CallOptions, 'body'> {
  /** The body, in pieces. */
  stream: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;
}

export interface ConnectOptions extends Omit<CallOptions, 'body'> {
  /** That the caller offers; none by default. */
  protocols?: readonly string[] | undefined;
}

/** The caller's end of a WebSocket. */
export interface ClientWebSocket extends ServerWebSocket {
  /** Of the handler's answer: the first of that name, whatever its capitals. */
  header(name: string): string | undefined;
  /** Resolves when the handler has ended, with the status 101; rejects with what it threw. */
  readonly ended: Promise<Answer>;
}

/** Opens a WebSocket to a handler, as to a function that is registered with `websocket`. Rejects when the handler doesn't accept it. */
export function connect(handler: WebSocketHandler | WebSocketModule, options?: ConnectOptions): Promise<ClientWebSocket>;
export function connect(handler: WebHandler | WebModule, options?: ConnectOptions): Promise<ClientWebSocket>;

/** The handler answered otherwise than by accepting. */
export class HandshakeRefused extends Error {
  override readonly name: 'HandshakeRefused';
  readonly answer: Answer;
}
