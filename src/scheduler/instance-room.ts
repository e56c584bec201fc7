import type { FunctionVersion } from '../schemas/function.ts';
import type { FunctionInstances } from './function-instances.ts';
import type { Instance } from './instance.ts';
import { KeepAlive } from './keep-alive.ts';
import type { MemoryGauge } from './memory-gauge.ts';

/** An invocation counts half in its function's frequency after so long. Milliseconds. */
const FREQUENCY_HALF_LIFE_MS = 2 * 3600_000;
const NEEDED = 'its room was needed by another function';

export interface RoomSettings {
  /** Instances at a time on this machine. */
  maxInstances: number;
  /** Milliseconds that an idle instance is kept for. */
  idleMs: number;
}

export type RoomMemory = Pick<MemoryGauge, 'add' | 'remove' | 'forget' | 'pressure' | 'bytesOf' | 'estimate'>;

/**
 * The machine's room for instances: a number of them, and their memory. Who wants one more asks; when there is none the idle instance that is worth least
 * goes (keep-alive.ts), and who asked is told once there is room. Those who have more than their share give way to those who have less.
 */
export class InstanceRoom {
  readonly #settings: RoomSettings;
  readonly #memory: RoomMemory;
  readonly #keepAlive: KeepAlive;
  readonly #instances = new Map<string, Instance>();
  readonly #hungry = new Set<FunctionInstances>();
  /** What those that are on their way out still hold. */
  readonly #leaving = new Map<string, number>();
  /** Two versions may bear one name and number, when a function was deleted and registered again: their keys differ. */
  readonly #keys = new WeakMap<FunctionVersion, string>();
  #lastKey = 0;
  #taken = 0;

  constructor(settings: RoomSettings, memory: RoomMemory) {
    this.#settings = settings;
    this.#memory = memory;
    this.#keepAlive = new KeepAlive({ minIdleMs: 0, maxIdleMs: settings.idleMs, reserved: 0 }, FREQUENCY_HALF_LIFE_MS);
  }

  /** Rooms taken, those of starting and stopping instances included. */
  get taken(): number {
    return this.#taken;
  }

  /** Instances more that could be had without another's going; none while memory is short. */
  get free(): number {
    return this.#memory.pressure() > 0 ? 0 : Math.max(0, this.#settings.maxInstances - this.#taken);
  }

  byId(id: string): Instance | undefined {
    return this.#instances.get(id);
  }

  /** @returns false when there is no room now; `onRoom` of the asker is called once there is */
  take(asker: FunctionInstances): boolean {
    const full = this.#taken >= this.#settings.maxInstances;
    // Whoever has none gets one even when memory is short: others give way, and the kernel's own limits stand behind.
    if (full || (asker.instances.size > 0 && this.#relieve())) {
      this.#hungry.add(asker);
      if (full) this.#evictForHungry();
      return false;
    }
    this.#hungry.delete(asker);
    this.#taken++;
    return true;
  }

  /** An instance is gone; its room is given to those who wait for it, who has least first. */
  giveBack(instance: Instance): void {
    this.#taken--;
    this.#instances.delete(instance.id);
    this.#leaving.delete(instance.id);
    this.#keepAlive.gone(instance.id);
    this.#memory.remove(instance.id);
    const asked = this.#hungry.size;
    for (let n = 0; n < asked && this.#taken < this.#settings.maxInstances; n++) {
      const poorest = this.#poorestHungry();
      if (!poorest) break;
      this.#hungry.delete(poorest);
      poorest.onRoom();
    }
    this.#evictForHungry();
  }

  /** What the function's author wants of its instances. */
  configure({ version }: FunctionInstances, reserved = version.reserved): void {
    this.#keys.set(version, `${version.functionName}@${version.number}/${++this.#lastKey}`);
    this.reserve(version, reserved);
  }

  /** So many of its instances are left alone from now on. */
  reserve(version: FunctionVersion, reserved: number): void {
    const maxIdleMs = Math.max(version.minIdleMs, version.maxIdleMs ?? this.#settings.idleMs);
    this.#keepAlive.configure(this.#keyOf(version), { minIdleMs: version.minIdleMs, maxIdleMs, reserved });
  }

  started(instance: Instance): void {
    this.#instances.set(instance.id, instance);
  }

  ready(instance: Instance): void {
    this.#memory.add(instance, this.#keyOf(instance.version));
  }

  used(instance: Instance): void {
    this.#keepAlive.used(this.#keyOf(instance.version), instance.id, performance.now());
  }

  idle(instance: Instance): void {
    const functionKey = this.#keyOf(instance.version);
    this.#keepAlive.idle({
      id: instance.id,
      functionKey,
      memoryBytes: this.#memory.bytesOf(instance.id) ?? this.#memory.estimate(functionKey),
      startCostMs: instance.bootMs + instance.initMs,
      idleSince: performance.now(),
    });
  }

