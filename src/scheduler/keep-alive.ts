import { HearthError } from '../errors.ts';
import { IndexedHeap } from './indexed-heap.ts';

/** An instance that runs nothing. All times are milliseconds of one clock, the one that `now` is read from. */
export interface IdleInstance {
  /** Unique among all instances. */
  id: string;
  /** Names one function version; instances of one key are alike. */
  functionKey: string;
  /** What it holds: measured, or the estimate for its version. At least 1 is reckoned with. */
  memoryBytes: number;
  /** What starting another one in its place costs: boot and load, milliseconds. */
  startCostMs: number;
  /** When it became idle. */
  idleSince: number;
}

/** Of one function version. */
export interface KeepAliveSettings {
  /** It is not evicted before it has been idle for so long. Milliseconds. */
  minIdleMs: number;
  /** It expires once it has been idle for so long; at least `minIdleMs`, Infinity for never. Milliseconds. */
  maxIdleMs: number;
  /** So many instances, idle and busy together, are left alone by evictions and expiry. */
  reserved: number;
}

interface Resident extends IdleInstance {
  /** The policy's clock when it became idle. */
  clock: number;
}

interface FunctionState {
  readonly key: string;
  settings: KeepAliveSettings;
  /** Invocations, each worth half as much with every half-life that has passed, as of `frequencyAt`. */
  frequency: number;
  frequencyAt: number;
  /** Oldest first. */
  readonly idle: Map<string, Resident>;
  readonly busy: Set<string>;
}

/** After so many half-lives without an instance, a function's frequency is not worth remembering. */
const FORGOTTEN_HALF_LIVES = 10;
const BYTES_PER_MB = 1024 * 1024;

/**
 * Decides which idle instances live. Pure: it reads no clock, starts no timer and stops nothing; the scheduler tells it what happens and does what it says.
 *
 * Greedy-Dual-Size-Frequency, as FaasCache has it (Fuerst and Sharma, "FaasCache: Keeping Serverless Computing Alive with Greedy-Dual Caching", ASPLOS'21):
 * the instance with the lowest `clock + frequency × start cost ÷ memory` goes first, and the clock is then set to that priority, so that what has not been
 * used since falls behind whatever comes after. Two things differ from the paper. Frequencies decay, since a function that was busy this morning says little
 * about tonight; and they outlive a function's last instance, so that one which comes back is not taken for a new one. A function's
 * frequency is shared out among its instances, as its third idle instance is not needed as often as its first (compare Liu et al., "Concurrency-Informed
 * Orchestration for Serverless Functions", ASPLOS'25); bench/keep-alive has what each is worth.
 *
 * Of one function's idle instances the one that has been idle longest goes first, and must be given work last.
 *
 * How to wire it: `used` for every invocation given to an instance; `idle` each time an instance has nothing left to run, first after its start if nobody
 * waited for it; `gone` when an instance stops for whatever reason, idle or busy; `configure` for versions that differ from the defaults, `forget` when a
 * version is gone. What `victims` and `expired` return has left the policy and is the caller's to stop at once (a later `gone` does no harm); memory that is
 * still to be given back by instances on their way out must be subtracted from what `victims` is asked for, or too many go.
 *
 * Cost: heaps hold functions, not instances, keyed by lower bounds which are put right when they reach the top. So `used`, `idle` and `gone` seldom move
 * anything, O(log n) at worst in the number of functions, and each victim or expired one costs O(log n) amortised.
 */
export class KeepAlive {
  readonly #defaults: KeepAliveSettings;
  readonly #halfLifeMs: number;
  readonly #settings = new Map<string, KeepAliveSettings>();
  readonly #functions = new Map<string, FunctionState>();
  readonly #byInstance = new Map<string, FunctionState>();
  /** Functions without instances, longest first; kept for their frequency. */
  readonly #absent = new Set<FunctionState>();
  /** By a lower bound of the priority of the instance that would go next. A function with something to evict is here or among the young. */
  readonly #byPriority = new IndexedHeap<FunctionState>();
  /** Those whose oldest idle instance was found to be within its minimum, by when that ends at the soonest. */
  readonly #young = new IndexedHeap<FunctionState>();
  /** By when the oldest idle instance expires at the soonest. */
  readonly #byExpiry = new IndexedHeap<FunctionState>();
  #clock = 0;
  #idleCount = 0;
  #idleBytes = 0;

