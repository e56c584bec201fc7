import { type Static, Type } from 'typebox';
import type { AttemptRecord, InvocationDetail, InvocationPayload, QueuedInvocation, StoredReply } from '../../queue/durable-queue.ts';
import type { InvocationRecord } from '../../schemas/records.ts';
import { Duration, Instant, Nullable, OneOf } from './common.ts';
import { callbackOf, Delivery, deliveryOnTheWire } from './destinations.ts';

export const InvocationState = OneOf(['queued', 'running', 'succeeded', 'failed', 'timed_out', 'cancelled']);

const summaryMembers = {
  id: Type.String(),
  correlation_id: Type.String({ description: 'What the function saw as X-Correlation-Id.' }),
  function_name: Type.String(),
  version: Type.Integer(),
  mode: OneOf(['sync', 'async'], { description: 'Whether the caller waited for the answer.' }),
  instance_id: Nullable(Type.String({ description: 'Of the last attempt; in lists null for what went through the queue.' })),
  trigger: OneOf(['gateway', 'api', 'schedule', 'function', 'queue']),
  state: InvocationState,
  verb: Type.String(),
  path: Type.String(),
  request_id: Nullable(Type.String({ description: "The caller's own." })),
  start: Nullable(Type.String({ description: '`cold` or `warm`; null when it never started.' })),
  status: Nullable(Type.Integer({ description: 'HTTP status that the caller got, or that the last attempt was answered with.' })),
  error_code: Nullable(Type.String()),
  error_message: Nullable(Type.String()),
  accepted_at: Instant,
  due_at: Nullable({ ...Instant, description: 'Of a queued one: not run before. Milliseconds since 1970-01-01 UTC.' }),
  ended_at: Nullable({ ...Instant, description: 'Null until it is over. Milliseconds since 1970-01-01 UTC.' }),
  queue_ms: Nullable(Duration),
  start_ms: Nullable(Duration),
  run_ms: Nullable(Duration),
  priority: Nullable(Type.Integer({ description: '0 to 9; null for what did not go through the queue.' })),
  attempt: Type.Integer({ description: 'Number of the last attempt; 0 before the first.' }),
  dead_reason: Nullable(
    Type.String({ description: 'Of a dead letter: `attempts_exhausted`, `too_old`, `not_retriable`, `version_gone` or `lost_too_often`.' }),
  ),
  replay_of: Nullable(Type.String({ description: 'Id of the invocation whose input it has.' })),
};

/** As in lists: without what may be long. */
export const InvocationSummary = Type.Object(summaryMembers, { title: 'InvocationSummary' });

const Attempt = Type.Object({
  number: Type.Integer({ description: 'Counts every time that it was given to an instance, or was about to be.' }),
  outcome: OneOf(['running', 'succeeded', 'failed', 'timed_out', 'cancelled', 'lost', 'released'], {
    description: '`lost`: the platform ended or lost hold of it while it ran. `released`: given back, since there was no room.',
  }),
  started_at: Instant,
  ended_at: Nullable(Instant),
  status: Nullable(Type.Integer()),
  error_code: Nullable(Type.String()),
  error_message: Nullable(Type.String()),
  instance_id: Nullable(Type.String()),
  start: Nullable(Type.String()),
  queue_ms: Duration,
  start_ms: Duration,
  run_ms: Duration,
  logs: Nullable(Type.String({ description: 'The last of what it printed.' })),
});

const Result = Type.Object({
  status: Type.Integer(),
  headers: Type.Array(Type.Array(Type.String()), { description: 'Pairs of name and value.' }),
  body: Nullable(Type.String({ description: 'Null when it is no UTF-8 text, or larger than what is kept.' })),
  body_base64: Nullable(Type.String({ description: 'When it is no UTF-8 text.' })),
  bytes: Type.Integer({ description: 'Length of the body.' }),
});

export const Invocation = Type.Object(
  {
    ...summaryMembers,
    attempts: Type.Array(Attempt),
    result: Type.Unsafe<Static<typeof Result> | null>({
      ...Result,
      type: ['object', 'null'],
      description: 'What the function answered. Kept of what went through the queue only.',
    }),
    callback: Type.Unsafe<{ url: string; state: string; attempts: number } | null>({
      type: ['object', 'null'],
      properties: {
        url: Type.String(),
        state: OneOf(['waiting', 'pending', 'delivered', 'failed']),
        attempts: Type.Integer(),
      },
    }),
    deliveries: Type.Array(Delivery, {
      description: 'Who is told of its outcome: its callback URL and the destinations of its function. Empty until it is over.',
    }),
    logs: Nullable(Type.String({ description: 'The last of what it printed in its last attempt.' })),
  },
  { title: 'Invocation' },
);
type Invocation = Static<typeof Invocation>;
type InvocationSummary = Static<typeof InvocationSummary>;

