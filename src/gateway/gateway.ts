import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type ErrorCode, HearthError, toHearthError } from '../errors.ts';
import { chooseVersions, isSplit } from '../router/choose-versions.ts';
import type { Router, RouteTarget } from '../router/router.ts';
import type { Invocation, InvocationInput, ReplySink } from '../scheduler/invocation.ts';
import { newInvocationId } from '../scheduler/invocation-id.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import type { Logger } from '../telemetry/log.ts';
import type { RequestTrace, RequestTracer } from '../telemetry/traces/request-tracer.ts';
import { BodyMemory } from './body-memory.ts';
import { checkRequest, type Framing } from './check-request.ts';
import { ClientAddresses } from './client-address.ts';
import { Connections } from './connections.ts';
import { FanOut } from './fan-out.ts';
import { HttpReply } from './http-reply.ts';
import { endSocket, lingerAndClose } from './linger.ts';
import { preflightAnswer } from './policy/cors.ts';
import { dropKeyName, KEY_NAME_HEADER } from './policy/credentials.ts';
import { type GatewayPolicies, isGoverned } from './policy/policies.ts';
import { sendProblem } from './problem.ts';
import { callerRequestId, hasBody, headerOf, parseTarget, passedHeaders, readBody, type Target, versionOverride } from './request.ts';
import { type Keeper, queuedMode, respondFromQueue } from './respond-async.ts';
import { isStreamed, Streams } from './streams.ts';
import { asksForWebSocket, checkHandshake, takesWebSocket } from './websocket.ts';

export interface GatewaySettings {
  host: string;
  port: number;
  maxBodyBytes: number;
  /** Of functions that are given bodies as they come. Bytes. */
  maxStreamedBodyBytes: number;
  maxHeaderBytes: number;
  maxHeaders: number;
  headersTimeoutMs: number;
  requestTimeoutMs: number;
  keepAliveMs: number;
  /** An answer may wait for so long for a caller who doesn't read it, and a streamed body may pause for so long. */
  streamIdleMs: number;
  /** Bytes a second at which a complete answer is to be read on average. */
  minReadBytesPerS: number;
  /** Connections at a time. */
  maxConnections: number;
  /** Bytes that request bodies hold together. */
  bodyMemoryBytes: number;
  /** Addresses and CIDR ranges of proxies whose X-Forwarded-* is believed. */
  trustedProxies: readonly string[];
  /** This node's name, which callers are told; null: there is no other. */
  node: string | null;
}

/** The gateway's only view of what runs functions. */
export interface Invoker {
  submit(input: InvocationInput, version: FunctionVersion, sink: ReplySink): Invocation;
  cancel(invocation: Invocation): void;
  /** What the caller sends is of no use. */
  fail(invocation: Invocation, error: HearthError): void;
  /** The caller has closed its WebSocket. */
  hangUp(invocation: Invocation): void;
}

/** Longest request target in characters; longer ones are 414. */
const MAX_TARGET_CHARS = 8 * 1024;
/** Connections that wait to be accepted; Node's own 511 overflow under a flood of new callers, who are then cut off. The kernel caps it at somaxconn. */
const BACKLOG = 4096;
const NO_BODY = null;
/** After these the connection ends: what comes behind such a request may be understood in more than one way. */
const ENDING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'malformed_request',
  'unsupported_coding',
  'http_version',
  'headers_too_large',
  'uri_too_long',
]);

/** The HTTP server in front of the functions: bytes in, bytes out. */
export class Gateway {
  readonly #settings: GatewaySettings;
  readonly #router: Pick<Router, 'match'>;
  readonly #invoker: Invoker;
  readonly #keeper: Keeper;
  readonly #policies: Pick<GatewayPolicies, 'admit'>;
  readonly #log: Logger;
  readonly #tracer: RequestTracer | null;
  readonly #server: Server;
  readonly #connections: Connections;
  readonly #clients: ClientAddresses;
  readonly #bodies: BodyMemory;
  readonly #streams: Streams;
  #draining = false;

