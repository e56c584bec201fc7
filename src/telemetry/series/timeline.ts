import { type Counts, emptyCounts, mergeInto, readCounts, SLOTS, writeCounts } from './counts.ts';

/** How finely, and how far back. */
export interface Tier {
  readonly stepMs: number;
  readonly steps: number;
}

/** The finest first; each step of one is made of whole steps of the finer ones. */
export const TIERS = [
  { stepMs: 10_000, steps: 90 },
  { stepMs: 60_000, steps: 360 },
  { stepMs: 5 * 60_000, steps: 288 },
  { stepMs: 3600_000, steps: 720 },
] as const satisfies readonly Tier[];
/** A clock that is set back by less than so many of the finest steps is waited for. */
const PATIENCE = 6;

/** Steps of one tier that are over for the finest one, as texts (`writeCounts`), by their number since the epoch. */
class Ring {
  readonly #tier: Tier;
  readonly #texts = new Map<number, string>();
  /** Of steps that are over, by how many. */
  readonly #sums = new Map<number, { last: number; end: number; counts: Counts }>();
  /** Steps that were counted in since somebody asked last. */
  #touched = new Set<number>();

  constructor(tier: Tier) {
    this.#tier = tier;
  }

  add(at: number, counts: Counts): void {
    const step = Math.floor(at / this.#tier.stepMs);
    // Counted after the step was over, or at the begin of the next.
    for (const [span, { last }] of this.#sums) if (step < last) this.#sums.delete(span);
    const before = this.#texts.get(step);
    if (before === undefined) {
      this.#texts.set(step, writeCounts(counts));
      if (this.#texts.size > this.#tier.steps) this.#evict(step);
    } else {
      const sum = counts.slice();
      readCounts(before, sum);
      this.#texts.set(step, writeCounts(sum));
    }
    this.#touched.add(step);
  }

  read(step: number, into: Counts, end: number): void {
    const text = this.#texts.get(step);
    if (text !== undefined) readCounts(text, into, end);
  }

  /**
   * Adds up steps from `first` to `last`, which is under way. Objectives ask for the same thousand steps again and again: the sum of those that are over is kept until
   * one of them changes.
   */
  sum(first: number, last: number, into: Counts, end: number): void {
    const span = last - first;
    let known = this.#sums.get(span);
    if (known?.last !== last || known.end !== end) {
      known = { last, end, counts: emptyCounts() };
      for (let step = first; step < last; step++) this.read(step, known.counts, end);
      this.#sums.set(span, known);
    }
    for (let slot = 0; slot < end; slot++) mergeInto(into, slot, known.counts[slot] as number);
    this.read(last, into, end);
  }

  /** Of another life of the platform. What has been counted since in that step stays counted. */
  restore(step: number, text: string): void {
    this.#sums.clear();
    const since = this.#texts.get(step);
    if (since === undefined) {
      this.#texts.set(step, text);
      return;
    }
    const sum = emptyCounts();
    readCounts(since, sum);
    readCounts(text, sum);
    this.#texts.set(step, writeCounts(sum));
  }

  /** As if they had been counted in since. */
  touch(step: number): void {
    this.#touched.add(step);
  }

  *takeTouched(): Iterable<{ step: number; text: string }> {
    const touched = this.#touched;
    this.#touched = new Set();
    for (const step of touched) {
      const text = this.#texts.get(step);
      if (text !== undefined) yield { step, text };
    }
  }

  #evict(newest: number): void {
    for (const step of this.#texts.keys()) {
      if (step > newest - this.#tier.steps) continue;
      this.#texts.delete(step);
      this.#touched.delete(step);
    }
  }
}

/**
 * What was counted over time, in bounded memory: the step that it is now as an array of numbers, to which counting adds; earlier ones in several tiers, the
 * farther back the coarser.
 */
export class Timeline {
  readonly #live = emptyCounts();
  /** Number of the finest step that `#live` is of. */
  #liveStep = -1;
  readonly #rings = TIERS.map((tier) => new Ring(tier));

  /** Where to count what happens now. Good for this tick. @param now milliseconds since the epoch */
  at(now: number): Counts {
    const step = Math.floor(now / TIERS[0].stepMs);
    if (step !== this.#liveStep) this.#turn(step);
    return this.#live;
  }

  /**
   * Adds what was counted in that step to `into`.
   * @param step its number since the epoch, in steps of that tier
   * @param end only places before this one
   */
  read(tier: number, step: number, into: Counts, end: number = SLOTS): void {
    (this.#rings[tier] as Ring).read(step, into, end);
    const { stepMs } = TIERS[tier] as Tier;
    if (Math.floor((this.#liveStep * TIERS[0].stepMs) / stepMs) !== step) return;
    for (let slot = 0; slot < end; slot++) mergeInto(into, slot, this.#live[slot] as number);
  }

  /** As `read`, of all steps from `first` to `last`, which is the one under way. */
  sum(tier: number, first: number, last: number, into: Counts, end: number): void {
    (this.#rings[tier] as Ring).sum(first, last, into, end);
    const { stepMs } = TIERS[tier] as Tier;
    const live = Math.floor((this.#liveStep * TIERS[0].stepMs) / stepMs);
    if (live < first || live > last) return;
    for (let slot = 0; slot < end; slot++) mergeInto(into, slot, this.#live[slot] as number);
  }

  /** What an earlier life of the platform had counted in that step. */
  restore(tier: number, step: number, text: string): void {
    (this.#rings[tier] as Ring).restore(step, text);
  }

  /** The step under way is among those that are over, and goes on. */
  settle(): void {
    if (!this.#live.some((value) => value !== 0)) return;
    for (const ring of this.#rings) ring.add(this.#liveStep * TIERS[0].stepMs, this.#live);
    this.#live.fill(0);
  }

  /** Steps of that tier that changed since this was asked last, as they are now. */
  takeTouched(tier: number): Iterable<{ step: number; text: string }> {
    return (this.#rings[tier] as Ring).takeTouched();
  }

  /** What was taken is to be taken again. */
  touch(tier: number, step: number): void {
    (this.#rings[tier] as Ring).touch(step);
  }

  #turn(step: number): void {
    if (step < this.#liveStep && step > this.#liveStep - PATIENCE) return;
    this.settle();
    this.#liveStep = step;
  }
}
