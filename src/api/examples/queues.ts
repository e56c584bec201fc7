import { NOON, type OperationExamples } from './operation-examples.ts';

const ORDERS = {
  queue: 'orders',
  functions: ['parcels'],
  state: 'consuming',
  error: null,
  since: NOON,
  unacked: 3,
  free: 13,
  received: 1204,
  redelivered: 2,
  succeeded: 1195,
  retried: 5,
  dead_lettered: 1,
  requeued: 0,
};

export const QUEUES: Readonly<Record<string, OperationExamples>> = {
  'GET /queues': { answers: { 200: { 'One queue': { queues: [ORDERS] }, None: { queues: [] } } } },
  'GET /queues/{queue}': {
    answers: {
      200: {
        'It is consumed': ORDERS,
        'The broker is away': { ...ORDERS, state: 'failed', error: 'connect ECONNREFUSED 10.0.0.5:5672', unacked: 0, free: 0 },
      },
    },
  },
};
