import type { InvocationRecord } from '../../schemas/records.ts';
import { OUTCOMES, type PhaseTimings, STARTS } from '../metrics/function-counts.ts';
import { type Counts, endedSlot, SLOT } from './counts.ts';
import { latencyBucket } from './latency-buckets.ts';
import { Timeline } from './timeline.ts';

/**
 * How calls end, over time: those of each function, and those of the whole machine. Functions that come when the bound is reached have no line of their
 * own until others are deleted; the machine's has all.
 */
export class CallSeries {
  readonly machine = new Timeline();
  readonly #maxFunctions: number;
  readonly #functions = new Map<string, Timeline>();

  constructor(maxFunctions: number) {
    this.#maxFunctions = maxFunctions;
  }

  /**
   * On the way of every invocation's end: additions to arrays that are there.
   * @param refused it was turned away for want of room
   */
  observe(record: InvocationRecord, timings: PhaseTimings, refused: boolean): void {
    const slot = endedSlot(OUTCOMES.indexOf(refused ? 'refused' : record.state), STARTS.indexOf(record.start ?? 'none'));
    const bucket = record.start === null ? -1 : SLOT.latency + latencyBucket(timings.queue + timings.start + timings.init + timings.run);
    count(this.machine.at(record.endedAt), slot, bucket, timings);
    const own = this.#lineFor(record.functionName);
    if (own) count(own.at(record.endedAt), slot, bucket, timings);
  }

  /** Whether the next function to be called would have a line of its own. */
  get hasRoom(): boolean {
    return this.#functions.size < this.#maxFunctions;
  }

  /** Undefined when nothing was counted for that function alone. */
  of(functionName: string): Timeline | undefined {
    return this.#functions.get(functionName);
  }

  /** The function was deleted: its name makes room for another. */
  forget(functionName: string): void {
    this.#functions.delete(functionName);
  }

  #lineFor(functionName: string): Timeline | undefined {
    const known = this.#functions.get(functionName);
    if (known || this.#functions.size >= this.#maxFunctions) return known;
    const line = new Timeline();
    this.#functions.set(functionName, line);
    return line;
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
