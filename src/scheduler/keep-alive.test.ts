import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeepAlive, type KeepAliveSettings } from './keep-alive.ts';

const MB = 1024 * 1024;
const HALF_LIFE_MS = 60_000;
const open: KeepAliveSettings = { minIdleMs: 0, maxIdleMs: Number.POSITIVE_INFINITY, reserved: 0 };

/** Runs one function's instance so many times, and leaves it idle. */
function serve(policy: KeepAlive, functionKey: string, id: string, now: number, { uses = 1, memoryBytes = MB, startCostMs = 10 } = {}): void {
  for (let use = 0; use < uses; use++) policy.used(functionKey, id, now);
  policy.idle({ id, functionKey, memoryBytes, startCostMs, idleSince: now });
}

describe('order', () => {
  test('of functions alike the one that is called more often stays', () => {
    const policy = new KeepAlive(open, HALF_LIFE_MS);
    serve(policy, 'often', 'a', 0, { uses: 5 });
    serve(policy, 'seldom', 'b', 0);
    expect(policy.victims(1, 1)).toEqual(['b']);
  });

  test('of functions alike the one that is dearer to start stays', () => {
    const policy = new KeepAlive(open, HALF_LIFE_MS);
    serve(policy, 'dear', 'a', 0, { startCostMs: 500 });
    serve(policy, 'cheap', 'b', 0);
    expect(policy.victims(1, 1)).toEqual(['b']);
  });

  test('of functions alike the one that holds less memory stays', () => {
    const policy = new KeepAlive(open, HALF_LIFE_MS);
    serve(policy, 'small', 'a', 0);
    serve(policy, 'large', 'b', 0, { memoryBytes: 50 * MB });
    expect(policy.victims(1, 1)).toEqual(['b']);
  });

  test('of one function the instance that has been idle longest goes first', () => {
    const policy = new KeepAlive(open, HALF_LIFE_MS);
    for (const [at, id] of ['a', 'b', 'c'].entries()) serve(policy, 'f', id, at);
    policy.used('f', 'a', 10);
    policy.idle({ id: 'a', functionKey: 'f', memoryBytes: MB, startCostMs: 10, idleSince: 11 });
    expect(policy.victims(3 * MB, 20)).toEqual(['b', 'c', 'a']);
  });

  test('a third idle instance goes before the only one of a function that is called half as often', () => {
    const policy = new KeepAlive(open, HALF_LIFE_MS);
    for (const id of ['a', 'b', 'c']) policy.used('many', id, 0);
    for (const id of ['a', 'b', 'c']) policy.idle({ id, functionKey: 'many', memoryBytes: MB, startCostMs: 10, idleSince: 0 });
    serve(policy, 'one', 'd', 0, { uses: 2 });
    expect(policy.victims(MB, 1)).toEqual(['a']);
  });

  test('what was called often but long ago goes before what has come since, by the clock alone', () => {
    const policy = new KeepAlive(open, Number.POSITIVE_INFINITY);
    serve(policy, 'old', 'old', 0, { uses: 100 });
    let rounds = 0;
    for (let victim = ''; victim !== 'old'; rounds++) {
      serve(policy, `new ${rounds}`, `new ${rounds}`, rounds);
      const clock = policy.clock;
      victim = policy.victims(1, rounds)[0] as string;
      expect(policy.clock).toBeGreaterThanOrEqual(clock);
      expect(rounds).toBeLessThan(1000);
    }
    expect(rounds).toBeGreaterThan(50);
  });

  test('an invocation counts half after a half-life, also when no instance was left in between', () => {
    const policy = new KeepAlive(open, HALF_LIFE_MS);
    serve(policy, 'before', 'a', 0, { uses: 8 });
    policy.gone('a');
    const now = 2 * HALF_LIFE_MS;
    // 8 have become 2, and one more.
    serve(policy, 'before', 'b', now);
    serve(policy, 'four', 'c', now, { uses: 4 });
    serve(policy, 'two', 'd', now, { uses: 2 });
    expect(policy.victims(3 * MB, now)).toEqual(['d', 'b', 'c']);
  });

  test('an instance that was measured anew is weighed anew', () => {
    const policy = new KeepAlive(open, HALF_LIFE_MS);
    serve(policy, 'f', 'a', 0);
    serve(policy, 'g', 'b', 0, { uses: 2 });
    policy.measured('b', 10 * MB);
    expect(policy.idleBytes).toBe(11 * MB);
    expect(policy.victims(1, 1)).toEqual(['b']);
  });
});

