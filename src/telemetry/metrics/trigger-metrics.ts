import { Histogram } from './histogram.ts';
import type { PulledMetric, Sample } from './metric.ts';

/** What runs functions besides callers: the clock, and the operator's broker. */
export interface TriggerReadings {
  /** Connections to the broker that were asked for, by what they are for. */
  brokerConnections(): Iterable<{ purpose: string; connected: boolean; made: number }>;
  /** Messages that were published, by what came of them. */
  published(): Iterable<[result: string, count: number]>;
  /** Of every queue that runs functions. */
  queueStates(): Iterable<string>;
  unacked(): number;
  /** Messages of all queues since the start, by what came of them. */
  queueMessages(): Iterable<[result: string, count: number]>;
}

const QUEUE_STATES = ['connecting', 'consuming', 'full', 'failed', 'stopping'] as const;

/** Firings of schedules. */
export class FiringCounts {
  #fired = 0;
  #skipped = 0;
  readonly #lateness = new Histogram();

  /** @param fired false: it was left out @param latenessMs null: nobody had set a time for it */
  count(fired: boolean, latenessMs: number | null): void {
    if (!fired) this.#skipped++;
    else {
      this.#fired++;
      if (latenessMs !== null) this.#lateness.observe(Math.max(0, latenessMs) / 1000);
    }
  }

  metrics(): PulledMetric[] {
    return [
      {
        name: 'hearth_schedule_firings_total',
        help: 'Instants of schedules that were dealt with: fired, or left out since they were missed or would have overlapped.',
        type: 'counter',
        read: () => [
          { labels: { outcome: 'fired' }, value: this.#fired },
          { labels: { outcome: 'skipped' }, value: this.#skipped },
        ],
      },
      {
        name: 'hearth_schedule_lateness_seconds',
        help: 'From the instant of a firing to its being written down, jitter and missed instants included.',
        type: 'histogram',
        read: () => this.#lateness.samples('hearth_schedule_lateness_seconds', {}),
      },
    ];
  }
}

export function triggerMetrics(read: TriggerReadings): PulledMetric[] {
  const byResult = (pairs: Iterable<[string, number]>): Sample[] => [...pairs].map(([result, value]) => ({ labels: { result }, value }));
  return [
    {
      name: 'hearth_broker_up',
      help: 'Whether a connection to the broker is there, of those that were asked for.',
      type: 'gauge',
      read: () => [...read.brokerConnections()].map(({ purpose, connected }) => ({ labels: { purpose }, value: Number(connected) })),
    },
    {
      name: 'hearth_broker_connections_made_total',
      help: 'Connections to the broker that were made; all but the first of a purpose are reconnections.',
      type: 'counter',
      read: () => [...read.brokerConnections()].map(({ purpose, made }) => ({ labels: { purpose }, value: made })),
    },
    {
      name: 'hearth_broker_published_total',
      help: 'Messages that were published to the broker, by what came of them.',
      type: 'counter',
      read: () => byResult(read.published()),
    },
    {
      name: 'hearth_queue_trigger_queues',
      help: 'Queues of the broker that run functions, by state.',
      type: 'gauge',
      read() {
        const counts = new Map<string, number>(QUEUE_STATES.map((state) => [state, 0]));
        for (const state of read.queueStates()) counts.set(state, (counts.get(state) ?? 0) + 1);
        return [...counts].map(([state, value]) => ({ labels: { state }, value }));
      },
    },
    {
      name: 'hearth_queue_trigger_unacked',
      help: 'Messages of these queues in hand.',
      type: 'gauge',
      read: () => [{ labels: {}, value: read.unacked() }],
    },
    {
      name: 'hearth_queue_trigger_messages_total',
      help: 'Messages of these queues, by what came of them.',
      type: 'counter',
      read: () => byResult(read.queueMessages()),
    },
  ];
}
