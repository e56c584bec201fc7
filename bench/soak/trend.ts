import { type Sample, slope } from './samples.ts';

/** How memory went, by the line through what it was. */
export interface Trend {
  what: string;
  /** The slope of the line, bytes per second. */
  bytesPerSecond: number;
  /** What the line says that it grew by, over the samples that it was drawn through. */
  grownBytes: number;
  /** By how much there is more of it at rest after the load than before. */
  keptBytes: number;
  boundBytes: number;
}

/**
 * What is lost is gone for good: it rises along the line, and is still there at rest. Either alone proves nothing. A heap that is collected when it is full, and
 * pages that the allocator gives back when it likes, let RSS wander by some 50 MiB in a few minutes, and a line through that slopes; and where the wandering stands
 * at a moment of rest is chance. The bound is the same however long the load was: in half an hour it is less than a KiB for each call.
 */
const BOUND_BYTES = 32 * 1024 * 1024;

/** After the first quarter, in which V8's heap and SQLite's caches grow to the size that the load asks for. */
export function memoryTrends(samples: readonly Sample[], before: Sample, after: Sample): Trend[] {
  const settled = samples.slice(Math.floor(samples.length / 4));
  const seconds = (settled.at(-1)?.at ?? 0) - (settled[0]?.at ?? 0);
  const trend = (what: string, of: (sample: Sample) => number): Trend => {
    const bytesPerSecond = slope(settled.map((sample) => [sample.at, of(sample)] as const));
    return { what, bytesPerSecond, grownBytes: bytesPerSecond * seconds, keptBytes: of(after) - of(before), boundBytes: BOUND_BYTES };
  };
  return [trend('RSS', ({ rssBytes }) => rssBytes), trend('heap in use', ({ heapBytes }) => heapBytes)];
}

/** More than the bound, by both. */
export function isLeak({ grownBytes, keptBytes, boundBytes }: Trend): boolean {
  return Math.min(grownBytes, keptBytes) > boundBytes;
}
