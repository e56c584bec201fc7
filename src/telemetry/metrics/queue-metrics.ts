import type { PulledMetric, Sample } from './metric.ts';

/** The queue of asynchronous invocations, as it stands. */
export interface QueueReadings {
  /** Rejects when the queue can't be read. */
  backlog(): Promise<{ queued: number; due: number; oldestDueAt: number | null; running: number; deadLetters: number; deliveries: number }>;
  /** How many attempts ended how. */
  attempts(): ReadonlyMap<string, number>;
  /** By the queue's clock, milliseconds since the epoch. */
  now(): number;
}

/** One scrape reads several metrics of the same look at the queue. */
const REUSE_MS = 1000;

/** Metrics of a queue that can't be read have no lines, which is what an alert can tell from an empty one. */
export function queueMetrics(read: QueueReadings): PulledMetric[] {
  type Backlog = Awaited<ReturnType<QueueReadings['backlog']>>;
  let known: Promise<Backlog | null> = Promise.resolve(null);
  let knownAt = Number.NEGATIVE_INFINITY;
  function backlog(): Promise<Backlog | null> {
    if (read.now() - knownAt > REUSE_MS) {
      knownAt = read.now();
      known = read.backlog().catch(() => null);
    }
    return known;
  }
  const gauge = (name: string, help: string, value: (backlog: Backlog) => number): PulledMetric => ({
    name,
    help,
    type: 'gauge',
    async read(): Promise<Sample[]> {
      const now = await backlog();
      return now ? [{ labels: {}, value: value(now) }] : [];
    },
  });
  return [
    gauge('hearth_queue_depth', 'Asynchronous invocations that are queued, up to 100 000.', ({ queued }) => queued),
    gauge('hearth_queue_due', 'Those of them whose time has come.', ({ due }) => due),
    gauge('hearth_queue_oldest_age_seconds', 'How long the oldest of them has been due.', ({ due, oldestDueAt }) =>
      due === 0 || oldestDueAt === null ? 0 : Math.max(0, read.now() - oldestDueAt) / 1000,
    ),
    gauge('hearth_queue_running', 'Asynchronous invocations that are taken and not settled, up to 10 000.', ({ running }) => running),
    gauge('hearth_queue_dead_letters', 'Dead letters, up to 10 000.', ({ deadLetters }) => deadLetters),
    gauge('hearth_queue_deliveries_pending', 'Outcomes that somebody is still to be told of, up to 10 000.', ({ deliveries }) => deliveries),
    {
      name: 'hearth_queue_attempts_total',
      help: 'Attempts at asynchronous invocations, by what came of them.',
      type: 'counter',
      read: () => [...read.attempts()].map(([outcome, value]) => ({ labels: { outcome }, value })),
    },
  ];
}
