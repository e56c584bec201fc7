import { IndexedHeap } from '../scheduler/indexed-heap.ts';
import type { SetTimer } from './waits.ts';

/** The clock is looked at so often at least: it may be set, and the machine may sleep, which no timer tells. Far below the 2^31 - 1 ms that timers hold. */
const LOOK_MS = 60_000;

/** What is due when, under one timer. */
export class DueTimer {
  readonly #heap = new IndexedHeap<string>();
  readonly #clock: () => number;
  readonly #setTimer: SetTimer;
  readonly #onLook: () => void;
  #callOff: (() => void) | null = null;
  #wakeAt = Number.POSITIVE_INFINITY;
  #running = false;

  /** @param onLook something is due, or the clock is to be looked at; the timer is set again by `arm` */
  constructor(clock: () => number, setTimer: SetTimer, onLook: () => void) {
    this.#clock = clock;
    this.#setTimer = setTimer;
    this.#onLook = onLook;
  }

  start(): void {
    this.#running = true;
    this.arm();
  }

  stop(): void {
    this.#running = false;
    this.#callOff?.();
    this.#callOff = null;
  }

  set(name: string, dueAt: number): void {
    this.#heap.set(name, dueAt);
    if (dueAt < this.#wakeAt && this.#callOff) this.arm();
  }

  delete(name: string): void {
    this.#heap.delete(name);
  }

  /** Takes out what is due, `limit` at most, the longest due first. */
  take(limit: number): string[] {
    const now = this.#clock();
    const due: string[] = [];
    for (let top = this.#heap.peek(); top !== undefined && due.length < limit; top = this.#heap.peek()) {
      if ((this.#heap.keyOf(top) as number) > now) break;
      this.#heap.delete(top);
      due.push(top);
    }
    return due;
  }

  /** Sets the timer for what is due next. */
  arm(): void {
    this.#callOff?.();
    this.#callOff = null;
    if (!this.#running) return;
    const now = this.#clock();
    const top = this.#heap.peek();
    this.#wakeAt = Math.min(top === undefined ? Number.POSITIVE_INFINITY : (this.#heap.keyOf(top) as number), now + LOOK_MS);
    this.#callOff = this.#setTimer(
      () => {
        this.#callOff = null;
        this.#onLook();
      },
      Math.max(0, this.#wakeAt - now),
    );
  }
}
