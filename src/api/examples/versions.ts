import { FUNCTION } from './function.ts';
import { SOURCE } from './functions.ts';
import { NOON, type OperationExamples } from './operation-examples.ts';

const BEFORE = { ...FUNCTION, version: 3, hash: '4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce', created_at: NOON - 3600_000 };

export const VERSIONS: Readonly<Record<string, OperationExamples>> = {
  'GET /functions/{function_name}/versions': { answers: { 200: { 'Two versions': { versions: [FUNCTION, BEFORE] } } } },
  'GET /functions/{function_name}/versions/{number}': {
    answers: { 200: { 'An earlier one': { ...BEFORE, function_code: SOURCE, bundle: null, requirements: null, environment: {} } } },
  },
  'POST /functions/{function_name}/rollback': {
    body: { 'To a version': { version: 3 }, 'To the one before': {} },
    answers: { 200: { 'Version 3 is current again': { status: 'ok', ...BEFORE, rolled_back_from: 4, warnings: [] } } },
  },
};
