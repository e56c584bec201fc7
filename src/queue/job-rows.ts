import type { InvocationState } from '../schemas/records.ts';
import type { AttemptRecord, DeadReason, InvocationPayload, QueuedInvocation, StoredReply } from './durable-queue.ts';

/** What both databases have of an invocation, by the names of their columns. Typed tables and our own statements vouch for the types. */
export type Row = Record<string, unknown>;

/** Everything but what may be long. */
export const JOB_COLUMNS =
  'seq, id, function_name, version_number, mode, trigger_kind, state, verb, path, request_id, priority, accepted_at, due_at, started_at, ended_at, ' +
  'attempt, status, error_code, error_message, dead_reason, replay_of, callback_url';

/** From the columns JOB_COLUMNS. */
export function jobFromRow(row: Row): QueuedInvocation {
  return {
    id: row.id as string,
    functionName: row.function_name as string,
    versionNumber: row.version_number as number,
    mode: row.mode as QueuedInvocation['mode'],
    trigger: row.trigger_kind as QueuedInvocation['trigger'],
    state: row.state as InvocationState,
    verb: row.verb as string,
    path: row.path as string,
    requestId: row.request_id as string | null,
    priority: row.priority as number,
    acceptedAt: row.accepted_at as number,
    dueAt: row.due_at as number,
    endedAt: row.ended_at as number | null,
    attempt: row.attempt as number,
    status: row.status as number | null,
    errorCode: row.error_code as string | null,
    errorMessage: row.error_message as string | null,
    deadReason: row.dead_reason as DeadReason | null,
    callbackUrl: row.callback_url as string | null,
    replayOf: row.replay_of as string | null,
  };
}

/** What the invocation's own row doesn't have of a payload, as text. */
export function headOf(payload: InvocationPayload): string {
  const head = [payload.rawPath, payload.query, payload.params, payload.headers];
  return JSON.stringify(payload.depth ? [...head, payload.depth] : head);
}

/** From the columns verb, path, trigger_kind and request_id of the invocation, head and body of its input. */
export function payloadFromRow(row: Row): InvocationPayload {
  const [rawPath, query, params, headers, depth] = JSON.parse(row.head as string) as [string, string, Record<string, string>, string[], number?];
  return {
    trigger: row.trigger_kind as InvocationPayload['trigger'],
    verb: row.verb as string,
    path: row.path as string,
    rawPath,
    query,
    params,
    headers,
    body: row.body as Uint8Array | null,
    requestId: row.request_id as string | null,
    ...(depth === undefined ? {} : { depth }),
  };
}

export function attemptFromRow(row: Row): AttemptRecord {
  return {
    number: row.number as number,
    outcome: row.outcome as AttemptRecord['outcome'],
    startedAt: row.started_at as number,
    endedAt: row.ended_at as number,
    status: row.status as number | null,
    errorCode: row.error_code as string | null,
    errorMessage: row.error_message as string | null,
    instanceId: row.instance_id as string | null,
    start: row.start_kind as AttemptRecord['start'],
    queueMs: row.queue_ms as number,
    startMs: row.start_ms as number,
    runMs: row.run_ms as number,
    logs: row.logs as string | null,
  };
}

export function replyFromRow(row: Row): StoredReply {
  return {
    status: row.status as number,
    headers: JSON.parse(row.headers as string) as string[],
    bytes: row.bytes as number,
    body: row.body as Uint8Array | null,
  };
}
