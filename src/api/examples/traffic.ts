import { NOON, type OperationExamples } from './operation-examples.ts';

const SPLIT = {
  function_name: 'echo',
  current_version: 4,
  state: 'active',
  weights: { '3': 90, '4': 10 },
  sticky_header: 'x-user',
  rollback_on: { error_rate: 0.2, minimum_calls: 20, window_ms: 60_000 },
  rolled_back: null,
  versions: [
    { version: 4, weight: 10, calls: 12, errors: 0 },
    { version: 3, weight: 90, calls: 101, errors: 1 },
  ],
  counted_since: NOON,
  created_at: NOON,
};

const ROLLED_BACK = {
  ...SPLIT,
  state: 'rolled_back',
  weights: { '3': 100, '4': 0 },
  rolled_back: { version: 4, at: NOON + 90_000, reason: '9 of 31 calls within 60 s failed, which is more than 20 %' },
  versions: [
    { version: 4, weight: 0, calls: 31, errors: 9 },
    { version: 3, weight: 100, calls: 288, errors: 1 },
  ],
};

export const TRAFFIC: Readonly<Record<string, OperationExamples>> = {
  'GET /functions/{function_name}/traffic': {
    answers: { 200: { 'Nine of ten calls go to version 3': SPLIT, 'Version 4 was rolled back': ROLLED_BACK } },
  },
  'PUT /functions/{function_name}/traffic': {
    body: {
      'A tenth, with a bound': {
        weights: { '3': 90, '4': 10 },
        sticky_header: 'X-User',
        rollback_on: { error_rate: 0.2, minimum_calls: 20, window_ms: 60_000 },
      },
      'Half and half': { weights: { '3': 50, '4': 50 } },
    },
    answers: {
      200: {
        'Counting begins': { status: 'ok', ...SPLIT, versions: SPLIT.versions.map((version) => ({ ...version, calls: 0, errors: 0 })), warnings: [] },
      },
    },
  },
  'DELETE /functions/{function_name}/traffic': {
    answers: { 200: { 'All calls go to version 4': { status: 'ok', deleted: true, current_version: 4, warnings: [] } } },
  },
};