export const Input = Type.Object({
  verb: Type.String(),
  path: Type.String({ description: 'With the query.' }),
  headers: Type.Array(Type.Array(Type.String()), { description: 'Pairs of name and value.' }),
  body: Nullable(Type.String({ description: 'Null when there is none or it is no UTF-8 text.' })),
  body_base64: Nullable(Type.String({ description: 'When it is no UTF-8 text.' })),
});

/** One that somebody waited for without the queue. @param live it is not over yet */
export function invocationSummary(record: InvocationRecord, live = false): InvocationSummary {
  return {
    id: record.id,
    correlation_id: record.correlationId,
    function_name: record.functionName,
    version: record.versionNumber,
    mode: record.trigger === 'queue' ? 'async' : 'sync',
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
    due_at: null,
    ended_at: live ? null : record.endedAt,
    queue_ms: record.queueMs,
    start_ms: record.startMs,
    run_ms: record.runMs,
    priority: null,
    attempt: record.instanceId === null ? 0 : 1,
    dead_reason: null,
    replay_of: null,
  };
}

export function invocation(record: InvocationRecord, live = false): Invocation {
  const summary = invocationSummary(record, live);
  const attempt = {
    number: 1,
    outcome: record.state === 'queued' ? ('running' as const) : record.state,
    started_at: record.acceptedAt,
    ended_at: summary.ended_at,
    status: record.status,
    error_code: record.errorCode,
    error_message: record.errorMessage,
    instance_id: record.instanceId,
    start: record.start,
    queue_ms: record.queueMs,
    start_ms: record.startMs,
    run_ms: record.runMs,
    logs: record.logs,
  };
  return { ...summary, attempts: record.instanceId === null ? [] : [attempt], result: null, callback: null, deliveries: [], logs: record.logs };
}

/** One that went through the queue. */
export function queuedSummary(queued: QueuedInvocation, last?: AttemptRecord): InvocationSummary {
  return {
    id: queued.id,
    correlation_id: queued.id,
    function_name: queued.functionName,
    version: queued.versionNumber,
    mode: queued.mode,
    instance_id: last?.instanceId ?? null,
    trigger: queued.trigger,
    state: queued.state,
    verb: queued.verb,
    path: queued.path,
    request_id: queued.requestId,
    start: last?.start ?? null,
    status: queued.status,
    error_code: queued.errorCode,
    error_message: queued.errorMessage,
    accepted_at: queued.acceptedAt,
    due_at: queued.state === 'queued' ? queued.dueAt : null,
    ended_at: queued.endedAt,
    queue_ms: last?.queueMs ?? null,
    start_ms: last?.startMs ?? null,
    run_ms: last?.runMs ?? null,
    priority: queued.priority,
    attempt: queued.attempt,
    dead_reason: queued.deadReason,
    replay_of: queued.replayOf,
  };
}

export function queuedInvocation(detail: InvocationDetail): Invocation {
  const last = detail.attempts.at(-1);
  const attempts: Invocation['attempts'] = detail.attempts.map((attempt) => ({
    number: attempt.number,
    outcome: attempt.outcome,
    started_at: attempt.startedAt,
    ended_at: attempt.endedAt,
    status: attempt.status,
    error_code: attempt.errorCode,
    error_message: attempt.errorMessage,
    instance_id: attempt.instanceId,
    start: attempt.start,
    queue_ms: attempt.queueMs,
    start_ms: attempt.startMs,
    run_ms: attempt.runMs,
    logs: attempt.logs,
  }));
  if (detail.runningSince !== null) {
    attempts.push({
      number: detail.attempt,
      outcome: 'running',
      started_at: detail.runningSince,
      ended_at: null,
      status: null,
      error_code: null,
      error_message: null,
      instance_id: null,
      start: null,
      queue_ms: 0,
      start_ms: 0,
      run_ms: 0,
      logs: null,
    });
  }
  return {
    ...queuedSummary(detail, last),
    attempts,
    result: detail.result && resultOf(detail.result),
    callback: callbackOf(detail),
    deliveries: detail.deliveries.map((delivery) => deliveryOnTheWire(delivery)),
    logs: last?.logs ?? null,
  };
}

export function input(payload: InvocationPayload): Static<typeof Input> {
  return { verb: payload.verb, path: payload.rawPath, headers: pairs(payload.headers), ...textOf(payload.body) };
}

function resultOf({ status, headers, bytes, body }: StoredReply): Static<typeof Result> {
  return { status, headers: pairs(headers), ...textOf(body), bytes };
}

function textOf(body: Uint8Array | null): { body: string | null; body_base64: string | null } {
  if (body === null) return { body: null, body_base64: null };
  try {
    return { body: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body), body_base64: null };
  } catch {
    return { body: null, body_base64: Buffer.from(body).toString('base64') };
  }
}

function pairs(flat: readonly string[]): string[][] {
  return Array.from({ length: Math.floor(flat.length / 2) }, (_, index) => flat.slice(2 * index, 2 * index + 2));
}
