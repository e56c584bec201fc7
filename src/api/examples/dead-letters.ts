import { DEAD, DEAD_WHOLE } from './invocation.ts';
import { INVOCATION, type OperationExamples } from './operation-examples.ts';

const INPUT = { verb: 'POST', path: '/parcels', headers: [['content-type', 'application/json']], body: '{"parcel": 17}', body_base64: null };

export const DEAD_LETTERS: Readonly<Record<string, OperationExamples>> = {
  'GET /dead-letters': {
    answers: { 200: { 'One letter': { dead_letters: [DEAD], next_before: null }, None: { dead_letters: [], next_before: null } } },
  },
  'GET /dead-letters/{id}': { answers: { 200: { 'With its input': { ...DEAD_WHOLE, input: INPUT } } } },
  'DELETE /dead-letters/{id}': { answers: { 200: { 'It is gone': { status: 'ok', deleted: true } } } },
  'POST /dead-letters/{id}/redrive': { answers: { 200: { 'It is queued again': { status: 'ok', id: INVOCATION } } } },
  'POST /dead-letters/redrive': { answers: { 200: { 'Twelve are queued again': { status: 'ok', redriven: 12 } } } },
};
