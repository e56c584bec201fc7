/** The one catalogue of errors: code, status, whose fault it is, and what it means to say. docs/errors.md lists the same codes; a test compares them. */

/** Who has to act: the caller of a function, its author, whoever runs the platform, or we. */
export type Fault = 'caller' | 'function' | 'operator' | 'platform';

interface CatalogueEntry {
  status: number;
  title: string;
  fault: Fault;
}

export const CATALOGUE = {
  invalid_request: { status: 422, title: 'The request does not fit the schema', fault: 'caller' },
  malformed_request: { status: 400, title: 'The request is not well-formed HTTP', fault: 'caller' },
  not_found: { status: 404, title: 'There is no such resource', fault: 'caller' },
  conflict: { status: 409, title: 'The request conflicts with the state of the resource', fault: 'caller' },
  no_function: { status: 404, title: 'No function is registered for this event key', fault: 'caller' },
  unknown_version: { status: 404, title: 'The function has no version of that number in service', fault: 'caller' },
  unauthenticated: { status: 401, title: 'The control plane does not know who asks', fault: 'caller' },
  forbidden: { status: 403, title: 'The token has not the role that this needs', fault: 'caller' },
  cross_origin: { status: 403, title: 'A page of another site asked for what only its own may', fault: 'caller' },
  host_not_allowed: { status: 421, title: 'The control plane is not known under this name', fault: 'caller' },
  too_many_failures: { status: 429, title: 'Too many wrong tokens came from this address', fault: 'caller' },
  api_key_required: { status: 401, title: 'The function is called with an API key', fault: 'caller' },
  api_key_invalid: { status: 401, title: 'The API key is not good for this function', fault: 'caller' },
  method_not_allowed: { status: 405, title: 'The path has functions for other methods only', fault: 'caller' },
  request_timeout: { status: 408, title: 'The request did not arrive in time', fault: 'caller' },
  body_too_large: { status: 413, title: 'The request body is too large', fault: 'caller' },
  websocket_version: { status: 426, title: 'The version of the WebSocket protocol is not supported', fault: 'caller' },
  uri_too_long: { status: 414, title: 'The request target is too long', fault: 'caller' },
  expectation_failed: { status: 417, title: 'The expectation of the request can not be met', fault: 'caller' },
  headers_too_large: { status: 431, title: 'The request headers are too large', fault: 'caller' },
  unsupported_media_type: { status: 415, title: 'The media type of the body is not supported', fault: 'caller' },
  queue_full: { status: 429, title: 'Too many requests are waiting for this function', fault: 'caller' },
  cancelled: { status: 409, title: 'The invocation was cancelled', fault: 'caller' },
  idempotency_key_in_use: { status: 409, title: 'The first request with this idempotency key is still running', fault: 'caller' },
  idempotency_key_reused: { status: 422, title: 'The idempotency key was used with another request', fault: 'caller' },
  rate_limited: { status: 429, title: 'Too many requests came in too short a time', fault: 'caller' },
  unsupported_coding: { status: 501, title: 'The transfer coding of the request is not supported', fault: 'caller' },
  http_version: { status: 505, title: 'The version of HTTP is not supported', fault: 'caller' },
  client_gone: { status: 499, title: 'The caller left before the answer', fault: 'caller' },
  invalid_code: { status: 422, title: 'The function code can not be used', fault: 'function' },
  invalid_bundle: { status: 422, title: 'The bundle can not be used', fault: 'function' },
  bundle_too_large: { status: 413, title: 'The bundle is too large', fault: 'caller' },
  unknown_bundle: { status: 422, title: 'The function names a bundle that does not exist', fault: 'caller' },
  function_failed: { status: 502, title: 'The function failed', fault: 'function' },
  function_crashed: { status: 502, title: 'The function ended its sandbox', fault: 'function' },
  out_of_memory: { status: 502, title: 'The function used more memory than it may', fault: 'function' },
  function_load_failed: { status: 502, title: 'The function could not be loaded', fault: 'function' },
  invalid_reply: { status: 502, title: 'The function answered with something that is no HTTP response', fault: 'function' },
  reply_too_large: { status: 502, title: 'The answer of the function is too large', fault: 'function' },
  runtime_protocol_error: { status: 502, title: 'The runtime of the function broke the protocol', fault: 'function' },
  invocation_too_deep: { status: 508, title: 'Too many functions have invoked one another', fault: 'function' },
  invoke_not_allowed: { status: 403, title: 'The function may not invoke that function', fault: 'function' },
  deadline_exceeded: { status: 504, title: 'The deadline passed', fault: 'function' },
  layer_build_failed: { status: 422, title: 'The libraries of a layer could not be installed', fault: 'function' },
  unknown_layer: { status: 422, title: 'The function names a layer that does not exist', fault: 'function' },
  unknown_secret: { status: 422, title: 'The function names a secret that does not exist', fault: 'function' },
  sandbox_unavailable: { status: 503, title: 'No sandbox can be had', fault: 'operator' },
  network_unavailable: { status: 503, title: 'The network mode that the function asks for can not be had here', fault: 'operator' },
  layer_unavailable: { status: 503, title: 'The libraries of the function are not on this machine', fault: 'operator' },
  broker_unavailable: { status: 503, title: 'The broker by which scripts answer can not be reached', fault: 'operator' },
  broker_lost: { status: 502, title: 'The connection to the broker was lost while the function ran', fault: 'operator' },
  node_lost: { status: 502, title: 'The node that ran the function was lost', fault: 'operator' },
  gateway_full: { status: 503, title: 'The gateway has as many connections or request bodies as it may hold', fault: 'operator' },
  invalid_config: { status: 500, title: 'The configuration can not be used', fault: 'operator' },
  secret_unreadable: { status: 503, title: 'A secret can not be decrypted', fault: 'operator' },
  store_unavailable: { status: 503, title: 'The store can not be read or written', fault: 'operator' },
  backup_not_here: { status: 501, title: 'The state is in a database that has its own backups', fault: 'operator' },
  storage_full: { status: 507, title: 'The disk is full', fault: 'operator' },
  draining: { status: 503, title: 'The platform is shutting down', fault: 'platform' },
  internal: { status: 500, title: 'Something broke inside the platform', fault: 'platform' },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof CATALOGUE;

/** RFC 9457 problem details. */
interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  fault: Fault;
  [member: string]: unknown;
}

