import { randomUUID } from 'node:crypto';
import type { Sandbox, SandboxDriver, SandboxSpec } from './driver.ts';

/** What sandboxes of the pool must agree in to stand for each other. */
export type SandboxKind = Omit<SandboxSpec, 'id' | 'preload'>;

export interface PoolSettings {
  /** Booted sandboxes of each kind in use, at least. 0 turns the pool off. */
  minimum: number;
  /** Booted sandboxes of all kinds together, at most. */
  maximum: number;
  /** Boots at a time. */
  refills: number;
  /** Milliseconds after which a kind that nobody asked for is given up. */
  forgetMs: number;
}

export interface PoolCounts {
  stocked: number;
  booting: number;
  hits: number;
  misses: number;
}

/** Of the rate of takes: after so long a past take counts for 1/e. Milliseconds. */
const RATE_WINDOW_MS = 5_000;
/** A refill waits for so long after a take, so that it doesn't compete with the start that took: a spawn holds up the event loop. Milliseconds. */
const REFILL_DELAY_MS = 10;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 30_000;
const GUESSED_BOOT_MS = 30;
const HEADROOM = 2;
/** Takes per millisecond below which there is time for a sandbox to import libraries before it is asked for, which takes as long as dozens of boots. */
const CALM_RATE = 0.05 / 1000;

interface Shelf {
  kind: SandboxKind;
  stocked: Sandbox[];
  booting: number;
  /** Takes per millisecond, decayed to `rateAt`. */
  rate: number;
  rateAt: number;
  /** Measured mean of a boot, milliseconds. */
  bootMs: number;
  lastAsked: number;
  failures: number;
  retryAt: number;
}

/**
 * Booted, generic sandboxes: interpreter up, no function loaded. A cold start takes one; what was taken is booted anew off the request's way. How many of a kind are
 * kept follows the rate at which they are taken: so many as are taken while one boots, twice over, within the bounds.
 */
export class SandboxPool {
  readonly #driver: Pick<SandboxDriver, 'create'>;
  readonly #settings: PoolSettings;
  readonly #log: { warn(fields: object, message: string): void };
  readonly #shelves = new Map<string, Shelf>();
  #booting = 0;
  #hits = 0;
  #misses = 0;
  #closed = false;
  #timer: NodeJS.Timeout | null = null;
  /** performance.now() of when the timer fires. */
  #due = 0;
  readonly #boots = new Set<Promise<void>>();

  constructor(driver: Pick<SandboxDriver, 'create'>, settings: PoolSettings, log: { warn(fields: object, message: string): void }) {
    this.#driver = driver;
    this.#settings = settings;
    this.#log = log;
  }

