import type { IncomingMessage, ServerResponse } from 'node:http';
import type { InvocationTracer } from './invocation-tracer.ts';
import type { Attributes } from './span.ts';
import { faasAttributes, type TracedInput, type TracedInvocation } from './traced-invocation.ts';
import type { Scope, Tracer } from './tracer.ts';

/** Methods that the HTTP conventions let stand by name. */
const METHODS: ReadonlySet<string> = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'QUERY', 'TRACE']);

/** A request of the gateway that is part of a trace. */
export interface RequestTrace {
  /** It is known what it asks for. @param eventKey of the function, or of the first of several */
  routed(eventKey: string, client: { address: string; scheme: string }): void;
  /** Before each invocation that is made of it: gives it the context that its function is to see. */
  enter(input: TracedInput): void;
  /** Invocations that are made of it; read when it is over. */
  runs(invocations: readonly TracedInvocation[]): void;
  /** The headers for a queue, in whose messages the trace goes on. */
  carry(headers: readonly string[]): string[];
}

/** Spans of the gateway's requests: built when the last byte of the answer has gone, of what is known by then anyway. */
export class RequestTracer {
  readonly #tracer: Tracer;
  readonly #invocations: InvocationTracer;

  constructor(tracer: Tracer, invocations: InvocationTracer) {
    this.#tracer = tracer;
    this.#invocations = invocations;
  }

  /** A request has come. @returns null when it is to pass as it is: others have decided not to record its trace */
  begin(request: IncomingMessage, response: ServerResponse): RequestTrace | null {
    const scope = this.#tracer.start(request.rawHeaders);
    if (!scope) return null;
    const trace = new TracedRequest(this.#tracer, this.#invocations, scope, request, response);
    if (scope.sampled) response.once('close', () => trace.end());
    return trace;
  }
}

class TracedRequest implements RequestTrace {
  readonly #tracer: Tracer;
  readonly #tracers: InvocationTracer;
  readonly #scope: Scope;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #startTick = performance.now();
  #eventKey: string | null = null;
  #client: { address: string; scheme: string } | null = null;
  #invocations: readonly TracedInvocation[] = [];
  /** When it was given on; 0: it never was. */
  #routedTick = 0;

  constructor(tracer: Tracer, tracers: InvocationTracer, scope: Scope, request: IncomingMessage, response: ServerResponse) {
    this.#tracer = tracer;
    this.#tracers = tracers;
    this.#scope = scope;
    this.#request = request;
    this.#response = response;
  }

  routed(eventKey: string, client: { address: string; scheme: string }): void {
    this.#eventKey = eventKey;
    this.#client = client;
    this.#routedTick = performance.now();
  }

  enter(input: TracedInput): void {
    this.#tracers.enter(input, this.#scope, false);
  }

  runs(invocations: readonly TracedInvocation[]): void {
    this.#invocations = invocations;
  }

  carry(headers: readonly string[]): string[] {
    return this.#tracer.headersFor(this.#scope, this.#scope.spanId, headers);
  }

  /** The answer has gone, or the caller. */
  end(): void {
    const endTick = performance.now();
    const answered = this.#winner();
    const wasSent = this.#response.writableFinished || this.#response.statusCode === 101;
    const status = this.#response.headersSent ? this.#response.statusCode : null;
    const error = answered?.error?.code ?? (status !== null && status >= 500 ? String(status) : wasSent ? null : 'client_gone');
    const route = this.#eventKey?.split('|').slice(2).join('|');
    const method = METHODS.has(this.#request.method ?? '') ? (this.#request.method as string) : 'HTTP';
    this.#span(
      route === undefined ? method : `${method} ${route}`,
      this.#startTick,
      endTick,
      {
        ...this.#httpAttributes(route, status),
        ...(this.#eventKey === null ? {} : { 'faas.trigger': 'http' }),
        ...(answered ? faasAttributes(answered) : {}),
        ...(error === null ? {} : { 'error.type': error }),
      },
      error,
    );
    if (this.#routedTick > 0) this.#child('route', this.#startTick, answered?.acceptedTick ?? this.#routedTick);
    if (answered && answered.answeredTick > 0) this.#child('reply', answered.answeredTick, endTick);
  }

  /** Of several the one whose answer the caller was sent: the first that was one. */
  #winner(): TracedInvocation | undefined {
    const answers = this.#invocations.filter(({ error, answeredTick }) => !error && answeredTick > 0);
    return answers.sort((a, b) => a.answeredTick - b.answeredTick)[0] ?? this.#invocations[0];
  }

  #span(name: string, fromTick: number, toTick: number, attributes: Attributes, error: string | null): void {
    const { clock } = this.#tracer;
    this.#tracer.record(this.#scope, {
      name,
      kind: 'server',
      spanId: this.#scope.spanId,
      parentSpanId: this.#scope.parentSpanId,
      parentIsRemote: true,
      startedAt: clock.at(fromTick),
      endedAt: clock.at(toTick),
      attributes,
      error,
    });
  }

  #child(name: string, fromTick: number, toTick: number): void {
    const { clock } = this.#tracer;
    this.#tracer.record(this.#scope, {
      name,
      kind: 'internal',
      spanId: this.#tracer.spanId(),
      parentSpanId: this.#scope.spanId,
      startedAt: clock.at(fromTick),
      endedAt: clock.at(toTick),
      attributes: {},
    });
  }

  /** The query stays out: it may hold what nobody else is to know. */
  #httpAttributes(route: string | undefined, status: number | null): Attributes {
    const { method = '', url = '', headers, httpVersion } = this.#request;
    const known = METHODS.has(method);
    const question = url.indexOf('?');
    const host = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(headers.host ?? '');
    const agent = headers['user-agent'];
    return {
      'http.request.method': known ? method : '_OTHER',
      ...(known ? {} : { 'http.request.method_original': method }),
      'url.path': question < 0 ? url : url.slice(0, question),
      'url.scheme': this.#client?.scheme ?? 'http',
      'network.protocol.version': httpVersion,
      ...(route === undefined ? {} : { 'http.route': route }),
      ...(status === null ? {} : { 'http.response.status_code': status }),
      ...(this.#client ? { 'client.address': this.#client.address } : {}),
      ...(host?.[1] ? { 'server.address': host[1] } : {}),
      ...(host?.[2] ? { 'server.port': Number(host[2]) } : {}),
      ...(agent === undefined ? {} : { 'user_agent.original': agent }),
    };
  }
}