describe('protection', () => {
  test('an instance within its minimum is left, and goes after it', () => {
    const policy = new KeepAlive({ ...open, minIdleMs: 100 }, HALF_LIFE_MS);
    serve(policy, 'f', 'a', 0);
    expect(policy.victims(MB, 99)).toEqual([]);
    expect(policy.victims(MB, 100)).toEqual(['a']);
  });

  test('a minimum begins anew with each use', () => {
    const policy = new KeepAlive({ ...open, minIdleMs: 100 }, HALF_LIFE_MS);
    serve(policy, 'f', 'a', 0);
    expect(policy.victims(MB, 50)).toEqual([]);
    serve(policy, 'f', 'a', 90);
    expect(policy.victims(MB, 150)).toEqual([]);
    expect(policy.victims(MB, 190)).toEqual(['a']);
  });

  test('busy instances count towards the reserved ones', () => {
    const policy = new KeepAlive(open, HALF_LIFE_MS);
    policy.configure('f', { ...open, reserved: 2 });
    policy.used('f', 'busy', 0);
    serve(policy, 'f', 'a', 0);
    serve(policy, 'f', 'b', 1);
    expect(policy.victims(10 * MB, 5)).toEqual(['a']);
    policy.gone('busy');
    expect(policy.victims(10 * MB, 5)).toEqual([]);
    policy.configure('f', open);
    expect(policy.victims(10 * MB, 5)).toEqual(['b']);
  });

  test('what passed its maximum expires, but for the reserved ones', () => {
    const policy = new KeepAlive({ minIdleMs: 0, maxIdleMs: 100, reserved: 1 }, HALF_LIFE_MS);
    for (const [at, id] of ['a', 'b', 'c'].entries()) serve(policy, 'f', id, at * 10);
    expect(policy.expired(99)).toEqual([]);
    expect(policy.expired(100)).toEqual(['a']);
    expect(policy.expired(1000)).toEqual(['b']);
    expect(policy.idleCount).toBe(1);
    expect(policy.clock).toBe(0);
  });

  test('a shorter maximum reaches instances that are idle already', () => {
    const policy = new KeepAlive({ ...open, maxIdleMs: 1000 }, HALF_LIFE_MS);
    serve(policy, 'f', 'a', 0);
    policy.configure('f', { ...open, maxIdleMs: 10 });
    expect(policy.expired(10)).toEqual(['a']);
  });

  test('settings that contradict each other are refused', () => {
    expect(() => new KeepAlive({ minIdleMs: 2, maxIdleMs: 1, reserved: 0 }, HALF_LIFE_MS)).toThrow(/at least 2 and at most 1 ms/);
    expect(() => new KeepAlive({ ...open, reserved: Number.NaN }, HALF_LIFE_MS)).toThrow(/reserved/);
    expect(() => new KeepAlive(open, 0)).toThrow(/half-life/);
  });
});

test('nothing is known of a version that was forgotten', () => {
  const policy = new KeepAlive(open, HALF_LIFE_MS);
  serve(policy, 'f', 'a', 0);
  policy.used('f', 'b', 0);
  policy.forget('f');
  expect([policy.idleCount, policy.idleBytes]).toEqual([0, 0]);
  expect(policy.victims(MB, 1)).toEqual([]);
  policy.gone('a');
  policy.gone('b');
});

/** The same policy with everything looked at every time: what the heaps must agree with. */
class Plain {
  readonly settings = new Map<string, KeepAliveSettings>();
  readonly frequency = new Map<string, { value: number; at: number }>();
  instances: { id: string; key: string; busy: boolean; memory: number; cost: number; since: number; clock: number; order: number }[] = [];
  clock = 0;
  order = 0;

  used(key: string, id: string, now: number): void {
    const { value, at } = this.frequency.get(key) ?? { value: 0, at: now };
    this.frequency.set(key, { value: value * 2 ** (-(now - at) / HALF_LIFE_MS) + 1, at: now });
    this.gone(id);
    this.instances.push({ id, key, busy: true, memory: 0, cost: 0, since: 0, clock: 0, order: this.order++ });
  }

  idle(id: string, key: string, memory: number, cost: number, since: number): void {
    this.gone(id);
    this.instances.push({ id, key, busy: false, memory, cost, since, clock: this.clock, order: this.order++ });
  }

  gone(id: string): void {
    this.instances = this.instances.filter((instance) => instance.id !== id);
  }

