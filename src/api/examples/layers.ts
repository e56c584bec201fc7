import { NOON, type OperationExamples } from './operation-examples.ts';

const SCIENCE = {
  id: 'b5bb9d8014a0f9b1d61e21e796d78dcc',
  name: 'science',
  requirements: 'numpy==2.3.5\n',
  runtime: 'python',
  state: 'ready',
  output: 'Successfully installed numpy-2.3.5\n',
  created_at: NOON,
  ready_at: NOON + 14_200,
  size_bytes: 61_202_433,
};

export const LAYERS: Readonly<Record<string, OperationExamples>> = {
  'GET /layers': { answers: { 200: { 'One layer': { layers: [SCIENCE] }, None: { layers: [] } } } },
  'POST /layers': {
    body: {
      'Libraries of Python': { name: 'science', requirements: 'numpy==2.3.5\n' },
      'Packages of Node.js': { name: 'dates', package_json: { dependencies: { 'date-fns': '^4.1.0' } } },
    },
    answers: { 200: { 'It is built': SCIENCE } },
  },
  'DELETE /layers/{layer}': { answers: { 200: { 'It is gone': { status: 'ok', deleted: true } } } },
};
