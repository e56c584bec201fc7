import { readFile } from 'node:fs/promises';
import type { Static } from 'typebox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FunctionSeries as FunctionSeriesSchema, MachineSeries as MachineSeriesSchema } from '../../../src/api/wire/series.ts';
import { Hearth, until } from '../../support/hearth.ts';
import { parseExposition, promtool, type ScrapedSample } from '../../support/prometheus.ts';

type FunctionSeries = Static<typeof FunctionSeriesSchema>;
type MachineSeries = Static<typeof MachineSeriesSchema>;

let hearth: Hearth;

beforeAll(async () => {
  hearth = await Hearth.start();
});

afterAll(async () => {
  await hearth?.[Symbol.asyncDispose]();
});

async function scrape(): Promise<ScrapedSample[]> {
  const response = await fetch(`${hearth.api}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  return parseExposition(await response.text());
}

function sum(samples: ScrapedSample[], name: string, labels: Record<string, string> = {}): number {
  return samples
    .filter((sample) => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
    .reduce((total, { value }) => total + value, 0);
}

const call = async (path: string): Promise<number> => {
  const response = await hearth.call(path);
  await response.arrayBuffer();
  return response.status;
};

describe('GET /metrics', () => {
  it('adds up: cold, warm, failing, timed out, cancelled and refused calls', async () => {
    const code = `
import time
def handler(m, c):
    if m["query"].get("fail"): raise ValueError("no")
    time.sleep(float(m["query"].get("sleep", "0")))
    return 1
`;
    await hearth.define('counted', code, { timeout_ms: 1500, max_instances: 1, max_queue: 0 });
    const before = await scrape();
    const faas_name = 'counted';
    // One cold, three warm, two that fail, and one that has no room while another takes its time.
    await hearth.define('roomy', code, { slo: { availability: 0.5, latency: { threshold_ms: 900_000, share: 0.9 }, window_days: 7 } });
    const statuses = [
      await call('/roomy'),
      await call('/roomy'),
      await call('/roomy'),
      await call('/roomy'),
      await call('/roomy?fail=1'),
      await call('/roomy?fail=1'),
    ];
    expect(statuses).toEqual([200, 200, 200, 200, 502, 502]);
    // A line of length 0 refuses those who don't find a ready instance; one that is kept ready, does.
    await hearth.define('counted', code, { timeout_ms: 1500, max_instances: 1, max_queue: 0, reserved: 1 });
    await until(async () => (await hearth.instances('counted')).some(({ state }) => state === 'idle'));
    const slow = call('/counted?sleep=30');
    await until(async () => (await hearth.instances('counted')).some(({ state }) => state === 'busy'));
    const during = await scrape();
    expect([await call('/counted'), await call('/counted')]).toEqual([429, 429]);
    expect(await slow).toBe(504);
    const leaving = new AbortController();
    const left = hearth.call('/roomy?sleep=30', { signal: leaving.signal }).catch(() => 'left');
    await until(async () => (await hearth.instances('roomy')).some(({ state }) => state === 'busy'));
    leaving.abort();
    expect(await left).toBe('left');

    const samples = await until(async () => {
      const now = await scrape();
      return sum(now, 'faas_invocations_total') === 10 && now;
    });
    expect(sum(before, 'faas_invocations_total')).toBe(0);
    const ended = (name: string, outcome: string, start: string) => sum(samples, 'faas_invocations_total', { faas_name: name, outcome, start });
    expect([ended('roomy', 'succeeded', 'cold'), ended('roomy', 'succeeded', 'warm'), ended('roomy', 'failed', 'warm')]).toEqual([1, 3, 2]);
    expect(ended('roomy', 'cancelled', 'warm')).toBe(1);
    expect([ended(faas_name, 'timed_out', 'warm'), ended(faas_name, 'refused', 'none')]).toEqual([1, 2]);
    expect(sum(samples, 'faas_coldstarts_total')).toBe(1);
    expect([sum(samples, 'faas_timeouts_total', { faas_name }), sum(samples, 'faas_timeouts_total')]).toEqual([1, 1]);
    expect(sum(samples, 'hearth_refusals_total', { faas_name, reason: 'function_queue_full' })).toBe(2);
    expect(sum(samples, 'faas_errors_total', { code: 'function_failed' })).toBe(2);
    expect(sum(samples, 'faas_errors_total', { code: 'deadline_exceeded' })).toBe(1);
    // All but the refused two ran; one waited for a start.
    for (const name of ['faas_invoke_duration_seconds_count', 'hearth_queue_duration_seconds_count']) expect(sum(samples, name), name).toBe(8);
    for (const name of ['faas_init_duration_seconds_count', 'hearth_start_duration_seconds_count']) expect(sum(samples, name), name).toBe(1);
    expect(sum(samples, 'faas_invoke_duration_seconds_sum', { faas_name })).toBeGreaterThan(1);
    expect(sum(samples, 'faas_invoke_duration_seconds_bucket', { faas_name, le: '1' })).toBe(0);

    expect([sum(during, 'hearth_instances', { state: 'busy' }), sum(during, 'hearth_invocations_open')]).toEqual([1, 1]);
    expect(sum(samples, 'hearth_invocations_open')).toBe(0);
    expect(sum(samples, 'hearth_instances_stopped_total', { reason: 'deadline' })).toBe(1);
    expect(sum(samples, 'hearth_instances_stopped_total', { reason: 'replaced' })).toBe(0);
    // The two that were called; the reserved one is started anew in a second.
    expect(sum(samples, 'hearth_pool_takes_total')).toBeGreaterThanOrEqual(2);
    expect(sum(during, 'hearth_instances_memory_bytes')).toBeGreaterThan(0);
    expect(sum(samples, 'hearth_memory_budget_bytes')).toBeGreaterThan(0);
    expect(sum(samples, 'hearth_records_dropped_total')).toBe(0);
    expect(samples.some(({ name }) => name === 'nodejs_eventloop_lag_p99_seconds')).toBe(true);
    expect(
      samples.some(({ name }) => name === 'hearth_spans_total'),
      'traces are off',
    ).toBe(false);
  });

  it('tells the same over time', async () => {
    const json = async (path: string) => (await fetch(`${hearth.api}${path}`)).json();
    const series = (await json('/functions/roomy/series?window=15m')) as FunctionSeries;
    expect(series.total.invocations).toEqual({ succeeded: 4, failed: 2, timed_out: 0, cancelled: 1, refused: 0 });
    expect(series.total.starts).toEqual({ cold: 1, warm: 6, none: 0 });
    expect(series.total.histogram.counts.reduce((sum, count) => sum + count)).toBe(7);
    expect(series.total.latency_ms.p99).toBeGreaterThan(series.total.latency_ms.p50 as number);
    expect(series.invocations.succeeded).toHaveLength(series.at.length);
    expect([series.step_ms, series.counted, series.invocations.succeeded[0]]).toEqual([10_000, true, null]);
    const slo = await json('/functions/roomy/slo');
    expect(slo).toMatchObject({ window_days: 7, counted: true, verdict: 'ok', latency: { threshold_ms: 900_000, total: 4, good: 4 } });
    expect(slo).toMatchObject({
      availability: { objective: 0.5, total: 6, good: 4, burn_rates: { '5m': expect.closeTo(2 / 3), '3d': expect.closeTo(2 / 3) } },
    });
    expect((await fetch(`${hearth.api}/functions/counted/slo`)).status).toBe(404);
    const burn = { faas_name: 'roomy', objective: 'availability', window: '1h' };
    expect(sum(await scrape(), 'hearth_slo_burn_rate', burn)).toBeCloseTo(2 / 3);
    const machine = (await json('/series')) as MachineSeries;
    expect(machine.total.invocations).toEqual({ succeeded: 4, failed: 2, timed_out: 1, cancelled: 1, refused: 2 });
    expect(machine.gauges.memory_budget_bytes).toBeGreaterThan(0);
    await until(async () => {
      const { gauges, coverage } = (await json('/series')) as MachineSeries;
      const last = coverage.findLastIndex((share) => share > 0);
      return last >= 0 && (gauges.event_loop_lag_ms.max[last] as number) > 0 && (gauges.memory_bytes[last] as number) > 0;
    });
    expect((await fetch(`${hearth.api}/functions/nobody/series`)).status).toBe(404);
    expect((await fetch(`${hearth.api}/series?window=1y`)).status).toBe(422);
  });

  it('counts why instances stop', async () => {
    await hearth.define('stopping', 'def handler(m, c):\n    return 1\n');
    await call('/stopping');
    await hearth.define('stopping', 'def handler(m, c):\n    return 2\n');
    await until(async () => sum(await scrape(), 'hearth_instances_stopped_total', { reason: 'replaced' }) >= 1);
    await fetch(`${hearth.api}/functions/stopping`, { method: 'DELETE' });
    await until(async () => sum(await scrape(), 'hearth_instances_stopped_total', { reason: 'deleted' }) >= 1);
  });

  it('counts functions beyond the bound together', async () => {
    await using own = await Hearth.start({ settings: { HEARTH_METRICS_MAX_FUNCTIONS: '2' } });
    for (const name of ['a', 'b', 'c', 'd']) {
      await own.define(name, 'def handler(m, c):\n    return 1\n');
      expect((await own.call(`/${name}`)).status).toBe(200);
    }
    const text = await (await fetch(`${own.api}/metrics`)).text();
    const names = new Set(parseExposition(text).flatMap(({ labels }) => (labels.faas_name === undefined ? [] : [labels.faas_name])));
    expect([...names].sort()).toEqual(['_other', 'a', 'b']);
    expect(sum(parseExposition(text), 'faas_invocations_total')).toBe(4);
  });

  it('is what promtool takes for well-made metrics', async () => {
    promtool(['check', 'metrics'], await (await fetch(`${hearth.api}/metrics`)).text());
    expect(() => promtool(['check', 'metrics'], '# TYPE hearth_wrong_total gauge\nhearth_wrong_total 1\n')).toThrow(
      'should not have "_total" suffix',
    );
  });

  it('counts what passes the gateway, the queue and the layers', async () => {
    await hearth.define('later', 'def handler(m, c):\n    return 1\n', { async: 'always' });
    expect(await call('/later')).toBe(202);
    expect(await call('/nothing-here')).toBe(404);
    await until(async () => sum(await scrape(), 'hearth_queue_attempts_total', { outcome: 'succeeded' }) === 1);
    const samples = await scrape();
    expect(sum(samples, 'hearth_gateway_requests_total', { status: '4xx' })).toBeGreaterThan(0);
    expect(sum(samples, 'hearth_gateway_requests_total', { status: '5xx' })).toBeGreaterThan(0);
    expect(sum(samples, 'hearth_gateway_requests_total', { status: '2xx' })).toBeGreaterThan(4);
    expect(sum(samples, 'hearth_gateway_requests_total', { status: 'none' })).toBe(1);
    expect(sum(samples, 'hearth_gateway_connections')).toBeGreaterThan(0);
    expect(sum(samples, 'hearth_layers', { state: 'ready' })).toBe(1);
    for (const name of ['hearth_queue_depth', 'hearth_queue_dead_letters', 'hearth_queue_oldest_age_seconds'])
      expect(samples.find((sample) => sample.name === name)?.value, name).toBe(0);
    expect(samples.some(({ name }) => name === 'hearth_broker_up')).toBe(false);
  });

  it('is described in docs/metrics.md: every name that is ours, and no other', async () => {
    const documented = [
      ...(await readFile(new URL('../../../docs/metrics.md', import.meta.url), 'utf8')).matchAll(/^\| `((?:faas|hearth)_\w+)`/gm),
    ].map(([, name]) => name);
    const text = await (await fetch(`${hearth.api}/metrics`)).text();
    const ours = [...text.matchAll(/^# TYPE ((?:faas|hearth)_\w+)/gm)].map(([, name]) => name);
    expect(documented.sort()).toEqual(ours.sort());
  });
});
