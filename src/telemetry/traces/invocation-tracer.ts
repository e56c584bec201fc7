import { describeEntry } from './describe-entry.ts';
import type { Attributes } from './span.ts';
import { faasAttributes, type InvocationTrace, type TracedInput, type TracedInvocation } from './traced-invocation.ts';
import type { Scope, Tracer } from './tracer.ts';

/** Spans of invocations: built when one is over, of what it knows by then anyway. */
export class InvocationTracer {
  readonly #tracer: Tracer;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** Of an invocation that no request of the gateway has traced: gives it the context that its function is to see. */
  begin(input: TracedInput): void {
    const scope = this.#tracer.start(input.headers);
    if (scope) this.enter(input, scope, true);
    else input.trace = null;
  }

  /** Puts an invocation below a scope. */
  enter(input: TracedInput, scope: Scope, isEntry: boolean): void {
    const runSpanId = scope.sampled ? this.#tracer.spanId() : scope.spanId;
    input.headers = this.#tracer.headersFor(scope, runSpanId, input.headers);
    input.trace = scope.sampled ? { scope, isEntry, runSpanId } : null;
  }

  /** It is over. */
  end(invocation: TracedInvocation, trace: InvocationTrace): void {
    const { scope, isEntry } = trace;
    const endedTick = performance.now();
    if (isEntry) {
      const { clock } = this.#tracer;
      this.#tracer.record(scope, {
        ...describeEntry(invocation, scope),
        spanId: scope.spanId,
        parentSpanId: scope.parentSpanId,
        startedAt: clock.at(invocation.acceptedTick),
        endedAt: clock.at(endedTick),
        error: invocation.error?.code ?? null,
      });
    }
    this.#phases(invocation, trace, endedTick);
  }

  /** Queue, start and run, one after the other. */
  #phases(invocation: TracedInvocation, { scope, runSpanId }: InvocationTrace, endedTick: number): void {
    const { acceptedTick, dispatchedTick, version } = invocation;
    const answeredTick = invocation.answeredTick || endedTick;
    const code = invocation.error?.code ?? null;
    const timings = invocation.timings();
    const queuedTick = acceptedTick + timings.queue;
    this.#phase(scope, 'queue', acceptedTick, queuedTick, { 'faas.name': version.functionName }, dispatchedTick === 0 ? code : null);
    if (dispatchedTick === 0) return;
    if (timings.start + timings.init > 0) {
      this.#phase(scope, 'start', queuedTick, dispatchedTick, {
        'faas.name': version.functionName,
        'hearth.start.boot_ms': timings.start,
        'hearth.start.load_ms': timings.init,
      });
    }
    const attributes = { ...faasAttributes(invocation), 'hearth.trigger': invocation.input.trigger };
    this.#phase(scope, 'run', dispatchedTick, Math.max(dispatchedTick, answeredTick), attributes, code, runSpanId);
  }

  #phase(
    scope: Scope,
    name: string,
    fromTick: number,
    toTick: number,
    attributes: Attributes,
    error: string | null = null,
    spanId = this.#tracer.spanId(),
  ): void {
    const { clock } = this.#tracer;
    this.#tracer.record(scope, {
      name,
      kind: 'internal',
      spanId,
      parentSpanId: scope.spanId,
      startedAt: clock.at(fromTick),
      endedAt: clock.at(toTick),
      attributes: error === null ? attributes : { ...attributes, 'error.type': error },
      error,
    });
  }
}
