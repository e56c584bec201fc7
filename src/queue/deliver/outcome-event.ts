import type { InvocationDetail, InvocationPayload } from '../durable-queue.ts';

/** Larger bodies of requests and answers are left out: whoever wants one reads the invocation's record. Bytes. */
const MAX_BODY_BYTES = 256 * 1024;

/** A body as JSON: parsed when it is JSON, else its text; as base64 when it is no text; neither when it is too large or there is none. */
interface Content {
  content_type: string | null;
  bytes: number;
  body: unknown;
  body_base64: string | null;
}

/** What destinations are told of an outcome. In the frame of the Standard Webhooks specification (type, timestamp, data). */
export interface OutcomeEvent {
  type: 'invocation.succeeded' | 'invocation.failed';
  /** ISO 8601, of the outcome. */
  timestamp: string;
  data: {
    invocation: {
      id: string;
      function_name: string;
      version: number;
      /** `succeeded`, or why it is a dead letter. */
      condition: string;
      attempts: number;
      /** Milliseconds since the epoch. */
      accepted_at: number;
      ended_at: number | null;
    };
    request: { verb: string; path: string } & Content;
    response: ({ status: number } & Content) | null;
    error: { code: string; message: string } | null;
  };
}

/** The same for the same outcome, whenever it is made. Headers of the request are not told: credentials may be among them. */
export function outcomeEvent(detail: InvocationDetail, input: InvocationPayload): OutcomeEvent {
  const { result } = detail;
  return {
    type: detail.state === 'succeeded' ? 'invocation.succeeded' : 'invocation.failed',
    timestamp: new Date(detail.endedAt ?? detail.acceptedAt).toISOString(),
    data: {
      invocation: {
        id: detail.id,
        function_name: detail.functionName,
        version: detail.versionNumber,
        condition: detail.deadReason ?? detail.state,
        attempts: detail.attempt,
        accepted_at: detail.acceptedAt,
        ended_at: detail.endedAt,
      },
      request: { verb: detail.verb, path: detail.path, ...contentOf(input.headers, input.body, input.body?.length ?? 0) },
      response: result && { status: result.status, ...contentOf(result.headers, result.body, result.bytes) },
      error: detail.errorCode === null ? null : { code: detail.errorCode, message: detail.errorMessage ?? '' },
    },
  };
}

function contentOf(headers: readonly string[], body: Uint8Array | null, bytes: number): Content {
  const at = headers.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'content-type');
  const head = { content_type: at < 0 ? null : (headers[at + 1] ?? null), bytes };
  if (body === null || body.length === 0 || body.length > MAX_BODY_BYTES) return { ...head, body: null, body_base64: null };
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return { ...head, body: null, body_base64: Buffer.from(body.buffer, body.byteOffset, body.length).toString('base64') };
  }
  try {
    return { ...head, body: JSON.parse(text), body_base64: null };
  } catch {
    return { ...head, body: text, body_base64: null };
  }
}