  measured(id: string, bytes: number): void {
    this.#keepAlive.measured(id, bytes);
  }

  /**
   * Whether the instance of that function which frees up now is to go, for one that has less. Nobody's last one goes, and none for somebody who would then
   * have more.
   * @param sharers functions that have or want instances
   */
  mustGive(holder: FunctionInstances, instance: Instance, sharers: number): boolean {
    // Hardly ever is anybody hungry, and this is asked after every invocation.
    if (this.#hungry.size === 0) return false;
    const poorest = this.#poorestHungry();
    if (!poorest || poorest === holder || this.#missing() <= 0 || this.#leaving.has(instance.id)) return false;
    let staying = 0;
    for (const { id } of holder.instances) if (!this.#leaving.has(id)) staying++;
    const share = Math.max(1, this.#settings.maxInstances / sharers);
    if (staying <= share || staying <= poorest.instances.size + 1) return false;
    this.#leaving.set(instance.id, this.#memory.bytesOf(instance.id) ?? 0);
    return true;
  }

  /** Every second or so: who was idle for too long goes, and who must for memory's sake. */
  sweep(): void {
    this.#retire(this.#keepAlive.expired(performance.now()), 'it was idle for too long');
    this.#relieve();
  }

  /** Nothing is left of a version. */
  forget(functionInstances: FunctionInstances): void {
    const key = this.#keyOf(functionInstances.version);
    this.#hungry.delete(functionInstances);
    this.#keepAlive.forget(key);
    this.#memory.forget(key);
  }

  /** Rooms that are wanted and neither free nor about to be. */
  #missing(): number {
    return this.#hungry.size - this.#leaving.size - (this.#settings.maxInstances - this.#taken);
  }

  #evictForHungry(): void {
    for (let missing = this.#missing(); missing > 0; missing--) this.#retire(this.#keepAlive.victims(1, performance.now()), NEEDED);
  }

  /** Makes idle instances go while memory is short. @returns whether it is */
  #relieve(): boolean {
    const pressure = this.#memory.pressure();
    if (pressure === 0) return false;
    let leaving = 0;
    for (const bytes of this.#leaving.values()) leaving += bytes;
    if (pressure > leaving) this.#retire(this.#keepAlive.victims(pressure - leaving, performance.now()), 'memory was short');
    return true;
  }

  #retire(ids: readonly string[], reason: string): void {
    for (const id of ids) {
      this.#leaving.set(id, this.#memory.bytesOf(id) ?? 0);
      this.#instances.get(id)?.retire(reason);
    }
  }

  /** Of those that want room, the one that has least; of equals the one that has waited longest. */
  #poorestHungry(): FunctionInstances | undefined {
    let poorest: FunctionInstances | undefined;
    for (const candidate of this.#hungry) {
      // Its line has emptied since.
      if (!candidate.wantsRoom) this.#hungry.delete(candidate);
      else if (!poorest || candidate.instances.size < poorest.instances.size) poorest = candidate;
    }
    return poorest;
  }

  #keyOf(version: FunctionVersion): string {
    return this.#keys.get(version) as string;
  }
}
