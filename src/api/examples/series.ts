import { NOON, type OperationExamples } from './operation-examples.ts';

const CALLS = {
  window: '1h',
  step_ms: 60_000,
  at: [NOON - 60_000, NOON, NOON + 60_000],
  coverage: [0, 1, 0.5],
  invocations: { succeeded: [null, 119, 40], failed: [null, 1, 0], timed_out: [null, 0, 0], cancelled: [null, 0, 0], refused: [null, 0, 0] },
  starts: { cold: [null, 2, 0], warm: [null, 118, 40], none: [null, 0, 0] },
  latency_ms: { p50: [null, 3.2, 3.1], p95: [null, 4.9, 4.4], p99: [null, 61.7, 5.2] },
  phases_ms: { queue: [null, 0.03, 0.02], start: [null, 0.7, 0], init: [null, 0.4, 0], run: [null, 3, 3.1] },
  total: {
    invocations: { succeeded: 159, failed: 1, timed_out: 0, cancelled: 0, refused: 0 },
    starts: { cold: 2, warm: 158, none: 0 },
    latency_ms: { p50: 3.2, p95: 4.8, p99: 56.1 },
    phases_ms: { queue: 0.03, start: 0.5, init: 0.3, run: 3 },
    histogram: { bounds_ms: [2.3784, 2.8284, 3.3636, 4, 4.7568], counts: [20, 90, 40, 10] },
  },
};

const GAUGES = {
  instances: { starting: [null, 0, 0], idle: [null, 2, 2], busy: [null, 0.5, 1], draining: [null, 0, 0] },
  memory_bytes: [null, 50_331_648, 50_331_648],
  memory_budget_bytes: 8_589_934_592,
  open: [null, 0.5, 1],
  waiting: [null, 0, 0],
  queued: [null, 0, 0],
  event_loop_lag_ms: { p50: [null, 0.1, 0.1], p99: [null, 1.2, 1.1], max: [null, 8.4, 3] },
};

export const SERIES: Readonly<Record<string, OperationExamples>> = {
  'GET /functions/{function_name}/series': {
    answers: { 200: { 'Three steps, the first before the platform was started': { function_name: 'echo', counted: true, ...CALLS } } },
  },
  'GET /series': { answers: { 200: { 'Three steps, the first before the platform was started': { ...CALLS, gauges: GAUGES } } } },
};
