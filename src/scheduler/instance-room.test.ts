import { describe, expect, it } from 'vitest';
import type { FunctionVersion } from '../schemas/function.ts';
import type { FunctionInstances } from './function-instances.ts';
import type { Instance } from './instance.ts';
import { InstanceRoom, type RoomMemory } from './instance-room.ts';

const MIB = 1024 * 1024;

/** A function as the room sees it: instances, a wish for more, and an ear. */
class Holder {
  readonly instances = new Set<Instance>();
  readonly toldToGo: Instance[] = [];
  readonly version: FunctionVersion;
  wantsRoom = true;
  readonly #room: InstanceRoom;

  constructor(room: InstanceRoom, functionName: string) {
    this.#room = room;
    this.version = { functionName, number: 1, minIdleMs: 0, maxIdleMs: null, reserved: 0 } as unknown as FunctionVersion;
    room.configure(this.self);
  }

  get self(): FunctionInstances {
    return this as unknown as FunctionInstances;
  }

  /** Takes a room if there is one. */
  start(): boolean {
    if (!this.#room.take(this.self)) return false;
    const instance = {
      id: `${this.version.functionName}-${this.instances.size}`,
      version: this.version,
      bootMs: 10,
      initMs: 10,
    } as unknown as Instance;
    Object.assign(instance, { retire: () => this.toldToGo.push(instance) });
    this.instances.add(instance);
    this.#room.started(instance);
    this.#room.ready(instance);
    this.#room.used(instance);
    return true;
  }

  idle(): void {
    for (const instance of this.instances) this.#room.idle(instance);
  }

  stop(instance: Instance): void {
    this.instances.delete(instance);
    this.#room.giveBack(instance);
  }

  onRoom(): void {
    this.start();
  }
}

function open(maxInstances: number, pressure: () => number = () => 0) {
  const memory: RoomMemory = {
    add: () => undefined,
    remove: () => undefined,
    forget: () => undefined,
    pressure,
    bytesOf: () => MIB,
    estimate: () => MIB,
  };
  return new InstanceRoom({ maxInstances, idleMs: 60_000 }, memory);
}

function fill(room: InstanceRoom, name: string, count: number): Holder {
  const holder = new Holder(room, name);
  for (let n = 0; n < count; n++) holder.start();
  return holder;
}

describe('InstanceRoom', () => {
  it('makes one idle instance go for each function that wants room, and serves all of them', () => {
    const room = open(4);
    const rich = fill(room, 'rich', 4);
    rich.idle();
    const [x, y] = [new Holder(room, 'x'), new Holder(room, 'y')];
    expect([x.start(), y.start()]).toEqual([false, false]);
    expect(rich.toldToGo.length).toBe(2);
    for (const instance of rich.toldToGo) rich.stop(instance);
    expect([x.instances.size, y.instances.size, room.taken]).toEqual([1, 1, 4]);
  });

  it('asks a function with more than its share for as many instances as are wanted, and never for the last one', () => {
    const room = open(8);
    const big = fill(room, 'big', 8);
    const small = new Holder(room, 'small');
    expect(small.start()).toBe(false);
    const asked = [...big.instances].filter((instance) => room.mustGive(big.self, instance, 2));
    expect(asked.length).toBe(1);
    big.stop(asked[0] as Instance);
    expect(small.instances.size).toBe(1);
    const lonely = open(1);
    const only = fill(lonely, 'only', 1);
    new Holder(lonely, 'other').start();
    expect(lonely.mustGive(only.self, [...only.instances][0] as Instance, 2)).toBe(false);
  });

  it('asks nobody for room that is not wanted any more', () => {
    const room = open(4);
    const big = fill(room, 'big', 4);
    const gone = new Holder(room, 'gone');
    gone.start();
    gone.wantsRoom = false;
    expect([...big.instances].some((instance) => room.mustGive(big.self, instance, 2))).toBe(false);
  });

  it('makes idle instances go while memory is short, as many as it takes and no more, and starts none meanwhile but for functions without any', () => {
    let short = 3 * MIB;
    const room = open(100, () => short);
    const held = new Holder(room, 'held');
    expect(held.start()).toBe(true);
    expect(held.start()).toBe(false);
    short = 0;
    for (let n = 0; n < 9; n++) held.start();
    held.idle();
    short = 3 * MIB;
    room.sweep();
    room.sweep();
    expect(held.toldToGo.length).toBe(3);
  });

  it('knows versions of one name and number apart', () => {
    const room = open(10);
    const before = fill(room, 'f', 1);
    const after = fill(room, 'f', 1);
    after.idle();
    room.forget(before.self);
    expect(room.take(after.self)).toBe(true);
    room.measured([...after.instances][0]?.id as string, MIB);
    expect(() => room.idle([...after.instances][0] as Instance)).not.toThrow();
  });
});
