import type { Invocation, InvocationInput } from '../../scheduler/invocation.ts';
import type { TriggerKind } from '../../schemas/records.ts';
import { encodeFrame, type RequestHead } from './frame.ts';

/** The call as the other node is to run it. @param waitMs what it would wait here; Infinity: nobody can say */
export function requestFrame({ input, version, timeoutMs }: Invocation, asker: RequestHead['asker'], waitMs: number): Buffer {
  const { correlationId, trigger, verb, path, rawPath, query, params, headers, body, requestId, depth = 0, trace } = input;
  const head: RequestHead = {
    asker,
    functionName: version.functionName,
    versionNumber: version.number,
    waitMs: Number.isFinite(waitMs) ? waitMs : null,
    timeoutMs,
    hasBody: body !== null,
    ...{ correlationId, trigger: trigger as Handed, verb, path, rawPath, query, params, headers: headers as string[], requestId, depth },
    ...(trace === undefined ? {} : { trace: trace && { scope: trace.scope, runSpanId: trace.runSpanId } }),
  };
  return encodeFrame(head, body ?? undefined);
}

/** Nothing else is handed over. */
type Handed = Exclude<TriggerKind, 'schedule' | 'queue'>;

/** Of a request that came. The body is a view of the frame, which is nobody else's. */
export function inputOf(id: string, head: RequestHead, body: Buffer): InvocationInput {
  const { correlationId, trigger, verb, path, rawPath, query, params, headers, requestId, depth, timeoutMs, trace } = head;
  return {
    ...{ id, correlationId, trigger, verb, path, rawPath, query, params, headers, requestId, depth, timeoutMs },
    body: head.hasBody ? body : null,
    scriptBody: null,
    // The request's own span is the other node's; what runs here stands below it.
    ...(trace === undefined ? {} : { trace: trace && { ...trace, isEntry: false } }),
  };
}