export interface HearthErrorOptions {
  /** Members of the problem beyond those of RFC 9457; never secrets. */
  extra?: Record<string, unknown>;
  /** Seconds, for Retry-After. */
  retryAfter?: number;
  /** Methods, for Allow. */
  allow?: readonly string[];
  /** For WWW-Authenticate (RFC 6750 §3). */
  challenge?: string;
  cause?: unknown;
}

/** Every failure that a user may see. The message says what happened, where, and what to do. */
export class HearthError extends Error {
  override readonly name = 'HearthError';
  readonly code: ErrorCode;
  readonly extra: Record<string, unknown>;
  readonly retryAfter: number | undefined;
  readonly allow: readonly string[] | undefined;
  readonly challenge: string | undefined;

  constructor(code: ErrorCode, message: string, options: HearthErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.extra = options.extra ?? {};
    this.retryAfter = options.retryAfter;
    this.allow = options.allow;
    this.challenge = options.challenge;
  }

  get status(): number {
    return CATALOGUE[this.code].status;
  }

  get fault(): Fault {
    return CATALOGUE[this.code].fault;
  }

  toProblem(): Problem {
    const { status, title, fault } = CATALOGUE[this.code];
    return { type: `urn:hearth:error:${this.code}`, title, status, detail: this.message, code: this.code, fault, ...this.extra };
  }
}

/** Anything thrown, as one of ours. What we did not foresee becomes `internal`, and its text stays in our logs. */
export function toHearthError(error: unknown): HearthError {
  if (error instanceof HearthError) return error;
  return new HearthError('internal', 'The platform met an error that it did not expect; its log has the details under this correlation id.', {
    cause: error,
  });
}