  /** Each function's oldest idle instance, if it is not reserved, with its priority. */
  candidates(): { id: string; key: string; memory: number; since: number; priority: number }[] {
    return [...this.settings.keys()].flatMap((key) => {
      const all = this.instances.filter((instance) => instance.key === key);
      const oldest = all.filter((instance) => !instance.busy).sort((a, b) => a.order - b.order)[0];
      if (!oldest || all.length <= (this.settings.get(key) as KeepAliveSettings).reserved) return [];
      const share = (this.frequency.get(key)?.value ?? 0) / all.length;
      return [{ ...oldest, priority: oldest.clock + (share * oldest.cost * MB) / oldest.memory }];
    });
  }

  ripe(now: number): ReturnType<Plain['candidates']> {
    return this.candidates().filter(({ key, since }) => since + (this.settings.get(key) as KeepAliveSettings).minIdleMs <= now);
  }
}

const functionNumber = fc.nat(4);
const instanceNumber = fc.nat(3);
const operation = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('used' as const), f: functionNumber, i: instanceNumber, wait: fc.nat(50) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('idle' as const),
      f: functionNumber,
      i: instanceNumber,
      wait: fc.nat(50),
      memory: fc.integer({ min: 1, max: 64 }),
      cost: fc.integer({ min: 1, max: 1000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('gone' as const), f: functionNumber, i: instanceNumber, wait: fc.nat(50) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('measured' as const), f: functionNumber, i: instanceNumber, memory: fc.integer({ min: 1, max: 64 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('configure' as const),
      f: functionNumber,
      minIdleMs: fc.nat(100),
      beyond: fc.oneof(fc.nat(300), fc.constant(Number.POSITIVE_INFINITY)),
      reserved: fc.nat(2),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('victims' as const), memory: fc.integer({ min: 1, max: 100 }), wait: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('expired' as const), wait: fc.nat(200) }) },
);

test('whatever happens, it chooses what looking at every instance would choose', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 150 }), (operations) => {
      const policy = new KeepAlive(open, HALF_LIFE_MS);
      const plain = new Plain();
      for (let f = 0; f < 5; f++) plain.settings.set(`f${f}`, open);
      let now = 0;
      for (const step of operations) {
        if ('wait' in step) now += step.wait;
        const key = 'f' in step ? `f${step.f}` : '';
        const id = 'i' in step ? `${key}/${step.i}` : '';
        if (step.kind === 'used') {
          policy.used(key, id, now);
          plain.used(key, id, now);
        } else if (step.kind === 'idle') {
          policy.idle({ id, functionKey: key, memoryBytes: step.memory * MB, startCostMs: step.cost, idleSince: now });
          plain.idle(id, key, step.memory * MB, step.cost, now);
        } else if (step.kind === 'gone') {
          policy.gone(id);
          plain.gone(id);
        } else if (step.kind === 'measured') {
          policy.measured(id, step.memory * MB);
          for (const instance of plain.instances) if (instance.id === id && !instance.busy) instance.memory = step.memory * MB;
        } else if (step.kind === 'configure') {
          const settings = { minIdleMs: step.minIdleMs, maxIdleMs: step.minIdleMs + step.beyond, reserved: step.reserved };
          policy.configure(key, settings);
          plain.settings.set(key, settings);
        } else if (step.kind === 'victims') {
          const wanted = step.memory * MB;
          let freed = 0;
          for (const victim of policy.victims(wanted, now)) {
            // It goes on only while there is need, and takes one of the lowest priority among those it may take.
            expect(freed).toBeLessThan(wanted);
            const ripe = plain.ripe(now);
            const lowest = Math.min(...ripe.map(({ priority }) => priority));
            const chosen = ripe.find((candidate) => candidate.id === victim);
            expect(chosen?.priority).toBe(lowest);
            freed += chosen?.memory ?? 0;
            plain.clock = Math.max(plain.clock, lowest);
            plain.gone(victim);
          }
          if (freed < wanted) expect(plain.ripe(now)).toEqual([]);
          expect(policy.clock).toBe(plain.clock);
        } else {
          const due = () =>
            plain.candidates().filter((candidate) => candidate.since + (plain.settings.get(candidate.key) as KeepAliveSettings).maxIdleMs <= now);
          for (const victim of policy.expired(now)) {
            expect(due().map((candidate) => candidate.id)).toContain(victim);
            plain.gone(victim);
          }
          expect(due()).toEqual([]);
        }
        const idle = plain.instances.filter((instance) => !instance.busy);
        expect(policy.idleCount).toBe(idle.length);
        expect(policy.idleBytes).toBe(idle.reduce((sum, instance) => sum + instance.memory, 0));
      }
    }),
    { numRuns: 1000 },
  );
});
