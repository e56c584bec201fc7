import { expect, it } from 'vitest';
import { createMetrics } from '../../../src/telemetry/metrics/create-metrics.ts';
import { queueMetrics } from '../../../src/telemetry/metrics/queue-metrics.ts';
import { FiringCounts } from '../../../src/telemetry/metrics/trigger-metrics.ts';
import { parseExposition } from '../../support/prometheus.ts';

it('the metrics of the queue come of one look at it, and have no value when there is none', async () => {
  let looks = 0;
  let broken = false;
  let now = 100_000;
  const metrics = createMetrics(
    queueMetrics({
      backlog: async () => {
        looks++;
        if (broken) throw new Error('the disk is gone');
        return { queued: 5, due: 2, oldestDueAt: 40_000, running: 1, deadLetters: 3, deliveries: 4 };
      },
      attempts: () => new Map([['succeeded', 7]]),
      now: () => now,
    }),
  );
  const ours = async () => Object.fromEntries(parseExposition(await metrics.render()).map(({ name, value }) => [name, value]));
  expect(await ours()).toMatchObject({ hearth_queue_depth: 5, hearth_queue_oldest_age_seconds: 60, hearth_queue_attempts_total: 7 });
  expect(looks).toBe(1);
  broken = true;
  now += 10_000;
  const later = await ours();
  expect([looks, later.hearth_queue_depth, later.hearth_queue_attempts_total]).toEqual([2, undefined, 7]);
});

it('firings are counted with their lateness, where a time was set', async () => {
  const counts = new FiringCounts();
  counts.count(true, 700);
  counts.count(true, null);
  counts.count(false, 60_000);
  const samples = parseExposition(await createMetrics(counts.metrics()).render());
  const value = (name: string, label?: string) =>
    samples.find((sample) => sample.name === name && (!label || Object.values(sample.labels).includes(label)))?.value;
  expect([value('hearth_schedule_firings_total', 'fired'), value('hearth_schedule_firings_total', 'skipped')]).toEqual([2, 1]);
  expect([value('hearth_schedule_lateness_seconds_count'), value('hearth_schedule_lateness_seconds_sum')]).toEqual([1, 0.7]);
});
