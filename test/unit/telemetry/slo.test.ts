import { describe, expect, it } from 'vitest';
import type { InvocationRecord } from '../../../src/schemas/records.ts';
import type { SeriesStep } from '../../../src/schemas/series.ts';
import type { SloPolicy } from '../../../src/schemas/slo.ts';
import { createMetrics } from '../../../src/telemetry/metrics/create-metrics.ts';
import { sloMetrics } from '../../../src/telemetry/metrics/slo-metrics.ts';
import { CallSeries } from '../../../src/telemetry/series/call-series.ts';
import { createSeries } from '../../../src/telemetry/series/series.ts';
import { SeriesArchive } from '../../../src/telemetry/series/series-archive.ts';
import { parseExposition } from '../../support/prometheus.ts';
import { invocationRecord } from '../store/records.ts';

const POLICY: SloPolicy = { availability: 0.99, latency: { thresholdMs: 100, share: 0.9 }, windowDays: 30 };
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const FAILED = { state: 'failed', status: 502, errorCode: 'function_failed' } as const;

/** A platform without anything but what it counts. */
class Counted {
  now = 1_764_000_000_000;
  calls = new CallSeries(10);
  series = createSeries(this.calls, 0, () => this.now);

  constructor(policy = POLICY) {
    this.calls.promise('f', policy);
  }

  call(members: Partial<InvocationRecord> = {}, ms = 10, refused = false): void {
    this.calls.observe(
      invocationRecord({ functionName: 'f', endedAt: this.now, ...members }),
      { queue: ms / 2, start: 0, init: 0, run: ms / 2 },
      refused,
    );
  }

  /** Of so many calls at the begin of each minute (or hour), every `badEach`th fails. */
  run(steps: number, perStep: number, badEach = Number.POSITIVE_INFINITY, stepMs = MINUTE): void {
    for (let step = 0; step < steps; step++) {
      for (let call = 1; call <= perStep; call++) this.call(call % badEach === 0 ? FAILED : {});
      this.now += stepMs;
    }
  }

  status(policy = POLICY) {
    return this.series.slo('f', policy);
  }
}