  /** @param tracer null: there are no traces @throws HearthError invalid_config when a trusted proxy is no address */
  constructor(
    settings: GatewaySettings,
    router: Pick<Router, 'match'>,
    invoker: Invoker,
    keeper: Keeper,
    policies: Pick<GatewayPolicies, 'admit'>,
    log: Logger,
    tracer: RequestTracer | null,
  ) {
    this.#settings = settings;
    this.#router = router;
    this.#invoker = invoker;
    this.#keeper = keeper;
    this.#policies = policies;
    this.#log = log;
    this.#tracer = tracer;
    this.#clients = new ClientAddresses(settings.trustedProxies);
    this.#bodies = new BodyMemory(settings.bodyMemoryBytes);
    this.#server = createServer({
      maxHeaderSize: settings.maxHeaderBytes,
      headersTimeout: settings.headersTimeoutMs,
      requestTimeout: settings.requestTimeoutMs,
      keepAliveTimeout: settings.keepAliveMs,
      connectionsCheckingInterval: Math.min(1000, settings.headersTimeoutMs),
      noDelay: true,
      // We refuse a request without Host ourselves, in words.
      requireHostHeader: false,
      shouldUpgradeCallback: (request) => this.#mayUpgrade(request),
    });
    // One more than allowed: Node drops what is beyond silently, we want to see it and refuse.
    this.#server.maxHeadersCount = settings.maxHeaders + 1;
    this.#server.on('request', (request, response) => this.#onRequest(request, response));
    this.#server.on('checkContinue', (request, response) => this.#onRequest(request, response));
    // Refused below, in words.
    this.#server.on('checkExpectation', (request, response) => this.#onRequest(request, response));
    this.#server.on('upgrade', (request, _socket, head) => this.#onUpgrade(request, head));
    this.#server.on('connect', (_request, socket) =>
      this.#connections.refuse(socket as Socket, new HearthError('malformed_request', 'This gateway is no proxy: it takes no CONNECT.')),
    );
    this.#connections = new Connections(this.#server, {
      limit: settings.maxConnections,
      unreadMs: settings.streamIdleMs,
      minReadBytesPerS: settings.minReadBytesPerS,
    });
    this.#streams = new Streams({
      invoker,
      connections: this.#connections,
      settings: { limit: settings.maxStreamedBodyBytes, idleMs: settings.streamIdleMs },
      refuse: (request, response, error) => this.#refuse(request, response, error),
    });
  }

  /** @returns the address that it listens on @throws HearthError invalid_config when the address can't be had */
  async listen(): Promise<AddressInfo> {
    const { host, port } = this.#settings;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause: NodeJS.ErrnoException) => {
        const what =
          cause.code === 'EADDRINUSE' ? 'something else listens there already; stop it, or set HEARTH_GATEWAY_PORT to a free port' : cause.message;
        reject(new HearthError('invalid_config', `The gateway can't listen on ${host}:${port}: ${what}.`, { cause }));
      });
      this.#server.listen({ port, host, backlog: BACKLOG }, () => resolve());
    });
    this.#server.on('error', (error) => this.#log.error({ err: error }, 'the gateway met an error'));
    return this.#server.address() as AddressInfo;
  }

  get counts(): { connections: number; webSockets: number; answered: Readonly<Float64Array> } {
    return { connections: this.#connections.count, webSockets: this.#streams.webSockets, answered: this.#connections.answered };
  }

  /** New requests are refused with 503 from now on; those under way go on, but WebSockets are to come to an end. */
  drain(): void {
    this.#draining = true;
    this.#streams.endCallers();
    this.#server.closeIdleConnections();
  }

  /** Takes no more connections, and ends those that are left. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    // What still writes its last answer has a moment to do so.
    const timer = setTimeout(() => {
      this.#server.closeAllConnections();
      this.#streams.destroy();
    }, 1000);
    await closed;
    clearTimeout(timer);
  }

  /** Whether Node.js is to let go of the connection for what the request asks for; all others are ordinary requests. */
  #mayUpgrade(request: IncomingMessage): boolean {
    if (this.#draining || !asksForWebSocket(request) || this.#connections.isBusy(request.socket)) return false;
    try {
      const match = this.#router.match('GET', parseTarget(request.url ?? '/').path);
      return match.kind === 'found' && takesWebSocket(match.targets);
    } catch {
      // It is refused as an ordinary request, in words.
      return false;
    }
  }

  #onUpgrade(request: IncomingMessage, head: Buffer): void {
    const { socket } = request;
    socket.on('error', () => socket.destroy());
    const response = new ServerResponse(request);
    response.assignSocket(socket);
    response.shouldKeepAlive = false;
    response.on('finish', () => endSocket(socket));
    this.#onRequest(request, response, head);
  }

  /** @param upgrade what came behind a handshake */
  #onRequest(request: IncomingMessage, response: ServerResponse, upgrade: Buffer | null = null): void {
    if (!this.#connections.onRequest(request, response)) return;
    const trace = this.#tracer === null ? null : this.#tracer.begin(request, response);
    try {
      this.#route(request, response, upgrade, trace);
    } catch (error) {
      this.#refuse(request, response, error);
    }
  }

  #route(request: IncomingMessage, response: ServerResponse, upgrade: Buffer | null, trace: RequestTrace | null): void {
    if (this.#draining)
      throw new HearthError('draining', 'The platform is shutting down and takes no more requests. Try again in a few seconds.', { retryAfter: 5 });
    const { url = '/', method = 'GET' } = request;
    const framing = checkRequest(request, this.#settings.maxHeaders);
    if (framing.last) this.#connections.closeAfter(request);
    if (url.length > MAX_TARGET_CHARS) throw new HearthError('uri_too_long', `The request target is longer than ${MAX_TARGET_CHARS} characters.`);
    if (url === '*' && method === 'OPTIONS') {
      // OPTIONS * asks about the server as a whole (RFC 9110 §9.3.7).
      response.writeHead(204, closingIfNeeded(request, framing)).end();
      return;
    }
    const target = parseTarget(url);
    const preflight = method === 'OPTIONS' ? preflightAnswer(request.headers, (verb) => this.#router.match(verb, target.path)) : null;
    if (preflight) {
      response.writeHead(204, { ...preflight, ...closingIfNeeded(request, framing) }).end();
      return;
    }
    const match = this.#router.match(method, target.path);
    if (match.kind === 'none') {
      throw new HearthError(
        'no_function',
        `No function is registered for ${method} ${target.path}. Register one under the event key "http|${method}|${target.path}"; GET /functions of the control plane lists those there are.`,
      );
    }
    if (match.kind === 'other_methods') {
      if (method === 'OPTIONS') {
        response.writeHead(204, { Allow: match.allow.join(', '), ...closingIfNeeded(request, framing) }).end();
        return;
      }
      throw new HearthError('method_not_allowed', `${target.path} has functions for ${match.allow.join(', ')}, none for ${method}.`, {
        allow: match.allow,
      });
    }
    if (request.headers[KEY_NAME_HEADER] !== undefined) dropKeyName(request);
    const admitted = isGoverned(match.targets)
      ? this.#policies.admit(request, response, match.targets, this.#clients.of(request).address)
      : match.targets;
    const override = versionOverride(request.rawHeaders);
    // Whoever has a choice of versions is told which one it was.
    const chosen = override !== undefined || isSplit(admitted);
    const targets = chosen ? chooseVersions(admitted, override, (name) => headerOf(request, name)) : admitted;
    if (upgrade !== null && takesWebSocket(targets)) {
      checkHandshake(request, targets);
      this.#invoke(request, response, framing, target, targets, chosen, NO_BODY, trace, upgrade);
      return;
    }
    if (!hasBody(request) || isStreamed(request, targets)) {
      this.#invoke(request, response, framing, target, targets, chosen, NO_BODY, trace);
      return;
    }
    readBody(request, response, this.#settings.maxBodyBytes, this.#bodies, (error, body) => {
      try {
        if (error) throw error;
        this.#invoke(request, response, framing, target, targets, chosen, body, trace);
      } catch (cause) {
        this.#refuse(request, response, cause);
      }
    });
    // The caller waits for this before it sends the body; an announced size that is too large has been refused by now.
    if (framing.expectsContinue && !response.headersSent) response.writeContinue();
  }

  /** @param upgrade what came behind a handshake that the function may accept */
  #invoke(
    request: IncomingMessage,
    response: ServerResponse,
    framing: Framing,
    target: Target,
    targets: readonly RouteTarget[],
    chosen: boolean,
    body: Buffer | null,
    trace: RequestTrace | null,
    upgrade: Buffer | null = null,
  ): void {
    const client = this.#clients.of(request);
    const headers = passedHeaders(request.rawHeaders, client, target.host);
    trace?.routed((targets[0] as RouteTarget).version.eventKey, client);
    const mode = queuedMode(request.headers, targets);
    if (mode !== null && upgrade === null) {
      if (framing.last || this.#draining) response.shouldKeepAlive = false;
      const kept = trace === null ? headers : trace.carry(headers);
      respondFromQueue(this.#keeper, { request, response, target, targets, headers: kept, body, mode }).catch((cause) =>
        this.#refuse(request, response, cause),
      );
      return;
    }
    const requestId = callerRequestId(request);
    const invocations: Invocation[] = [];
    trace?.runs(invocations);
    const streamed =
      body === null && upgrade === null && hasBody(request) ? this.#streams.body(request, response, framing.expectsContinue, invocations) : null;
    const reply = new HttpReply(response, requestId, chosen, this.#settings.node, () => framing.last || this.#draining, streamed);
    const tunnel = upgrade === null ? null : this.#streams.tunnel(request, response, upgrade, reply, invocations);
    const fanOut = targets.length > 1 ? new FanOut(reply, targets.length) : null;
    response.on('close', () => {
      if (!response.writableFinished) for (const invocation of invocations) this.#invoker.cancel(invocation);
    });
    for (const { version, params } of targets) {
      const id = newInvocationId();
      const input: InvocationInput = {
        id,
        correlationId: id,
        trigger: 'gateway',
        verb: request.method as string,
        path: target.path,
        rawPath: target.rawPath,
        query: target.query,
        params,
        headers: [...headers, 'X-Correlation-Id', id],
        body,
        scriptBody: null,
        requestId,
      };
      if (streamed) input.source = streamed;
      else if (tunnel) {
        input.source = tunnel;
        input.upgrade = 'websocket';
      }
      if (trace !== null) trace.enter(input);
      invocations.push(this.#invoker.submit(input, version, fanOut ? fanOut.branch() : (tunnel ?? reply)));
    }
  }

  #refuse(request: IncomingMessage, response: ServerResponse, cause: unknown): void {
    const error = toHearthError(cause);
    if (error.code === 'internal') this.#log.error({ err: error.cause, verb: request.method, path: request.url }, 'the gateway met an error');
    // What is left of an unread body must not be taken for the next request: the connection ends after this answer.
    const unread = hasBody(request) && !request.complete;
    if (response.headersSent || response.destroyed) return;
    const requestId = callerRequestId(request);
    const headers = requestId === null ? [] : ['X-Request-Id', requestId];
    if (error.code === 'websocket_version') headers.push('Sec-WebSocket-Version', '13', 'Upgrade', 'websocket');
    if (unread || this.#draining || ENDING.has(error.code)) {
      this.#connections.closeAfter(request);
      headers.push('Connection', 'close');
    }
    if (!unread) {
      sendProblem(response, error, headers);
      return;
    }
    // Who waits to be told to send has sent nothing, and needn't be waited for.
    const waits = request.headers.expect !== undefined;
    sendProblem(response, error, headers, {}, waits);
    if (waits) response.once('finish', () => request.destroy());
    else lingerAndClose(request, response);
  }
}

/** A body that isn't read must not be taken for the next request. */
function closingIfNeeded(request: IncomingMessage, framing: Framing): { Connection?: string } {
  return framing.last || hasBody(request) ? { Connection: 'close' } : {};
}
