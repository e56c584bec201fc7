import { type Static, Type } from 'typebox';
import type { InstanceRecord, InvocationRecord, LayerRecord } from '../../schemas/records.ts';
import { Duration, Instant, Nullable, OneOf } from './common.ts';

export const InvocationState = OneOf(['queued', 'running', 'succeeded', 'failed', 'timed_out', 'cancelled']);

const invocationMembers = {
  id: Type.String(),
  correlation_id: Type.String({ description: 'What the function saw as X-Correlation-Id.' }),
  function_name: Type.String(),
  version: Type.Integer(),
  instance_id: Nullable(Type.String()),
  trigger: OneOf(['gateway', 'api']),
  state: InvocationState,
  verb: Type.String(),
  path: Type.String(),
  request_id: Nullable(Type.String({ description: "The caller's own." })),
  start: Nullable(Type.String({ description: '`cold` or `warm`; null when it never started.' })),
  status: Nullable(Type.Integer({ description: 'HTTP status that the caller got.' })),
  error_code: Nullable(Type.String()),
  error_message: Nullable(Type.String()),
  accepted_at: Instant,
  ended_at: Instant,
  queue_ms: Duration,
  start_ms: Duration,
  run_ms: Duration,
};

/** As in lists: without what may be long. */
export const InvocationSummary = Type.Object(invocationMembers);

export const Invocation = Type.Object({
  ...invocationMembers,
  logs: Nullable(Type.String({ description: 'The last of what it printed.' })),
});

export const Instance = Type.Object({
  id: Type.String(),
  function_name: Type.String(),
  version: Type.Integer(),
  driver: Type.String(),
  state: OneOf(['starting', 'idle', 'busy', 'draining', 'stopped']),
  started_at: Instant,
  ready_at: Nullable(Instant),
  stopped_at: Nullable(Instant),
  stop_reason: Nullable(Type.String()),
  invocations: Type.Integer(),
});

export const Layer = Type.Object({
  id: Type.String(),
  name: Nullable(Type.String({ description: "Null for a layer of one function's own requirements." })),
  requirements: Type.String(),
  runtime: OneOf(['python']),
  state: OneOf(['building', 'ready', 'failed']),
  output: Type.String({ description: "The last of pip's output." }),
  created_at: Instant,
  ready_at: Nullable(Instant),
  size_bytes: Nullable(Type.Number()),
});

export function invocationSummary(record: InvocationRecord): Static<typeof InvocationSummary> {
  return {
    id: record.id,
    correlation_id: record.correlationId,
    function_name: record.functionName,
    version: record.versionNumber,
    instance_id: record.instanceId,
    trigger: record.trigger,
    state: record.state,
    verb: record.verb,
    path: record.path,
    request_id: record.requestId,
    start: record.start,
    status: record.status,
    error_code: record.errorCode,
    error_message: record.errorMessage,
    accepted_at: record.acceptedAt,
    ended_at: record.endedAt,
    queue_ms: record.queueMs,
    start_ms: record.startMs,
    run_ms: record.runMs,
  };
}

export function invocation(record: InvocationRecord): Static<typeof Invocation> {
  return { ...invocationSummary(record), logs: record.logs };
}

export function instance(record: InstanceRecord): Static<typeof Instance> {
  return {
    id: record.id,
    function_name: record.functionName,
    version: record.versionNumber,
    driver: record.driver,
    state: record.state,
    started_at: record.startedAt,
    ready_at: record.readyAt,
    stopped_at: record.stoppedAt,
    stop_reason: record.stopReason,
    invocations: record.invocations,
  };
}

export function layer(record: LayerRecord): Static<typeof Layer> {
  return {
    id: record.id,
    name: record.name,
    requirements: record.requirements,
    runtime: record.runtime,
    state: record.state,
    output: record.output,
    created_at: record.createdAt,
    ready_at: record.readyAt,
    size_bytes: record.sizeBytes,
  };
}
