import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../../src/telemetry/metrics/create-metrics.ts';
import { InvocationMetrics } from '../../../src/telemetry/metrics/invocation-metrics.ts';
import { parseExposition, type ScrapedSample } from '../../support/prometheus.ts';
import { invocationRecord } from '../store/records.ts';

const timings = { queue: 1, start: 30, init: 2, run: 250 };

async function scrape(metrics: InvocationMetrics): Promise<ScrapedSample[]> {
  return parseExposition(await createMetrics(metrics.metrics()).render());
}

function sum(samples: ScrapedSample[], name: string, labels: Record<string, string> = {}): number {
  return samples
    .filter((sample) => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
    .reduce((total, { value }) => total + value, 0);
}

describe('the metrics of invocations', () => {
  it('put durations into the right bucket, bounds included', async () => {
    const metrics = new InvocationMetrics(10);
    metrics.observe(invocationRecord({ start: 'cold' }), timings, null);
    metrics.observe(invocationRecord({ start: 'warm' }), { queue: 0, start: 0, init: 0, run: 250.001 }, null);
    metrics.observe(invocationRecord({ start: 'warm' }), { queue: 0, start: 0, init: 0, run: 1e9 }, null);
    const samples = await scrape(metrics);
    const run = (le: string) => sum(samples, 'faas_invoke_duration_seconds_bucket', { le });
    expect([run('0.1'), run('0.25'), run('0.5'), run('300'), run('+Inf')]).toEqual([0, 1, 2, 2, 3]);
    expect(sum(samples, 'faas_init_duration_seconds_count')).toBe(1);
    expect(sum(samples, 'faas_init_duration_seconds_sum')).toBeCloseTo(0.002);
    expect(sum(samples, 'hearth_start_duration_seconds_sum')).toBeCloseTo(0.03);
  });

  it('keep the number of functions bounded and the totals right, whatever comes and goes', async () => {
    const metrics = new InvocationMetrics(3);
    for (let index = 0; index < 10; index++) metrics.observe(invocationRecord({ functionName: `f${index}` }), timings, null);
    metrics.forget('f1');
    metrics.forget('never there');
    metrics.observe(invocationRecord({ functionName: 'new' }), timings, null);
    const samples = await scrape(metrics);
    const names = new Set(samples.map(({ labels }) => labels.faas_name).filter((name) => name !== undefined));
    expect([...names].sort()).toEqual(['_other', 'f0', 'f2', 'new']);
    expect(sum(samples, 'faas_invocations_total')).toBe(11);
    expect(sum(samples, 'faas_invocations_total', { faas_name: '_other' })).toBe(8);
    expect(sum(samples, 'faas_invoke_duration_seconds_count')).toBe(11);
    expect(sum(await scrape(new InvocationMetrics(0)), 'faas_invocations_total')).toBe(0);
  });

  it('tell refused invocations from failed ones', async () => {
    const metrics = new InvocationMetrics(3);
    metrics.observe(invocationRecord({ state: 'failed', start: null, errorCode: 'queue_full' }), timings, 'function_queue_full');
    metrics.observe(invocationRecord({ state: 'failed', start: 'warm', errorCode: 'function_failed' }), timings, null);
    const samples = await scrape(metrics);
    expect(sum(samples, 'faas_invocations_total', { outcome: 'refused', start: 'none' })).toBe(1);
    expect(sum(samples, 'faas_invocations_total', { outcome: 'failed', start: 'warm' })).toBe(1);
    expect(sum(samples, 'hearth_refusals_total', { reason: 'function_queue_full' })).toBe(1);
    expect(sum(samples, 'faas_errors_total')).toBe(1);
    expect(sum(samples, 'faas_invoke_duration_seconds_count')).toBe(1);
  });
});
