import { INSTANCE, INVOCATION, NOON, type OperationExamples } from './operation-examples.ts';

const WARNED = {
  id: `${NOON - 3600_000}.4711`,
  time: NOON + 40,
  function_name: 'echo',
  version: 4,
  instance_id: INSTANCE,
  correlation_id: INVOCATION,
  stream: 'log',
  level: 'warn',
  message: 'stock is low',
  fields: { sku: 'A-7', left: 2 },
};
const LOADED = {
  ...WARNED,
  id: `${NOON - 3600_000}.4502`,
  time: NOON,
  correlation_id: null,
  stream: 'stdout',
  level: 'info',
  message: 'echo is loaded',
  fields: null,
};

export const LOGS: Readonly<Record<string, OperationExamples>> = {
  'GET /logs': {
    answers: {
      200: {
        'A line of JSON of a call, and one before that': { lines: [WARNED, LOADED], next_cursor: LOADED.id },
        'Nothing fits, and there is nothing before that': { lines: [], next_cursor: null },
      },
    },
  },
  'GET /logs/tail': {
    answers: {
      200: {
        'A line, and later the platform has passed some over': `id: ${LOADED.id}\ndata: ${JSON.stringify(LOADED)}\n\nevent: left_out\ndata: {"bytes":17301504}\n\n`,
      },
    },
  },
};
