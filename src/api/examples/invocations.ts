import { CANCELLED_WHOLE, SUCCEEDED, SUCCEEDED_WHOLE } from './invocation.ts';
import { INVOCATION, NOON, type OperationExamples, OTHER_INVOCATION } from './operation-examples.ts';

const ACCEPTED = { id: INVOCATION, state: 'queued', status_url: `/invocations/${INVOCATION}` };

export const INVOCATIONS: Readonly<Record<string, OperationExamples>> = {
  'GET /invocations': {
    answers: {
      200: {
        'The last page': { invocations: [SUCCEEDED], next_before: null },
        'A page, and more behind it': { invocations: [SUCCEEDED], next_before: NOON },
      },
    },
  },
  'GET /invocations/{id}': { answers: { 200: { 'It is over': SUCCEEDED_WHOLE } } },
  'DELETE /invocations/{id}': { answers: { 200: { 'It never ran': CANCELLED_WHOLE } } },
  'POST /invocations/{id}/replay': {
    answers: { 202: { 'A new one is queued': { id: OTHER_INVOCATION, state: 'queued', status_url: `/invocations/${OTHER_INVOCATION}` } } },
  },
  'POST /calls': {
    body: { 'A POST of JSON': { verb: 'POST', path: '/hello?x=1', headers: { 'Content-Type': 'application/json' }, body: '{"name": "Valera"}' } },
    answers: {
      200: {
        'What the function answered': {
          status: 200,
          headers: [
            ['Content-Type', 'application/json'],
            ['X-Correlation-Id', INVOCATION],
            ['X-Hearth-Start', 'warm'],
          ],
          body: '{"hello": "Valera"}',
          body_base64: null,
          bytes: 19,
          duration_ms: 3.4,
        },
      },
    },
  },
  'POST /functions/{function_name}/invocations': {
    body: {
      'Run it later': { mode: 'async', body: { name: 'Valera' } },
      'Wait for it': { mode: 'sync', body: { name: 'Valera' } },
      'In half a minute, once, and tell': {
        body: { parcel: 17 },
        delay: '30s',
        priority: 7,
        idempotency_key: 'parcel-17',
        callback_url: 'https://app.example/done',
      },
    },
    bodies: { 'application/x-ndjson': { 'Two invocations': '{"body": {"parcel": 17}}\n{"body": {"parcel": 18}, "delay_ms": 1000}\n' } },
    answers: {
      200: { 'It is over': SUCCEEDED_WHOLE },
      202: {
        'It is on the disk': ACCEPTED,
        'A batch': {
          invocations: [
            { id: INVOCATION, state: 'queued' },
            { id: OTHER_INVOCATION, state: 'queued' },
          ],
        },
      },
    },
  },
};
