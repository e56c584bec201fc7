import type { TraceParent } from './trace-context.ts';

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';
export type Attributes = Record<string, string | number | boolean>;

/** A span that has ended. */
export interface Span {
  traceId: string;
  spanId: string;
  /** Null: the trace begins with it. */
  parentSpanId: string | null;
  /** The parent is somebody else's, or of another request. */
  parentIsRemote: boolean;
  flags: number;
  tracestate: string | null;
  name: string;
  kind: SpanKind;
  /** Milliseconds since the epoch, with fractions. */
  startedAt: number;
  endedAt: number;
  /** Names are those of OpenTelemetry's semantic conventions where they have one. */
  attributes: Attributes;
  /** A code of ours or a status of HTTP; null: it went well. */
  error: string | null;
  /** What it follows from, besides its parent. */
  link: TraceParent | null;
}

/** Where spans go that have ended. */
export interface SpanSink {
  add(span: Span): void;
}
