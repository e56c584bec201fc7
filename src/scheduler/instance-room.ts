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

  byId(id: string): Instance | undefined {
    return this.#instances.get(id);
  }

  /** @returns false when there is no room now; `onRoom` of the asker is called once there is */
  take(asker: FunctionInstances): boolean {
    const full = this.#taken >= this.#settings.maxInstances;
    // Whoever has none gets one even when memory is short: others give way, and the kernel's own limits stand behind.
    if (full || (asker.instances.size > 0 && this.#relieve())) {
      this.#hungry.add(asker);
      if (full && this.#leaving.size === 0) this.#retire(this.#keepAlive.victims(1, performance.now()), NEEDED);
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
  }

  /** What the function's author wants of its instances. */
  configure({ version }: FunctionInstances): void {
    const maxIdleMs = Math.max(version.minIdleMs, version.maxIdleMs ?? this.#settings.idleMs);
    this.#keepAlive.configure(keyOf(version), { minIdleMs: version.minIdleMs, maxIdleMs, reserved: version.reserved });
  }

  started(instance: Instance): void {
    this.#instances.set(instance.id, instance);
  }

  ready(instance: Instance): void {
    this.#memory.add(instance, keyOf(instance.version));
  }

  used(instance: Instance): void {
    this.#keepAlive.used(keyOf(instance.version), instance.id, performance.now());
  }

  idle(instance: Instance): void {
    const functionKey = keyOf(instance.version);
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
  mustGive(holder: FunctionInstances, sharers: number): boolean {
    const poorest = this.#poorestHungry();
    if (!poorest || poorest === holder) return false;
    const share = Math.max(1, this.#settings.maxInstances / sharers);
    return holder.instances.size > share && holder.instances.size > poorest.instances.size + 1;
  }

  /** Every second or so: who was idle for too long goes, and who must for memory's sake. */
  sweep(): void {
    this.#retire(this.#keepAlive.expired(performance.now()), 'it was idle for too long');
    this.#relieve();
  }

  /** Nothing is left of a version. */
  forget(functionInstances: FunctionInstances): void {
    const key = keyOf(functionInstances.version);
    this.#hungry.delete(functionInstances);
    this.#keepAlive.forget(key);
    this.#memory.forget(key);
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
    for (const candidate of this.#hungry) if (!poorest || candidate.instances.size < poorest.instances.size) poorest = candidate;
    return poorest;
  }
}

function keyOf(version: FunctionVersion): string {
  return `${version.functionName}@${version.number}`;
}