  get counts(): PoolCounts {
    let stocked = 0;
    for (const shelf of this.#shelves.values()) stocked += shelf.stocked.length;
    return { stocked, booting: this.#booting, hits: this.#hits, misses: this.#misses };
  }

  /** What is stocked of each kind. */
  get stockedByKind(): { kind: SandboxKind; stocked: number }[] {
    return [...this.#shelves.values()].map(({ kind, stocked }) => ({ kind, stocked: stocked.length }));
  }

  /** Names a kind that will be asked for, so that the first cold start finds one. */
  stock(kind: SandboxKind): void {
    if (this.#settings.minimum === 0 || this.#closed) return;
    this.#shelf(kind).lastAsked = performance.now();
    this.#refillSoon(0);
  }

  /** A booted sandbox, now; undefined when there is none: then make one with the driver. */
  take(kind: SandboxKind): Sandbox | undefined {
    if (this.#settings.minimum === 0 || this.#closed) return undefined;
    const shelf = this.#shelf(kind);
    const now = performance.now();
    shelf.lastAsked = now;
    shelf.rate = rateAt(shelf, now) + 1 / RATE_WINDOW_MS;
    shelf.rateAt = now;
    const sandbox = shelf.stocked.pop();
    if (sandbox) shelf.failures = 0;
    if (sandbox) this.#hits++;
    else this.#misses++;
    this.#refillSoon(REFILL_DELAY_MS);
    return sandbox;
  }

  /** Ends what is stocked, and waits for what boots. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    const ending = [...this.#shelves.values()].flatMap((shelf) => shelf.stocked);
    this.#shelves.clear();
    for (const sandbox of ending) sandbox.kill();
    await Promise.allSettled([...this.#boots, ...ending.map((sandbox) => sandbox.exited)]);
  }

  #shelf(kind: SandboxKind): Shelf {
    const key = JSON.stringify([kind.runtime, kind.supervised, kind.layers, kind.network, kind.tmpBytes, kind.memoryBytes]);
    let shelf = this.#shelves.get(key);
    if (!shelf) {
      shelf = {
        kind,
        stocked: [],
        booting: 0,
        rate: 0,
        rateAt: performance.now(),
        bootMs: GUESSED_BOOT_MS,
        lastAsked: performance.now(),
        failures: 0,
        retryAt: 0,
      };
      this.#shelves.set(key, shelf);
    }
    return shelf;
  }

  #refillSoon(delayMs: number): void {
    if (this.#closed) return;
    const due = performance.now() + delayMs;
    if (this.#timer) {
      if (this.#due <= due) return;
      clearTimeout(this.#timer);
    }
    this.#due = due;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#refill();
    }, delayMs);
    this.#timer.unref();
  }

  #refill(): void {
    const now = performance.now();
    for (const [key, shelf] of this.#shelves) if (now - shelf.lastAsked > this.#settings.forgetMs) this.#forget(key, shelf);
    let earliest = Number.POSITIVE_INFINITY;
    let { stocked } = this.counts;
    // The kinds that are asked for most are served first when there is not room for all.
    for (const shelf of [...this.#shelves.values()].sort((a, b) => rateAt(b, now) - rateAt(a, now))) {
      const target = this.#target(shelf, now);
      while (shelf.stocked.length + shelf.booting < target && stocked + this.#booting < this.#settings.maximum) {
        if (now < shelf.retryAt) {
          earliest = Math.min(earliest, shelf.retryAt - now);
          break;
        }
        if (this.#booting >= this.#settings.refills) return;
        this.#boot(shelf, false);
      }
      while (shelf.stocked.length > Math.max(target, this.#settings.minimum) + 1) {
        // The rate has fallen: more are kept than will be needed.
        shelf.stocked.shift()?.kill();
        stocked--;
      }
      this.#tradeUp(shelf);
    }
    if (Number.isFinite(earliest)) this.#refillSoon(earliest);
    else if (this.#shelves.size > 0) this.#refillSoon(RATE_WINDOW_MS);
  }

  #isCalm(shelf: Shelf): boolean {
    return rateAt(shelf, performance.now()) < CALM_RATE;
  }

  /** In calm, one that has no libraries in memory makes way for one that has; it stays until that is there. */
  #tradeUp(shelf: Shelf): void {
    if (shelf.booting > 0 || shelf.failures > 0 || this.#booting >= this.#settings.refills || !this.#isCalm(shelf)) return;
    if (shelf.stocked.some(({ preloaded }) => !preloaded)) this.#boot(shelf, true);
  }

  #target(shelf: Shelf, now: number): number {
    return Math.max(this.#settings.minimum, Math.ceil(rateAt(shelf, now) * shelf.bootMs * HEADROOM));
  }

  #boot(shelf: Shelf, preload: boolean): void {
    shelf.booting++;
    this.#booting++;
    const started = performance.now();
    const boot = this.#driver
      .create({ ...shelf.kind, id: randomUUID(), preload })
      .then(
        (sandbox) => {
          if (!preload) shelf.bootMs += 0.2 * (performance.now() - started - shelf.bootMs);
          this.#shelve(shelf, sandbox);
        },
        (error: unknown) => {
          shelf.retryAt = performance.now() + Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** shelf.failures);
          if (shelf.failures++ === 0)
            this.#log.warn({ err: error }, 'a sandbox for the pool could not be booted; it is tried again, ever more rarely');
        },
      )
      .finally(() => {
        shelf.booting--;
        this.#booting--;
        this.#boots.delete(boot);
        this.#refillSoon(0);
      });
    this.#boots.add(boot);
  }

  #shelve(shelf: Shelf, sandbox: Sandbox): void {
    if (this.#closed || ![...this.#shelves.values()].includes(shelf)) {
      sandbox.kill();
      return;
    }
    if (sandbox.preloaded) {
      const plain = shelf.stocked.findIndex(({ preloaded }) => !preloaded);
      if (plain >= 0 && this.#isCalm(shelf)) shelf.stocked.splice(plain, 1)[0]?.kill();
    }
    shelf.stocked.push(sandbox);
    // One that dies on the shelf must not be given out.
    void sandbox.exited.then(() => {
      const at = shelf.stocked.indexOf(sandbox);
      if (at < 0) return;
      shelf.stocked.splice(at, 1);
      // One that boots only to die is as good as a boot that failed.
      shelf.retryAt = performance.now() + Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** shelf.failures++);
      this.#refillSoon(REFILL_DELAY_MS);
    });
  }

  #forget(key: string, shelf: Shelf): void {
    this.#shelves.delete(key);
    for (const sandbox of shelf.stocked.splice(0)) sandbox.kill();
  }
}

function rateAt(shelf: Shelf, now: number): number {
  return shelf.rate * Math.exp(-(now - shelf.rateAt) / RATE_WINDOW_MS);
}