describe('objectives', () => {
  it('count as bad what the caller was served badly, and leave out what says nothing', () => {
    const counted = new Counted();
    for (let call = 0; call < 90; call++) counted.call();
    counted.call({ status: 404 });
    counted.call({ status: null });
    const bad: Partial<InvocationRecord>[] = [
      FAILED,
      { state: 'timed_out', errorCode: 'deadline_exceeded', status: 504 },
      { status: 500 },
      { state: 'failed', errorCode: 'sandbox_unavailable', status: 503, start: null },
      { state: 'failed', errorCode: 'draining', status: 503, start: null },
    ];
    for (const members of bad) counted.call(members);
    counted.call({ state: 'failed', errorCode: 'queue_full', status: 429, start: null }, 0, true);
    counted.call({ state: 'cancelled', errorCode: 'client_gone', status: 499 });
    counted.call({ state: 'cancelled', errorCode: 'cancelled', status: null });
    counted.call({ state: 'failed', errorCode: 'body_too_large', status: 413 });
    const { availability, latency } = counted.status();
    expect([availability?.total, availability?.good]).toEqual([98, 92]);
    expect([latency?.total, latency?.good]).toEqual([92, 92]);
  });

  it('hold good calls against the threshold that was in force when they ended', () => {
    const counted = new Counted();
    for (const ms of [99.9, 100, 100.1, 5000]) counted.call({}, ms);
    counted.calls.promise('f', { ...POLICY, latency: null });
    counted.call({}, 5000);
    counted.calls.promise('f', { ...POLICY, latency: { thresholdMs: 10_000, share: 0.9 } });
    counted.call({}, 5000);
    expect(counted.status().latency).toMatchObject({ total: 5, good: 3, objective: 0.9, sli: 0.6 });
    expect(counted.status().availability).toMatchObject({ total: 6, good: 6, sli: 1, budgetLeft: 1, verdict: 'ok' });
    expect(counted.status({ ...POLICY, latency: null })).toMatchObject({ latency: null, verdict: 'ok' });
  });

  it('know nothing before the first call', () => {
    const { availability, verdict, counted, coverage } = new Counted().status();
    expect({ verdict, counted, coverage }).toEqual({ verdict: 'no_data', counted: true, coverage: 0 });
    expect(availability).toMatchObject({ total: 0, sli: null, budgetLeft: 1, burnRates: { '5m': null, '3d': null } });
    const full = createSeries(new CallSeries(0), 0, () => 0);
    expect(full.slo('f', POLICY)).toMatchObject({ counted: false, verdict: 'no_data' });
  });

  it('burn fast when an hour and its last minutes are bad, and no longer when the trouble is over', () => {
    const counted = new Counted();
    counted.run(29 * 24, 120, undefined, HOUR);
    expect(counted.status()).toMatchObject({ verdict: 'ok', availability: { burnRates: { '6h': 0, '3d': 0 } } });
    // A fifth fails: a burn rate of 20. In an hour that is a fourtieth of what 30 days allow.
    counted.run(60, 10, 5);
    const burning = counted.status().availability;
    expect(burning?.verdict).toBe('fast_burn');
    expect(burning?.burnRates['1h']).toBeCloseTo(20, 0);
    expect(burning?.budgetLeft).toBeGreaterThan(0.5);
    counted.run(30, 10);
    // The 3 days still feel it.
    expect(counted.status().availability).toMatchObject({ verdict: 'slow_burn', burnRates: { '5m': 0 } });
    counted.run(6, 60, undefined, HOUR);
    expect(counted.status().verdict).toBe('ok');
  });

  it('burn slowly when days are a little worse than promised', () => {
    const counted = new Counted();
    counted.run(28 * 24, 100, undefined, HOUR);
    expect(counted.status().verdict).toBe('ok');
    // 1 in 60 fails, where 1 in 100 may.
    counted.run(72, 60, 60, HOUR);
    const { availability } = counted.status();
    expect(availability).toMatchObject({ verdict: 'slow_burn' });
    expect(availability?.burnRates['3d']).toBeGreaterThan(1);
    expect(availability?.burnRates['3d']).toBeLessThan(2);
  });

  it('are missed when more was bad than may be, until that is as long ago as the window is', () => {
    const policy = { ...POLICY, windowDays: 7 };
    const counted = new Counted(policy);
    counted.run(10, 100, 50);
    const { availability, verdict } = counted.status(policy);
    expect([verdict, availability?.total, availability?.good]).toEqual(['exhausted', 1000, 980]);
    expect(availability?.budgetLeft).toBeCloseTo(-1);
    counted.now += 6 * DAY;
    counted.run(1, 100);
    expect(counted.status(policy).verdict).toBe('exhausted');
    counted.now += DAY;
    expect(counted.status(policy).availability).toMatchObject({ total: 100, good: 100, budgetLeft: 1, verdict: 'ok' });
  });

  it('are metrics, with as many lines as there are objectives', async () => {
    const counted = new Counted();
    counted.run(1, 100, 50);
    const functions = () => [{ functionName: 'f', status: counted.status() }];
    const text = await createMetrics(sloMetrics(functions, () => performance.now())).render();
    const ours = parseExposition(text).filter(({ name }) => name.startsWith('hearth_slo_'));
    expect(ours).toHaveLength(2 * 3 + 2 * 5);
    const value = (name: string, labels: Record<string, string>) =>
      ours.find((sample) => sample.name === name && Object.entries(labels).every(([label, text]) => sample.labels[label] === text))?.value;
    expect(value('hearth_slo_good_ratio', { objective: 'availability', faas_name: 'f' })).toBeCloseTo(0.98);
    expect(value('hearth_slo_burn_rate', { objective: 'availability', window: '1h' })).toBeCloseTo(2);
    expect(value('hearth_slo_error_budget_left_ratio', { objective: 'latency' })).toBe(1);
    expect(value('hearth_slo_objective_ratio', { objective: 'latency' })).toBe(0.9);
  });
});

