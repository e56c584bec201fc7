import { INSTANCE, NOON, type OperationExamples } from './operation-examples.ts';

const IDLE = {
  id: INSTANCE,
  function_name: 'echo',
  version: 4,
  driver: 'bubblewrap',
  state: 'idle',
  started_at: NOON,
  ready_at: NOON + 21,
  stopped_at: null,
  stop_reason: null,
  invocations: 17,
};

const STOPPED = { ...IDLE, state: 'stopped', stopped_at: NOON + 600_000, stop_reason: 'its room was needed by another function' };

export const INSTANCES: Readonly<Record<string, OperationExamples>> = {
  'GET /functions/instances': { answers: { 200: { 'One that waits for a call': { instances: [IDLE] }, None: { instances: [] } } } },
  'GET /functions/instances/{id}': { answers: { 200: { 'It waits for a call': IDLE, 'It has stopped': STOPPED } } },
  'GET /functions/instances/{id}/logs': { answers: { 200: { 'Two lines': 'echo is loaded\nseen: {"Hello": "Valera"}\n' } } },
};
