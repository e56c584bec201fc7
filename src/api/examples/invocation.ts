import { INSTANCE, INVOCATION, NOON } from './operation-examples.ts';

/** One that went through the queue and is over, as lists have it. */
export const SUCCEEDED = {
  id: INVOCATION,
  correlation_id: INVOCATION,
  function_name: 'echo',
  version: 4,
  mode: 'async',
  instance_id: INSTANCE,
  trigger: 'api',
  state: 'succeeded',
  verb: 'POST',
  path: '/echo',
  request_id: null,
  start: 'warm',
  status: 200,
  error_code: null,
  error_message: null,
  accepted_at: NOON,
  due_at: null,
  ended_at: NOON + 9,
  queue_ms: 1.2,
  start_ms: 0,
  run_ms: 3.4,
  priority: 5,
  attempt: 1,
  dead_reason: null,
  replay_of: null,
};

const ATTEMPT = {
  number: 1,
  outcome: 'succeeded',
  started_at: NOON + 2,
  ended_at: NOON + 9,
  status: 200,
  error_code: null,
  error_message: null,
  instance_id: INSTANCE,
  start: 'warm',
  queue_ms: 1.2,
  start_ms: 0,
  run_ms: 3.4,
  logs: 'seen: {"name": "Valera"}\n',
};

export const SUCCEEDED_WHOLE = {
  ...SUCCEEDED,
  attempts: [ATTEMPT],
  result: { status: 200, headers: [['content-type', 'application/json']], body: '{"name": "Valera"}', body_base64: null, bytes: 18 },
  callback: null,
  deliveries: [],
  logs: ATTEMPT.logs,
};

/** Cancelled before it ran. */
export const CANCELLED_WHOLE = {
  ...SUCCEEDED,
  instance_id: null,
  state: 'cancelled',
  start: null,
  status: null,
  ended_at: NOON + 800,
  queue_ms: null,
  start_ms: null,
  run_ms: null,
  attempt: 0,
  attempts: [],
  result: null,
  callback: null,
  deliveries: [],
  logs: null,
};

const FAILURE = { error_code: 'function_failed', error_message: 'ValueError: no such parcel' };

/** Failed for good. */
export const DEAD = {
  ...SUCCEEDED,
  ...FAILURE,
  function_name: 'parcels',
  path: '/parcels',
  state: 'failed',
  status: 502,
  ended_at: NOON + 4210,
  attempt: 3,
  dead_reason: 'attempts_exhausted',
};

export const DEAD_WHOLE = {
  ...DEAD,
  instance_id: INSTANCE,
  attempts: [1, 2, 3].map((number) => ({ ...ATTEMPT, ...FAILURE, number, outcome: 'failed', status: 502, logs: null })),
  result: null,
  callback: { url: 'https://app.example/done', state: 'delivered', attempts: 1 },
  deliveries: [{ kind: 'callback', to: { url: 'https://app.example/done' }, state: 'delivered', attempts: 1, error: null, due_at: null }],
  logs: null,
};
