import type { InvocationRecord } from '../../schemas/records.ts';
import { FunctionCounts, type Outcome, type PhaseTimings } from './function-counts.ts';
import type { PulledMetric, Sample } from './metric.ts';

/** Functions beyond the bound are counted under this name together. */
const OTHER = '_other';

/**
 * Counts how invocations end, by function. A function that comes when the bound is reached is counted with others, as is one that was deleted: so the
 * number of lines is bounded, and totals never fall.
 */
export class InvocationMetrics {
  readonly #maxFunctions: number;
  readonly #functions = new Map<string, FunctionCounts>();
  readonly #other = new FunctionCounts();
  #otherUsed = false;

  constructor(maxFunctions: number) {
    this.#maxFunctions = maxFunctions;
  }

  /** @param refusal why it was turned away, when it was */
  observe(record: InvocationRecord, timings: PhaseTimings, refusal: string | null): void {
    this.#countsOf(record.functionName).count(record, timings, refusal);
  }

  /** The function was deleted: its name makes room for another. */
  forget(functionName: string): void {
    const counts = this.#functions.get(functionName);
    if (!counts) return;
    this.#functions.delete(functionName);
    this.#other.add(counts);
    this.#otherUsed = true;
  }

  /** Names are those of the OpenTelemetry semantic conventions for FaaS where they have one. */
  metrics(): PulledMetric[] {
    const counter = (name: string, help: string, read: (counts: FunctionCounts) => Iterable<Sample>): PulledMetric => ({
      name,
      help,
      type: 'counter',
      read: () => this.#each(read),
    });
    const phase = (name: string, help: string, member: 'queue' | 'start' | 'init' | 'run'): PulledMetric => ({
      name,
      help,
      type: 'histogram',
      read: () => this.#each((counts) => counts[member].samples(name, {})),
    });
    return [
      counter('faas_invocations_total', 'Invocations that came to their end, by outcome and start.', function* (counts) {
        for (const { outcome, start, count } of counts.ended()) yield { labels: { outcome, start }, value: count };
      }),
      counter('faas_coldstarts_total', 'Invocations that waited for an instance to be started.', (counts) => [
        total(counts, ({ start }) => start === 'cold'),
      ]),
      counter('faas_errors_total', 'Invocations that ended with an error, refused ones left out, by code.', function* (counts) {
        for (const [code, value] of counts.errors) yield { labels: { code }, value };
      }),
      counter('faas_timeouts_total', 'Invocations whose deadline passed.', (counts) => [total(counts, ({ outcome }) => outcome === 'timed_out')]),
      counter('hearth_refusals_total', 'Invocations that were refused because too many were waiting, by reason.', function* (counts) {
        for (const [reason, value] of counts.refusals) yield { labels: { reason }, value };
      }),
      phase('faas_invoke_duration_seconds', 'From giving the invocation to an instance to the head of its answer.', 'run'),
      phase('faas_init_duration_seconds', 'Loading of the function, of invocations that waited for it.', 'init'),
      phase('hearth_start_duration_seconds', 'Boot of the sandbox, of invocations that waited for it.', 'start'),
      phase('hearth_queue_duration_seconds', 'Waiting for an instance, starts left out.', 'queue'),
    ];
  }

  *#each(read: (counts: FunctionCounts) => Iterable<Sample>): Iterable<Sample> {
    for (const [name, counts] of this.#named()) {
      for (const sample of read(counts)) yield { ...sample, labels: { faas_name: name, ...sample.labels } };
    }
  }

  *#named(): Iterable<[string, FunctionCounts]> {
    yield* this.#functions;
    if (this.#otherUsed) yield [OTHER, this.#other];
  }

  #countsOf(functionName: string): FunctionCounts {
    const known = this.#functions.get(functionName);
    if (known) return known;
    if (functionName === OTHER || this.#functions.size >= this.#maxFunctions) {
      this.#otherUsed = true;
      return this.#other;
    }
    const counts = new FunctionCounts();
    this.#functions.set(functionName, counts);
    return counts;
  }
}

function total(counts: FunctionCounts, wanted: (ended: { outcome: Outcome; start: string }) => boolean): Sample {
  let value = 0;
  for (const ended of counts.ended()) if (wanted(ended)) value += ended.count;
  return { labels: {}, value };
}
