import { NOON, type OperationExamples } from './operation-examples.ts';

const SECRET = { name: 'DATABASE_URL', version: 2, updated_at: NOON, functions: ['parcels'] };

export const SECRETS: Readonly<Record<string, OperationExamples>> = {
  'GET /secrets': { answers: { 200: { 'One secret': { secrets: [SECRET] }, None: { secrets: [] } } } },
  'PUT /secrets/{name}': {
    body: { 'Any text': { value: 'correct horse battery staple' } },
    answers: {
      200: {
        'It has another value': { status: 'ok', ...SECRET, changed: true },
        'It had that value already': { status: 'ok', ...SECRET, changed: false },
      },
    },
  },
  'DELETE /secrets/{name}': {
    answers: { 200: { 'It is gone': { status: 'ok', deleted: true }, 'There was none': { status: 'ok', deleted: false } } },
  },
  'POST /secrets/rotate-key': { answers: { 200: { 'All secrets have the new key': { status: 'ok', key_id: '1b4f0e9851971998', secrets: 3 } } } },
};
