import type { ObjectiveStatus, SloStatus } from '../slo/slo-status.ts';
import type { PulledMetric, Sample } from './metric.ts';

export interface FunctionStatus {
  functionName: string;
  status: SloStatus;
}

/** One scrape reads several metrics of the same statuses, which take some work. */
const REUSE_MS = 1000;

/**
 * @param statuses of functions that have objectives and are counted by themselves
 * @param clock milliseconds, never going back
 */
export function sloMetrics(statuses: () => Iterable<FunctionStatus>, clock: () => number): PulledMetric[] {
  let known: FunctionStatus[] = [];
  let knownAt = Number.NEGATIVE_INFINITY;
  const gauge = (name: string, help: string, read: (status: ObjectiveStatus) => Iterable<Sample>): PulledMetric => ({
    name,
    help,
    type: 'gauge',
    *read() {
      const now = clock();
      if (now - knownAt > REUSE_MS) {
        known = [...statuses()];
        knownAt = now;
      }
      for (const { functionName, status } of known) {
        for (const objective of ['availability', 'latency'] as const) {
          const one = status[objective];
          if (one === null) continue;
          for (const { labels, value } of read(one)) yield { labels: { faas_name: functionName, objective, ...labels }, value };
        }
      }
    },
  });
  return [
    gauge('hearth_slo_objective_ratio', 'Share of calls that are to be good.', ({ objective }) => [{ labels: {}, value: objective }]),
    gauge('hearth_slo_good_ratio', 'Share of calls within the window of the objective that were good.', ({ sli }) =>
      sli === null ? [] : [{ labels: {}, value: sli }],
    ),
    gauge('hearth_slo_error_budget_left_ratio', 'Share of the bad calls that the objective allows which is left.', ({ budgetLeft }) => [
      { labels: {}, value: budgetLeft },
    ]),
    gauge('hearth_slo_burn_rate', 'How fast the error budget is used up, by how far back one looks.', function* ({ burnRates }) {
      for (const [window, rate] of Object.entries(burnRates)) if (rate !== null) yield { labels: { window }, value: rate };
    }),
  ];
}
