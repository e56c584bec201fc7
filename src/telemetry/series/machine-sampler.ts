import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { InstanceState } from '../../schemas/records.ts';
import { GAUGES, PEAKS, SLOT } from './counts.ts';
import { TIERS, type Timeline } from './timeline.ts';

/** What the platform's parts show by themselves. */
export interface MachineReadings {
  /** Of every instance that is there. */
  instanceStates(): Iterable<InstanceState>;
  /** Bytes that they hold. */
  memoryBytes(): number;
  /** Invocations that are not over, and those of them that wait for an instance. */
  invocations(): { open: number; waiting: number };
  /** Asynchronous invocations in the queue. */
  queued(): Promise<number>;
}

/** Milliseconds between two looks of the event loop at the clock. */
const LAG_RESOLUTION = 20;
const STEP_MS = TIERS[0].stepMs;

/**
 * Reads the gauges once in each step of the finest tier, in its middle: a timer that is late by less than half a step misses none. A step without a sample is
 * one in which the platform did not run (or hung), which is how the series tell that from nothing having been called.
 */
export class MachineSampler {
  readonly #line: Timeline;
  readonly #read: MachineReadings;
  readonly #clock: () => number;
  readonly #lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION });
  #timer: NodeJS.Timeout | undefined;

  /** @param clock milliseconds since the epoch */
  constructor(line: Timeline, read: MachineReadings, clock: () => number) {
    this.#line = line;
    this.#read = read;
    this.#clock = clock;
  }

  start(): void {
    this.#lag.enable();
    this.#schedule();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#lag.disable();
  }

  #schedule(): void {
    const intoStep = this.#clock() % STEP_MS;
    const untilMiddle = STEP_MS / 2 - intoStep;
    this.#timer = setTimeout(() => void this.#sample(), untilMiddle > 0 ? untilMiddle : untilMiddle + STEP_MS);
  }

  async #sample(): Promise<void> {
    this.#schedule();
    // A queue that can't say is said to be empty here; that it is broken is seen elsewhere.
    const queued = await this.#read.queued().catch(() => 0);
    const counts = this.#line.at(this.#clock());
    const add = (gauge: (typeof GAUGES)[number], value: number): void => {
      const slot = SLOT.gauges + GAUGES.indexOf(gauge);
      counts[slot] = (counts[slot] as number) + value;
    };
    const peak = (gauge: (typeof PEAKS)[number], value: number): void => {
      const slot = SLOT.peaks + PEAKS.indexOf(gauge);
      counts[slot] = Math.max(counts[slot] as number, value);
    };
    counts[SLOT.samples] = (counts[SLOT.samples] as number) + 1;
    for (const state of this.#read.instanceStates()) if (state !== 'stopped') add(state, 1);
    const memoryBytes = this.#read.memoryBytes();
    const { open, waiting } = this.#read.invocations();
    add('memory_bytes', memoryBytes);
    peak('memory_bytes', memoryBytes);
    add('open', open);
    add('waiting', waiting);
    peak('waiting', waiting);
    add('queued', queued);
    add('lag_p50_us', late(this.#lag.percentile(50)));
    add('lag_p99_us', late(this.#lag.percentile(99)));
    peak('lag_max_us', late(this.#lag.max));
    this.#lag.reset();
  }
}

/** Microseconds by which the loop came later than it meant to; the histogram has the whole time between two looks, in nanoseconds. */
function late(nanoseconds: number): number {
  // Without any look since the reset, as after a suspension, it has no such number.
  return Number.isFinite(nanoseconds) ? Math.max(0, Math.round(nanoseconds / 1000 - LAG_RESOLUTION * 1000)) : 0;
}
