import { NOON, type OperationExamples } from './operation-examples.ts';

const KEY = {
  id: '5f0c9a1be2d34c77',
  name: 'mobile-app',
  rate_limit: { requests: 100, per_s: 60, burst: 100 },
  created_at: NOON,
  expires_at: null,
};

export const KEYS: Readonly<Record<string, OperationExamples>> = {
  'GET /functions/{function_name}/keys': { answers: { 200: { 'One key': { keys: [KEY] }, None: { keys: [] } } } },
  'POST /functions/{function_name}/keys': {
    body: { 'Without a bound': { name: 'mobile-app' }, 'A hundred calls a minute': { name: 'mobile-app', rate_limit: { requests: 100, per_s: 60 } } },
    answers: { 200: { 'The key, once': { status: 'ok', ...KEY, key: 'hk_5f0c9a1be2d34c77_…', warnings: [] } } },
  },
  'DELETE /functions/{function_name}/keys/{key}': { answers: { 200: { 'It lets nobody in any more': { status: 'ok', revoked: KEY } } } },
};
