import type { Labels, Sample } from './metric.ts';

/** Upper bounds of buckets in seconds, growing about twofold: from what a warm call takes (0.1 ms) to the longest deadline in use. */
const DURATION_BUCKETS: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];

/** Counts durations in buckets. An observation is two additions and a search of a few steps. */
export class Histogram {
  /** Of each bucket alone; the last is for what is above all bounds. */
  readonly #counts = new Float64Array(DURATION_BUCKETS.length + 1);
  #sum = 0;

  observe(seconds: number): void {
    let bucket = 0;
    while (bucket < DURATION_BUCKETS.length && seconds > (DURATION_BUCKETS[bucket] as number)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += seconds;
  }

  /** What another one counted is counted here too. */
  add(other: Histogram): void {
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      this.#counts[bucket] = (this.#counts[bucket] as number) + (other.#counts[bucket] as number);
    }
    this.#sum += other.#sum;
  }

  /** As Prometheus has it: buckets cumulate. */
  *samples(name: string, labels: Labels): Iterable<Sample> {
    let total = 0;
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      total += this.#counts[bucket] as number;
      const bound = DURATION_BUCKETS[bucket];
      yield { metricName: `${name}_bucket`, labels: { ...labels, le: bound === undefined ? '+Inf' : String(bound) }, value: total };
    }
    yield { metricName: `${name}_sum`, labels, value: this.#sum };
    yield { metricName: `${name}_count`, labels, value: total };
  }
}
