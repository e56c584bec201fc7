import type { InvocationRecord } from '../../schemas/records.ts';
import type { SloPolicy } from '../../schemas/slo.ts';
import { OUTCOMES, type PhaseTimings, STARTS } from '../metrics/function-counts.ts';
import { isBad } from '../slo/judge-call.ts';
import { type Counts, endedSlot, SLOT } from './counts.ts';
import { latencyBucket } from './latency-buckets.ts';
import { Timeline } from './timeline.ts';

/** Of one function. */
interface Line {
  readonly timeline: Timeline;
  /** Of its latency objective, milliseconds; null: it has none. */
  thresholdMs: number | null;
}

/**
 * How calls end, over time: those of each function, and those of the whole machine. Functions that come when the bound is reached have no line of their
 * own until others are deleted; the machine's has all.
 */
export class CallSeries {
  readonly machine = new Timeline();
  readonly #maxFunctions: number;
  readonly #functions = new Map<string, Line>();

  constructor(maxFunctions: number) {
    this.#maxFunctions = maxFunctions;
  }

  /**
   * On the way of every invocation's end: additions to arrays that are there.
   * @param refused it was turned away for want of room
   */
  observe(record: InvocationRecord, timings: PhaseTimings, refused: boolean): void {
    const slot = endedSlot(OUTCOMES.indexOf(refused ? 'refused' : record.state), STARTS.indexOf(record.start ?? 'none'));
    const latency = timings.queue + timings.start + timings.init + timings.run;
    const bucket = record.start === null ? -1 : SLOT.latency + latencyBucket(latency);
    count(this.machine.at(record.endedAt), slot, bucket, timings);
    const own = this.#lineFor(record.functionName);
    if (!own) return;
    const counts = own.timeline.at(record.endedAt);
    count(counts, slot, bucket, timings);
    const bad = isBad(record, refused);
    if (bad !== null) judge(counts, bad, own.thresholdMs, latency);
  }

  /** Whether the next function to be called would have a line of its own. */
  get hasRoom(): boolean {
    return this.#functions.size < this.#maxFunctions;
  }

  /** Undefined when nothing was counted for that function alone. */
  of(functionName: string): Timeline | undefined {
    return this.#functions.get(functionName)?.timeline;
  }

  /** Every line, the machine's under an empty name. */
  *lines(): Iterable<[functionName: string, line: Timeline]> {
    yield ['', this.machine];
    for (const [name, { timeline }] of this.#functions) yield [name, timeline];
  }

  /** The one of that name, made when there is room for it; undefined when there is none. */
  lineFor(functionName: string): Timeline | undefined {
    return functionName === '' ? this.machine : this.#lineFor(functionName)?.timeline;
  }

  /** Calls that end from now on are held against what is promised of the function. One with objectives gets its line before it is called. */
  promise(functionName: string, slo: SloPolicy | null): void {
    const line = slo ? this.#lineFor(functionName) : this.#functions.get(functionName);
    if (line) line.thresholdMs = slo?.latency?.thresholdMs ?? null;
  }

  /** The function was deleted: its name makes room for another. */
  forget(functionName: string): void {
    this.#functions.delete(functionName);
  }

  #lineFor(functionName: string): Line | undefined {
    const known = this.#functions.get(functionName);
    if (known || this.#functions.size >= this.#maxFunctions) return known;
    const line: Line = { timeline: new Timeline(), thresholdMs: null };
    this.#functions.set(functionName, line);
    return line;
  }
}

/** A call that isn't bad is slow, or it is not: it is not counted twice. */
function judge(counts: Counts, bad: boolean, thresholdMs: number | null, latencyMs: number): void {
  counts[SLOT.valid] = (counts[SLOT.valid] as number) + 1;
  if (bad) counts[SLOT.bad] = (counts[SLOT.bad] as number) + 1;
  else if (thresholdMs !== null) {
    counts[SLOT.timed] = (counts[SLOT.timed] as number) + 1;
    if (latencyMs > thresholdMs) counts[SLOT.slow] = (counts[SLOT.slow] as number) + 1;
  }
}

/** @param bucket place of the latency; -1 when it did not run */
function count(counts: Counts, slot: number, bucket: number, timings: PhaseTimings): void {
  counts[slot] = (counts[slot] as number) + 1;
  if (bucket < 0) return;
  counts[bucket] = (counts[bucket] as number) + 1;
  counts[SLOT.phases] = (counts[SLOT.phases] as number) + timings.queue * 1000;
  counts[SLOT.phases + 1] = (counts[SLOT.phases + 1] as number) + timings.start * 1000;
  counts[SLOT.phases + 2] = (counts[SLOT.phases + 2] as number) + timings.init * 1000;
  counts[SLOT.phases + 3] = (counts[SLOT.phases + 3] as number) + timings.run * 1000;
}
