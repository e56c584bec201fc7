import type { Metric } from 'prom-client';

export type Labels = Readonly<Record<string, string>>;

/** One line of the exposition: a value of one combination of labels. */
export interface Sample {
  labels: Labels;
  value: number;
  /** Where it isn't the metric's own: that of a histogram's line. */
  metricName?: string;
}

/** Something that is read when somebody asks for the metrics, and costs nothing until then. */
export interface PulledMetric {
  name: string;
  help: string;
  type: 'counter' | 'gauge' | 'histogram';
  read(): Iterable<Sample> | Promise<Iterable<Sample>>;
}

/**
 * As prom-client's registry takes it. Its own counters make a text of the labels with each increment; ours are plain numbers, and their
 * labels are written out when they are read. The registry needs `name` and `get` of what it is given, which its types don't say.
 */
export function asMetric({ name, help, type, read }: PulledMetric): Metric {
  return { name, get: async () => ({ name, help, type, values: [...(await read())], aggregator: 'sum' }) } as unknown as Metric;
}