  /**
   * @param defaults for versions that are not configured
   * @param halfLifeMs after which an invocation counts half in a function's frequency; Infinity for as much as ever
   * @throws HearthError invalid_config
   */
  constructor(defaults: KeepAliveSettings, halfLifeMs: number) {
    this.#defaults = checked(defaults);
    if (!(halfLifeMs > 0)) throw new HearthError('invalid_config', `The half-life of frequencies must be above 0 ms, not ${halfLifeMs}.`);
    this.#halfLifeMs = halfLifeMs;
  }

  get idleCount(): number {
    return this.#idleCount;
  }

  /** What the idle instances hold. */
  get idleBytes(): number {
    return this.#idleBytes;
  }

  /** Priority of the last one evicted: what has a lower one now would have gone before it. */
  get clock(): number {
    return this.#clock;
  }

  /** Settings of one version; takes effect for instances that are there already. @throws HearthError invalid_config */
  configure(functionKey: string, settings: KeepAliveSettings): void {
    this.#settings.set(functionKey, checked(settings));
    const state = this.#functions.get(functionKey);
    if (!state) return;
    state.settings = settings;
    // Both may be later or sooner than before.
    this.#young.delete(state);
    this.#byExpiry.delete(state);
    this.#enlist(state);
  }

  /** The version is gone, and with it everything known of it and its instances. */
  forget(functionKey: string): void {
    this.#settings.delete(functionKey);
    const state = this.#functions.get(functionKey);
    if (!state) return;
    for (const id of [...state.busy, ...state.idle.keys()]) this.#leave(state, id);
    this.#drop(state);
  }

