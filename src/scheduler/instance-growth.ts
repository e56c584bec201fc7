/** Before the first start has been measured. Milliseconds. */
const GUESSED_START_MS = 60;
const MIN_RECHECK_MS = 5;
/** Runs above this are long: those who wait get instances of their own without being made to wait first. Milliseconds. */
const LONG_RUN_MS = 25;
/** With all cores busy, one more is started all the same for a line whose head waits for so long. Milliseconds. */
const LONG_WAIT_MS = 1000;
/** What was started is to show in how busy the cores are before it is asked whether more would help. Milliseconds. */
const GROWTH_INTERVAL_MS = 250;
const WEIGHT = 0.2;

/** What a line looks like when it is asked how many instances more would serve it. */
export interface Line {
  /** Invocations that wait beyond what is starting already; above 0. */
  uncovered: number;
  /** Calls that one instance takes at a time. */
  concurrency: number;
  /** Instances that are there or starting. */
  instances: number;
}

/**
 * How many instances a function's waiting line is worth: one at once when there is none, and as many as are waited for when runs are known to be long, one more
 * when the head of the line is waited for by another of its kind, which holds a slot meanwhile; else when the head of the line has waited as long as a start
 * takes, or the line hasn't emptied for as long: then up to the number of cores, and beyond that twice as many each time, if the head waits and the machine has
 * idle cores. Instances that all cores are too busy for would only slow each other down, and a length of the line or a run time measured under load doesn't
 * tell that apart from functions that wait for something.
 */
export class InstanceGrowth {
  readonly #cores: number;
  readonly #hasIdleCpu: () => boolean;
  #startMs: number;
  #measured: boolean;
  #runMs: number;
  /** When it last grew to the number of cores, or beyond it. */
  #grownTick = 0;

  /** @param hasIdleCpu whether the cores have been idle enough of late for more instances to bring something @param predecessor that of the version before */
  constructor(cores: number, hasIdleCpu: () => boolean, predecessor?: InstanceGrowth) {
    this.#cores = cores;
    this.#hasIdleCpu = hasIdleCpu;
    this.#startMs = predecessor?.startMs ?? GUESSED_START_MS;
    this.#measured = predecessor?.measuredStartMs !== undefined;
    this.#runMs = predecessor?.runMs ?? Number.NaN;
  }

  /** Mean time of a start. Milliseconds. */
  get startMs(): number {
    return this.#startMs;
  }

  /** The same, without a guess: undefined before the first start. */
  get measuredStartMs(): number | undefined {
    return this.#measured ? this.#startMs : undefined;
  }

  /** Mean time of a run, in milliseconds; NaN before the first one ended. */
  get runMs(): number {
    return this.#runMs;
  }

  /** When the line is to be looked at again. Milliseconds from now. */
  get recheckMs(): number {
    return Math.max(MIN_RECHECK_MS, this.#startMs);
  }

  started(ms: number): void {
    this.#measured = true;
    this.#startMs = mean(this.#startMs, ms);
  }

  ran(ms: number): void {
    this.#runMs = mean(this.#runMs, ms);
  }

  /** How long the last of `waiting` will wait if no instance is added; unknown run times count as nothing. Milliseconds. */
  expectedWaitMs(waiting: number, slots: number): number {
    return Number.isNaN(this.#runMs) ? 0 : (waiting * this.#runMs) / Math.max(1, slots);
  }

  /** Instances to start for a line that has just become longer, or lost one that served it. @param headIsWaitedFor by another invocation of this very version */
  atOnce(line: Line, headIsWaitedFor: boolean): number {
    if (line.instances === 0 || headIsWaitedFor) return 1;
    if (this.#runMs > Math.max(this.#startMs, LONG_RUN_MS) && this.#hasIdleCpu()) return missing(line);
    return 0;
  }

  /** Instances to start for a line that is still there. @param headWaitedMs what its head has waited @param now performance.now() */
  later(line: Line, headWaitedMs: number, now: number): number {
    const growth = headWaitedMs >= this.#startMs ? this.#growth(line.instances, headWaitedMs, now) : Math.min(1, this.#cores - line.instances);
    return Math.max(0, Math.min(missing(line), growth));
  }

  #growth(instances: number, headWaitedMs: number, now: number): number {
    if (instances < this.#cores) {
      this.#grownTick = now;
      return this.#cores - instances;
    }
    if (now - this.#grownTick > GROWTH_INTERVAL_MS && this.#hasIdleCpu()) {
      this.#grownTick = now;
      return instances;
    }
    return headWaitedMs > LONG_WAIT_MS ? 1 : 0;
  }
}

function missing({ uncovered, concurrency }: Line): number {
  return Math.ceil(uncovered / concurrency);
}

/** Exponentially weighted. */
function mean(before: number, sample: number): number {
  return Number.isNaN(before) ? sample : before + WEIGHT * (sample - before);
}
