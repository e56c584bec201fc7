import type { OperationExamples } from './operation-examples.ts';

const AVAILABILITY = {
  objective: 0.999,
  good: 120_391,
  total: 120_430,
  sli: 0.999676,
  error_budget_left: 0.676,
  burn_rates: { '5m': 0, '30m': 0.4, '1h': 0.3, '6h': 0.35, '3d': 0.31 },
  verdict: 'ok',
};

const LATENCY = {
  threshold_ms: 250,
  objective: 0.99,
  good: 117_262,
  total: 120_391,
  sli: 0.97401,
  error_budget_left: -1.599,
  burn_rates: { '5m': 1.2, '30m': 1.4, '1h': 2.1, '6h': 2.6, '3d': 2.6 },
  verdict: 'exhausted',
};

const REPORT = { function_name: 'echo', window_days: 28, counted: true, coverage: 0.97 };

export const SLO: Readonly<Record<string, OperationExamples>> = {
  'GET /functions/{function_name}/slo': {
    answers: {
      200: {
        'It is available, and too slow': { ...REPORT, verdict: 'exhausted', availability: AVAILABILITY, latency: LATENCY },
        'Only availability is promised': { ...REPORT, verdict: 'ok', availability: AVAILABILITY, latency: null },
      },
    },
  },
};
