import type { PulledMetric } from './metric.ts';

/** Calls between this node and others. */
export interface HandOverReadings {
  /** By why they were handed over, then by what came of them. */
  handed: Readonly<Record<string, Readonly<Record<string, number>>>>;
  handedOpen: number;
  /** By what came of them. */
  taken: Readonly<Record<string, number>>;
  takenOpen: number;
  /** Other nodes that were heard of late. */
  heard: number;
}

/** @param read null: there are no other nodes */
export function handOverMetrics(read: () => HandOverReadings | null): PulledMetric[] {
  return [
    {
      name: 'hearth_nodes_heard',
      help: 'Other nodes that have told of themselves by the broker within the last two seconds.',
      type: 'gauge',
      *read() {
        const readings = read();
        if (readings) yield { labels: {}, value: readings.heard };
      },
    },
    {
      name: 'hearth_calls_handed_over_total',
      help: 'Calls that were handed over to other nodes, by why and by what came of them.',
      type: 'counter',
      *read() {
        for (const [reason, outcomes] of Object.entries(read()?.handed ?? {}))
          for (const [outcome, value] of Object.entries(outcomes)) yield { labels: { reason, outcome }, value };
      },
    },
    {
      name: 'hearth_calls_taken_over_total',
      help: 'Calls that other nodes wanted to hand over to this one, by what came of them.',
      type: 'counter',
      *read() {
        for (const [outcome, value] of Object.entries(read()?.taken ?? {})) yield { labels: { outcome }, value };
      },
    },
    {
      name: 'hearth_calls_between_nodes',
      help: 'Calls that other nodes have in hand for this one, and this one for others.',
      type: 'gauge',
      *read() {
        const readings = read();
        if (!readings) return;
        yield { labels: { direction: 'handed_over' }, value: readings.handedOpen };
        yield { labels: { direction: 'taken_over' }, value: readings.takenOpen };
      },
    },
  ];
}