/** In the place of the store's table. */
class MemorySteps {
  readonly rows = new Map<string, SeriesStep>();
  fails = false;

  async series({ after, limit }: { after?: Pick<SeriesStep, 'functionName' | 'stepMs' | 'step'>; limit: number }): Promise<SeriesStep[]> {
    if (this.fails) throw new Error('the disk is gone');
    const key = (one: Pick<SeriesStep, 'functionName' | 'stepMs' | 'step'>) =>
      `${String(one.stepMs).padStart(10)} ${String(one.step).padStart(10)} ${one.functionName}`;
    const sorted = [...this.rows.values()].sort((a, b) => (key(a) < key(b) ? -1 : 1));
    return sorted.filter((row) => !after || key(row) > key(after)).slice(0, limit);
  }

  async putSeries(steps: readonly SeriesStep[]): Promise<void> {
    if (this.fails) throw new Error('the disk is gone');
    for (const step of steps) this.rows.set(`${step.stepMs} ${step.step} ${step.functionName}`, step);
  }

  async pruneSeries(stepMs: number, before: number): Promise<number> {
    let pruned = 0;
    for (const [key, row] of this.rows) if (row.stepMs === stepMs && row.step < before && this.rows.delete(key)) pruned++;
    return pruned;
  }
}

describe('the archive of series', () => {
  const archiveOf = (counted: Counted, store: MemorySteps, warnings: string[] = []) =>
    new SeriesArchive({
      calls: counted.calls,
      store,
      isKnown: (name) => name === 'f',
      clock: () => counted.now,
      log: { warn: (_, text) => warnings.push(text) },
    });

  it('leaves to the next life what was counted, and goes on counting in the same steps', async () => {
    const store = new MemorySteps();
    const first = new Counted();
    const archive = archiveOf(first, store);
    archive.start();
    first.run(3000, 2, 2);
    first.call();
    await archive.close();
    expect(store.rows.size).toBeGreaterThan(1000);
    store.rows.set('other', { functionName: 'gone', stepMs: HOUR, step: Math.floor(first.now / HOUR), counts: '0,5' });

    const second = new Counted();
    second.now = first.now;
    // Calls end while the past is still being read.
    second.call(FAILED);
    const next = archiveOf(second, store);
    next.start();
    await next.close();
    const before = first.series.ofFunction('f', '7d').total;
    const after = second.series.ofFunction('f', '7d').total;
    expect(before.invocations).toMatchObject({ succeeded: 3001, failed: 3000 });
    expect(after.invocations).toMatchObject({ succeeded: 3001, failed: 3001 });
    expect(second.status().availability).toMatchObject({ total: 6002, good: 3001 });
    expect(second.series.ofMachine('24h').total.invocations.failed).toBe(second.series.ofFunction('f', '24h').total.invocations.failed);
    expect(second.calls.of('gone')).toBeUndefined();
    // What is finest goes with the process.
    expect(second.series.ofFunction('f', '15m').total.invocations).toMatchObject({ succeeded: 0, failed: 1 });
  });

  it('writes later what could not be written, and nothing before the past is there', async () => {
    const store = new MemorySteps();
    const warnings: string[] = [];
    const first = new Counted();
    first.run(5, 1);
    const archive = archiveOf(first, store, warnings);
    store.fails = true;
    archive.start();
    await archive.close();
    expect([store.rows.size, warnings.length]).toEqual([0, 2]);
    store.fails = false;
    await archive.close();
    await archive.close();
    expect([...store.rows.values()].filter(({ stepMs, functionName }) => stepMs === MINUTE && functionName === 'f')).toHaveLength(5);
    store.fails = true;
    first.run(1, 1);
    await archive.close();
    store.fails = false;
    await archive.close();
    expect([...store.rows.values()].filter(({ stepMs, functionName }) => stepMs === MINUTE && functionName === 'f')).toHaveLength(6);
  });
});
