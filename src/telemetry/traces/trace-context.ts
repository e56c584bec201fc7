/** What a `traceparent` says (W3C Trace Context, level 2). */
export interface TraceParent {
  /** 32 hexadecimal digits in lower case, not all 0. */
  traceId: string;
  /** Of whoever sent it: 16 such digits. */
  spanId: string;
  flags: number;
}

/** A trace that a request belongs to already. */
export interface IncomingTrace extends TraceParent {
  /** What other systems keep of it, in their words; passed on unchanged. */
  tracestate: string | null;
}

export const SAMPLED = 0x01;
/** The right 7 bytes of the trace id are random; whoever passes the id on passes this on. */
export const RANDOM = 0x02;

const TRACEPARENT = 'traceparent';
const TRACESTATE = 'tracestate';
/** Of version 00, to which later ones may only add. */
const LENGTH = 55;
const PATTERN = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(?:-|$)/;

/** Undefined when it is malformed: then it counts as not sent (§3.2.2.5). */
export function parseTraceparent(text: string): TraceParent | undefined {
  const found = PATTERN.exec(text);
  if (!found) return undefined;
  const [, version, traceId, spanId, flags] = found as unknown as [string, string, string, string, string];
  if (version === '00' && text.length !== LENGTH) return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) };
}

/** Always of version 00. */
export function formatTraceparent({ traceId, spanId, flags }: TraceParent): string {
  return `00-${traceId}-${spanId}-${flags < 16 ? '0' : ''}${flags.toString(16)}`;
}

/**
 * The trace that headers (names and values in turn) name; undefined when they name none, more than one, or one that is malformed.
 * Lengths are compared first: every request passes here while traces are on.
 */
export function readTrace(headers: readonly string[]): IncomingTrace | undefined {
  let traceparent: string | undefined;
  let tracestate: string | null = null;
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] as string;
    if (name.length === TRACEPARENT.length && name.toLowerCase() === TRACEPARENT) {
      if (traceparent !== undefined) return undefined;
      traceparent = headers[index + 1] as string;
    } else if (name.length === TRACESTATE.length && name.toLowerCase() === TRACESTATE) {
      // Several are one, in their order (RFC 9110 §5.3).
      tracestate = tracestate === null ? (headers[index + 1] as string) : `${tracestate},${headers[index + 1]}`;
    }
  }
  const parent = traceparent === undefined ? undefined : parseTraceparent(traceparent);
  return parent && { ...parent, tracestate };
}

/**
 * The headers with that one `traceparent`.
 * @param keepsState whether the trace is the one that came: `tracestate` belongs to it, and goes with any other
 */
export function withTraceparent(headers: readonly string[], traceparent: string, keepsState: boolean): string[] {
  const passed: string[] = [];
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] as string;
    if (name.length === TRACEPARENT.length && name.toLowerCase() === TRACEPARENT) continue;
    if (!keepsState && name.length === TRACESTATE.length && name.toLowerCase() === TRACESTATE) continue;
    passed.push(name, headers[index + 1] as string);
  }
  passed.push(TRACEPARENT, traceparent);
  return passed;
}
