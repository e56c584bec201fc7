import type { OperationExamples } from './operation-examples.ts';

export const PLATFORM: Readonly<Record<string, OperationExamples>> = {
  'GET /health': { answers: { 200: { Alive: { status: 'ok' } } } },
  'GET /metrics': {
    answers: {
      200: {
        'A counter': '# TYPE faas_invocations_total counter\nfaas_invocations_total{faas_name="echo",outcome="succeeded",start="warm"} 17\n',
      },
    },
  },
  'POST /backup': { body: { 'With the key of the secrets': { include_key: true }, 'Without it': { include_key: false } }, answers: {} },
  'GET /openapi.json': {
    answers: { 200: { 'Its beginning': { openapi: '3.1.0', info: { title: 'Hearth control plane', version: '1' }, paths: {} } } },
  },
  'GET /': { answers: { 200: { 'A page': '<!doctype html><html lang="en">…</html>' } } },
};