  /** An invocation was given to an instance: it is busy from now on, and its function's frequency rises. */
  used(functionKey: string, instanceId: string, now: number): void {
    const state = this.#functions.get(functionKey) ?? this.#add(functionKey, now);
    const elapsed = now - state.frequencyAt;
    state.frequency = (elapsed > 0 ? state.frequency * 2 ** (-elapsed / this.#halfLifeMs) : state.frequency) + 1;
    state.frequencyAt = now;
    const resident = state.idle.get(instanceId);
    if (resident) this.#removeIdle(state, resident);
    state.busy.add(instanceId);
    this.#byInstance.set(instanceId, state);
    this.#absent.delete(state);
    this.#enlist(state);
  }

  /** It runs nothing any more. Call it in the order of time. */
  idle(instance: IdleInstance): void {
    this.gone(instance.id);
    const state = this.#functions.get(instance.functionKey) ?? this.#add(instance.functionKey, instance.idleSince);
    state.idle.set(instance.id, { ...instance, memoryBytes: Math.max(1, instance.memoryBytes), clock: this.#clock });
    this.#byInstance.set(instance.id, state);
    this.#absent.delete(state);
    this.#idleCount++;
    this.#idleBytes += Math.max(1, instance.memoryBytes);
    this.#enlist(state);
  }

  /** An idle one's memory was measured anew; nothing happens for others. */
  measured(id: string, memoryBytes: number): void {
    const state = this.#byInstance.get(id);
    const resident = state?.idle.get(id);
    if (!state || !resident) return;
    const bytes = Math.max(1, memoryBytes);
    this.#idleBytes += bytes - resident.memoryBytes;
    resident.memoryBytes = bytes;
    this.#enlist(state);
  }

  /** It stopped, idle or busy. Does nothing for one that is not known. */
  gone(id: string): void {
    const state = this.#byInstance.get(id);
    if (!state) return;
    this.#leave(state, id);
    this.#enlist(state);
  }

  /**
   * Takes idle instances out, lowest priority first, until so many bytes are free or all that is left is reserved or within its minimum; so what they hold
   * may be less than asked, and is more by less than the last one's. Asked for 1 byte, it gives one instance.
   * @returns their ids, in that order
   */
  victims(bytesToFree: number, now: number): string[] {
    for (let state = this.#young.peek(); state && (this.#young.keyOf(state) as number) <= now; state = this.#young.peek()) {
      this.#young.delete(state);
      this.#enlist(state);
    }
    const ids: string[] = [];
    let freed = 0;
    while (freed < bytesToFree) {
      const state = this.#byPriority.peek();
      if (!state) break;
      const resident = oldestEvictable(state);
      if (!resident) {
        this.#byPriority.delete(state);
        continue;
      }
      const ripeAt = resident.idleSince + state.settings.minIdleMs;
      if (ripeAt > now) {
        this.#byPriority.delete(state);
        this.#young.set(state, ripeAt);
        continue;
      }
      const priority = priorityOf(state, resident);
      if (priority > (this.#byPriority.keyOf(state) as number)) {
        this.#byPriority.set(state, priority);
        continue;
      }
      this.#clock = Math.max(this.#clock, priority);
      freed += resident.memoryBytes;
      ids.push(resident.id);
      this.gone(resident.id);
    }
    return ids;
  }

  /** Takes out the idle instances that have passed their maximum and are not reserved. Forgets old frequencies too, so call it every few seconds. */
  expired(now: number): string[] {
    const ids: string[] = [];
    for (let state = this.#byExpiry.peek(); state && (this.#byExpiry.keyOf(state) as number) <= now; state = this.#byExpiry.peek()) {
      const resident = oldestEvictable(state);
      const dueAt = resident ? resident.idleSince + state.settings.maxIdleMs : Number.POSITIVE_INFINITY;
      if (!resident || dueAt > now) {
        this.#byExpiry.delete(state);
        if (resident) this.#byExpiry.set(state, dueAt);
        continue;
      }
      ids.push(resident.id);
      this.gone(resident.id);
    }
    const forgotten = now - FORGOTTEN_HALF_LIVES * this.#halfLifeMs;
    for (const state of this.#absent) {
      if (state.frequencyAt >= forgotten) break;
      this.#drop(state);
    }
    return ids;
  }

  #add(functionKey: string, now: number): FunctionState {
    const settings = this.#settings.get(functionKey) ?? this.#defaults;
    const state = { key: functionKey, settings, frequency: 0, frequencyAt: now, idle: new Map(), busy: new Set<string>() };
    this.#functions.set(functionKey, state);
    return state;
  }

  #drop(state: FunctionState): void {
    this.#functions.delete(state.key);
    this.#absent.delete(state);
    this.#byPriority.delete(state);
    this.#young.delete(state);
    this.#byExpiry.delete(state);
  }

  #leave(state: FunctionState, id: string): void {
    const resident = state.idle.get(id);
    if (resident) this.#removeIdle(state, resident);
    state.busy.delete(id);
    this.#byInstance.delete(id);
    if (state.idle.size + state.busy.size === 0) this.#absent.add(state);
  }

  #removeIdle(state: FunctionState, resident: Resident): void {
    state.idle.delete(resident.id);
    this.#idleCount--;
    this.#idleBytes -= resident.memoryBytes;
  }

  /** Keeps the heaps' promise after a change: a function with something to evict is in them, by keys that are not too high. Too low ones wait for the top. */
  #enlist(state: FunctionState): void {
    const resident = oldestEvictable(state);
    if (!resident) return;
    if (this.#young.keyOf(state) === undefined) lower(this.#byPriority, state, priorityOf(state, resident));
    if (state.settings.maxIdleMs < Number.POSITIVE_INFINITY) lower(this.#byExpiry, state, resident.idleSince + state.settings.maxIdleMs);
  }
}

function lower(heap: IndexedHeap<FunctionState>, state: FunctionState, key: number): void {
  const before = heap.keyOf(state);
  if (before === undefined || key < before) heap.set(state, key);
}

function oldestEvictable(state: FunctionState): Resident | undefined {
  if (state.idle.size + state.busy.size <= state.settings.reserved) return undefined;
  for (const resident of state.idle.values()) return resident;
  return undefined;
}

function priorityOf(state: FunctionState, resident: Resident): number {
  const share = state.frequency / (state.idle.size + state.busy.size);
  return resident.clock + (share * resident.startCostMs * BYTES_PER_MB) / resident.memoryBytes;
}

function checked(settings: KeepAliveSettings): KeepAliveSettings {
  const { minIdleMs, maxIdleMs, reserved } = settings;
  if (!(minIdleMs >= 0) || !(maxIdleMs >= minIdleMs)) {
    throw new HearthError('invalid_config', `An instance can not be kept for at least ${minIdleMs} and at most ${maxIdleMs} ms.`);
  }
  if (!(reserved >= 0)) throw new HearthError('invalid_config', `The number of reserved instances can not be ${reserved}.`);
  return settings;
}
