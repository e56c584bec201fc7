import type { InvocationPayload } from '../queue/durable-queue.ts';
import type { FiringRecord, ScheduleNotice } from '../schemas/schedule.ts';

/** What a function sees that is run by the clock: a POST of JSON. The same however often it is made of the same firing. */
export function firingPayload({ functionName, scheduledAt, kind }: FiringRecord): InvocationPayload {
  const at = new Date(scheduledAt).toISOString();
  return post(`/schedules/${functionName}`, JSON.stringify({ schedule: functionName, scheduled_at: at, kind }), [
    'X-Hearth-Schedule',
    functionName,
    'X-Hearth-Scheduled-At',
    at,
  ]);
}

/** What a function sees that is told of another one's failures or recovery. */
export function noticePayload({ functionName, kind, body }: ScheduleNotice): InvocationPayload {
  return post(`/schedules/${functionName}/${kind}`, body, ['X-Hearth-Schedule', functionName]);
}

function post(path: string, body: string, headers: readonly string[]): InvocationPayload {
  return {
    trigger: 'schedule',
    verb: 'POST',
    path,
    rawPath: path,
    query: '',
    params: {},
    headers: ['Content-Type', 'application/json', ...headers],
    body: Buffer.from(body),
    requestId: null,
  };
}
