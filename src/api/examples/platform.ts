import type { OperationExamples } from './operation-examples.ts';

const SEEN = Date.UTC(2026, 2, 1, 6);
const NODE = {
  id: '3f0e1c52-8a54-4f5e-9a39-7f2f0d5a1b11',
  name: 'node-1',
  state: 'up',
  self: true,
  version: '1.4.0',
  started_at: SEEN - 7200_000,
  seen_at: SEEN,
  gateway_url: 'http://10.0.0.1:5000',
  api_url: 'http://10.0.0.1:8000',
  cores: 8,
  memory_bytes: 12_884_901_888,
  max_instances: 256,
  held_bytes: 1_610_612_736,
  instances: 41,
  running: 17,
  waiting: 0,
  functions: 23,
};
const OTHER_NODE = {
  ...NODE,
  id: '9a1d7a06-3f5c-4e0e-8d57-2f6a4b0c8e22',
  name: 'node-2',
  state: 'draining',
  self: false,
  seen_at: SEEN - 412,
  gateway_url: 'http://10.0.0.2:5000',
  api_url: 'http://10.0.0.2:8000',
};

export const PLATFORM: Readonly<Record<string, OperationExamples>> = {
  'GET /health': { answers: { 200: { Alive: { status: 'ok' } } } },
  'GET /ready': { answers: { 200: { 'It takes calls': { status: 'up' } } } },
  'GET /nodes': { answers: { 200: { 'Two nodes': { nodes: [NODE, OTHER_NODE], as_of: SEEN } } } },
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
