import type { Advert } from './advert.ts';

/** What a node said longer ago doesn't count. Milliseconds. */
export const FRESH_MS = 2000;
/** There and back, before it was measured. Milliseconds. */
const GUESSED_ROUND_TRIP_MS = 3;
const WEIGHT = 0.2;

/** Another node, as it is known here. */
export interface Peer {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly room: number;
  readonly load: number;
  readonly cores: number;
  /** Mean of handing over and being answered, without what the other node took for it. Milliseconds. */
  readonly roundTripMs: number;
  /** Calls of that version that its ready instances would take at once. */
  freeSlots(key: string): number;
  /** Mean time of a start of that version there; undefined: unknown. Milliseconds. */
  startMs(key: string): number | undefined;
}

/** The other nodes by what they tell of themselves, and what has been given to them since. Times are of performance.now(). */
export class Peers {
  readonly #self: string;
  readonly #known = new Map<string, Known>();

  /** @param self id of this node, whose own adverts are not listened to */
  constructor(self: string) {
    this.#self = self;
  }

  heard(advert: Advert, now: number): void {
    if (advert.id === this.#self) return;
    const known = this.#known.get(advert.id);
    if (known) known.update(advert, now);
    else this.#known.set(advert.id, new Known(advert, now));
  }

  /** Those that were heard of late. */
  fresh(now: number): Peer[] {
    const fresh: Peer[] = [];
    for (const [id, known] of this.#known) {
      if (now - known.heardAt <= FRESH_MS) fresh.push(known);
      // Kept for a while: how far it is away doesn't change with its next start.
      else if (now - known.heardAt > 60 * FRESH_MS) this.#known.delete(id);
    }
    return fresh;
  }

  /** Whether the node of that queue was heard of late. */
  isFresh(queue: string, now: number): boolean {
    for (const known of this.#known.values()) if (known.queue === queue) return now - known.heardAt <= FRESH_MS;
    return false;
  }

  /** A call was given to it, which its next advert will know of. @returns to be called when it is over: an advert that says the same as the last comes seldom */
  gave(id: string, key: string): () => void {
    return this.#known.get(id)?.gave(key) ?? (() => undefined);
  }

  /** It has answered. */
  measured(id: string, roundTripMs: number): void {
    this.#known.get(id)?.measured(roundTripMs);
  }

  /** The broker says that its queue is gone. */
  gone(queue: string): void {
    for (const known of this.#known.values()) if (known.queue === queue) known.heardAt = Number.NEGATIVE_INFINITY;
  }
}

class Known implements Peer {
  heardAt: number;
  roundTripMs = GUESSED_ROUND_TRIP_MS;
  #advert: Advert;
  #warm: Map<string, { free: number; startMs: number }>;
  #given = 0;
  readonly #givenOf = new Map<string, number>();

  constructor(advert: Advert, now: number) {
    this.#advert = advert;
    this.#warm = warmthOf(advert);
    this.heardAt = now;
  }

  update(advert: Advert, now: number): void {
    this.#advert = advert;
    this.#warm = warmthOf(advert);
    this.heardAt = now;
    this.#given = 0;
    this.#givenOf.clear();
  }

  gave(key: string): () => void {
    const of = this.#advert;
    this.#give(key, 1);
    return () => {
      if (this.#advert === of) this.#give(key, -1);
    };
  }

  #give(key: string, calls: number): void {
    this.#given += calls;
    this.#givenOf.set(key, (this.#givenOf.get(key) ?? 0) + calls);
  }

  measured(roundTripMs: number): void {
    this.roundTripMs += WEIGHT * (Math.max(0, roundTripMs) - this.roundTripMs);
  }

  get id(): string {
    return this.#advert.id;
  }

  get name(): string {
    return this.#advert.name;
  }

  get queue(): string {
    return this.#advert.queue;
  }

  get cores(): number {
    return this.#advert.cores;
  }

  get room(): number {
    return this.#advert.room;
  }

  get load(): number {
    return this.#advert.load + this.#given;
  }

  freeSlots(key: string): number {
    return (this.#warm.get(key)?.free ?? 0) - (this.#givenOf.get(key) ?? 0);
  }

  startMs(key: string): number | undefined {
    return this.#warm.get(key)?.startMs || undefined;
  }
}

function warmthOf({ warm }: Advert): Map<string, { free: number; startMs: number }> {
  return new Map(warm.map(([key, free, startMs]) => [key, { free, startMs }]));
}
