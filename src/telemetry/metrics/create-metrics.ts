import { collectDefaultMetrics, Registry } from 'prom-client';
import { asMetric, type PulledMetric } from './metric.ts';

export interface Metrics {
  /** Of the text: Prometheus text exposition format 0.0.4. */
  readonly contentType: string;
  render(): Promise<string>;
}

/** Gauges that call themselves counters; each is the sum of another one of prom-client's. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** These, and those of the process: CPU, memory, event loop, garbage collection. */
export function createMetrics(metrics: Iterable<PulledMetric>): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  for (const metric of metrics) registry.registerMetric(asMetric(metric));
  return { contentType: registry.contentType, render: () => registry.metrics() };
}
