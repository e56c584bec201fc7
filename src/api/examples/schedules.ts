import { SCHEDULE } from './function.ts';
import { INVOCATION, type OperationExamples, OTHER_INVOCATION } from './operation-examples.ts';

const SIX = Date.UTC(2026, 2, 1, 6);
const DAY_MS = 24 * 3600_000;

const FIRED = { id: INVOCATION, scheduled_at: SIX, kind: 'scheduled', state: 'succeeded', reason: null, fired_at: SIX + 4, ended_at: SIX + 812 };
const SKIPPED = {
  id: OTHER_INVOCATION,
  scheduled_at: SIX - DAY_MS,
  kind: 'scheduled',
  state: 'skipped',
  reason: 'overlap',
  fired_at: SIX - DAY_MS + 3,
  ended_at: SIX - DAY_MS + 3,
};

const REPORT = {
  function_name: 'report',
  event_type: 'cron|0 6 * * *',
  version: 2,
  paused: false,
  next_at: SIX + DAY_MS,
  next_due_at: SIX + DAY_MS,
  failures_in_a_row: 0,
  failing: false,
  open: 0,
  last_firing: FIRED,
  last_outcome: FIRED,
};

export const SCHEDULES: Readonly<Record<string, OperationExamples>> = {
  'GET /schedules': { answers: { 200: { 'One function': { schedules: [REPORT], next_after: null }, None: { schedules: [], next_after: null } } } },
  'GET /schedules/{function_name}': {
    answers: {
      200: {
        'Every day at six': { ...REPORT, ...SCHEDULE, next_firings: [1, 2, 3, 4, 5].map((day) => SIX + day * DAY_MS), firings: [FIRED, SKIPPED] },
      },
    },
  },
  'POST /schedules/{function_name}/pause': { answers: { 200: { 'It is paused': { ...REPORT, paused: true, next_at: null, next_due_at: null } } } },
  'POST /schedules/{function_name}/resume': { answers: { 200: { 'It goes on': REPORT } } },
  'POST /schedules/{function_name}/run': { answers: { 202: { 'It is queued': { id: INVOCATION, status_url: `/invocations/${INVOCATION}` } } } },
};
