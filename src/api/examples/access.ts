import { NOON, type OperationExamples } from './operation-examples.ts';

const TOKEN = { id: '0a3fb2c14d5e6f70', name: 'laptop', role: 'deploy', created_at: NOON, expires_at: null, last_used_at: NOON + 60_000 };

const ENTRY = {
  id: 712,
  at: NOON,
  actor: { token_id: TOKEN.id, name: TOKEN.name },
  address: '10.0.0.17',
  method: 'POST',
  route: '/functions',
  subject: 'echo',
  version: 4,
  status: 200,
};

export const ACCESS: Readonly<Record<string, OperationExamples>> = {
  'POST /tokens': {
    body: {
      'It never expires': { name: 'laptop', role: 'deploy' },
      'Until a year from then': { name: 'ci', role: 'deploy', expires_at: Date.UTC(2027, 2, 1) },
    },
    answers: { 200: { 'The token, once': { status: 'ok', token: 'hearth_0a3fb2c14d5e6f70_…', ...TOKEN, last_used_at: null } } },
  },
  'GET /tokens': { answers: { 200: { 'One token': { tokens: [TOKEN] }, None: { tokens: [] } } } },
  'DELETE /tokens/{id}': { answers: { 200: { 'It is refused from now on': { status: 'ok', deleted: true } } } },
  'GET /session': {
    answers: {
      200: {
        'With a token': {
          name: TOKEN.name,
          role: TOKEN.role,
          tokens_needed: true,
          version: '0.1.0',
          driver: 'nursery',
          network: 'egress',
          gateway_url: 'http://127.0.0.1:5000',
        },
      },
    },
  },
  'GET /audit': {
    answers: {
      200: {
        'A function was registered, and a change is under way': {
          entries: [{ ...ENTRY, id: 713, method: 'DELETE', route: '/layers/:layer', subject: 'science', version: null, status: null }, ENTRY],
          next_before: null,
        },
      },
    },
  },
};
