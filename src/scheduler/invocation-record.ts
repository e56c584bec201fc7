import type { InvocationRecord } from '../schemas/records.ts';
import type { Invocation } from './invocation.ts';

/** What is written down about an invocation once it is over. */
export function recordOf(invocation: Invocation): InvocationRecord {
  const { input, version, error } = invocation;
  const timings = invocation.timings();
  return {
    id: input.id,
    correlationId: input.correlationId,
    functionName: version.functionName,
    versionNumber: version.number,
    instanceId: invocation.instanceId,
    trigger: input.trigger,
    state: invocation.state,
    verb: input.verb,
    path: input.path,
    requestId: input.requestId,
    start: invocation.instanceId === null ? null : invocation.start,
    status: invocation.status,
    errorCode: error?.code ?? null,
    errorMessage: error?.message ?? null,
    acceptedAt: invocation.acceptedAt,
    endedAt: Date.now(),
    queueMs: round(timings.queue),
    startMs: round(timings.start + timings.init),
    runMs: round(timings.run),
    logs: invocation.logs?.text() ?? null,
  };
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
