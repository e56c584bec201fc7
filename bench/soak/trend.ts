import { type Sample, slope } from './samples.ts';

/** How memory went, by the line through what it was. */
export interface Trend {
  what: string;
  /** The slope of the line, bytes per second. */
  bytesPerSecond: number;
  /** What the line says that it grew by, over the samples that it was drawn through. */
  grownBytes: number;
  boundBytes: number;
}

/**
 * What memory may grow by along its line. A heap that is collected when it is full wanders by tens of MiB, and a line through such a wandering slopes a little. The
 * bound is the same however long the load was: in half an hour, with some hundred thousand calls, it is a matter of a few hundred bytes for each.
 */
const BOUND_BYTES = 32 * 1024 * 1024;

/** After the first quarter, in which V8's heap and SQLite's caches grow to the size that the load asks for. */
export function memoryTrends(samples: readonly Sample[]): Trend[] {
  const settled = samples.slice(Math.floor(samples.length / 4));
  const seconds = (settled.at(-1)?.at ?? 0) - (settled[0]?.at ?? 0);
  const trend = (what: string, of: (sample: Sample) => number): Trend => {
    const bytesPerSecond = slope(settled.map((sample) => [sample.at, of(sample)] as const));
    return { what, bytesPerSecond, grownBytes: bytesPerSecond * seconds, boundBytes: BOUND_BYTES };
  };
  return [trend('RSS', ({ rssBytes }) => rssBytes), trend('heap in use', ({ heapBytes }) => heapBytes)];
}
