import type { Sampler } from './sampler.ts';
import type { Span, SpanSink } from './span.ts';
import type { SpanClock } from './span-clock.ts';
import { formatTraceparent, RANDOM, readTrace, SAMPLED, withTraceparent } from './trace-context.ts';
import type { TraceIds } from './trace-ids.ts';

/** A place in a trace that has been begun here: of a request, or of an invocation that no request waits for. */
export interface Scope {
  traceId: string;
  spanId: string;
  parentSpanId: string | null;
  flags: number;
  tracestate: string | null;
  /** Its spans are recorded. */
  sampled: boolean;
}

type SpanParts = Pick<Span, 'spanId' | 'parentSpanId' | 'name' | 'kind' | 'startedAt' | 'endedAt' | 'attributes'> &
  Partial<Pick<Span, 'error' | 'link' | 'parentIsRemote'>>;

/** Begins and continues traces, and records spans. */
export class Tracer {
  readonly clock: SpanClock;
  readonly #sampler: Sampler;
  readonly #ids: TraceIds;
  readonly #sink: SpanSink;

  constructor(parts: { clock: SpanClock; sampler: Sampler; ids: TraceIds; sink: SpanSink }) {
    this.clock = parts.clock;
    this.#sampler = parts.sampler;
    this.#ids = parts.ids;
    this.#sink = parts.sink;
  }

  /**
   * Continues the trace that the headers name, or begins one.
   * @returns undefined when they are to be passed on as they are: a trace that is recorded neither there nor here
   */
  start(headers: readonly string[]): Scope | undefined {
    const parent = readTrace(headers);
    const traceId = parent?.traceId ?? this.#ids.traceId();
    const sampled = this.#sampler.decide(traceId, parent);
    if (parent && !sampled && (parent.flags & SAMPLED) === 0) return undefined;
    return {
      traceId,
      spanId: this.#ids.spanId(),
      parentSpanId: parent?.spanId ?? null,
      flags: (parent ? parent.flags & RANDOM : RANDOM) | (sampled ? SAMPLED : 0),
      tracestate: parent?.tracestate ?? null,
      sampled,
    };
  }

  spanId(): string {
    return this.#ids.spanId();
  }

  /** The headers as somebody below that span of the scope is to see them. */
  headersFor({ traceId, flags, parentSpanId }: Scope, spanId: string, headers: readonly string[]): string[] {
    return withTraceparent(headers, formatTraceparent({ traceId, spanId, flags }), parentSpanId !== null);
  }

  record({ traceId, flags, tracestate }: Pick<Scope, 'traceId' | 'flags' | 'tracestate'>, span: SpanParts): void {
    this.#sink.add({ traceId, flags, tracestate, error: null, link: null, parentIsRemote: false, ...span });
  }
}
