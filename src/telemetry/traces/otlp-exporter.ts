import type { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import type { Span, SpanKind } from './span.ts';
import type { SpanExporter } from './span-queue.ts';

export interface OtlpSettings {
  /** Where spans are sent by POST. */
  url: string;
  /** Of each request, credentials for example. */
  headers: Readonly<Record<string, string>>;
  /** What all spans have in common. */
  resource: Readonly<Record<string, string>>;
  version: string;
}

type ReadableSpan = Parameters<OTLPTraceExporter['export']>[0][number];

/** For one export, its tries included: those that a collector puts off (429, 502, 503, 504), or that don't reach it, are made again with growing waits, or when it says. */
const TIMEOUT_MS = 10_000;
const KINDS: Readonly<Record<SpanKind, ReadableSpan['kind']>> = { internal: 0, server: 1, client: 2, producer: 3, consumer: 4 };
const NOTHING: never[] = [];

/** By OTLP over HTTP, in protobuf. What it takes is loaded by this call, and not before: a quarter of a second, and 26 MB. */
export async function createOtlpExporter({ url, headers, resource, version }: OtlpSettings): Promise<SpanExporter> {
  const [{ OTLPTraceExporter }, { resourceFromAttributes }] = await Promise.all([
    import('@opentelemetry/exporter-trace-otlp-proto'),
    import('@opentelemetry/resources'),
  ]);
  const exporter = new OTLPTraceExporter({ url, headers: { ...headers }, timeoutMillis: TIMEOUT_MS });
  const common = {
    resource: resourceFromAttributes({ ...resource }),
    instrumentationScope: { name: 'hearth', version },
    ended: true,
    duration: [0, 0],
    events: NOTHING,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  } satisfies Partial<ReadableSpan>;
  return {
    export: (spans) =>
      new Promise((resolve, reject) => {
        exporter.export(
          spans.map((span) => ({ ...common, ...readable(span) })),
          ({ code, error }) => {
            if (code === 0) resolve();
            else reject(error ?? new Error('the collector took nothing'));
          },
        );
      }),
    close: () => void exporter.shutdown().catch(() => undefined),
  };
}

function readable({ traceId, spanId, parentSpanId, parentIsRemote, flags, tracestate, error, link, ...span }: Span) {
  const context = { traceId, spanId, traceFlags: flags, ...(tracestate === null ? {} : { traceState: asState(tracestate) }) };
  return {
    name: span.name,
    kind: KINDS[span.kind],
    spanContext: () => context,
    ...(parentSpanId === null ? {} : { parentSpanContext: { traceId, spanId: parentSpanId, traceFlags: flags, isRemote: parentIsRemote } }),
    startTime: highResolution(span.startedAt),
    endTime: highResolution(span.endedAt),
    status: error === null ? { code: 0 } : { code: 2, message: error },
    attributes: span.attributes,
    links: link === null ? NOTHING : [{ context: { traceId: link.traceId, spanId: link.spanId, traceFlags: link.flags, isRemote: true } }],
  };
}

/** It is passed on as it came; nobody asks for single members. */
function asState(tracestate: string) {
  const state = { get: () => undefined, set: () => state, unset: () => state, serialize: () => tracestate };
  return state;
}

/** Seconds and nanoseconds. */
function highResolution(milliseconds: number): [number, number] {
  const seconds = Math.floor(milliseconds / 1000);
  const nanoseconds = Math.round((milliseconds - seconds * 1000) * 1e6);
  return nanoseconds === 1e9 ? [seconds + 1, 0] : [seconds, nanoseconds];
}
