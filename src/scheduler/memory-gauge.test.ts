import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { HostMemory } from './host-memory.ts';
import { MemoryGauge, type MemoryGaugeSettings } from './memory-gauge.ts';
import { MemoryLedger } from './memory-ledger.ts';

const MB = 1024 * 1024;
const PLENTY: HostMemory = { totalBytes: 1000 * MB, availableBytes: 900 * MB, group: null, stallPercent: 0 };

const gauges: MemoryGauge[] = [];
afterEach(async () => {
  await Promise.all(gauges.splice(0).map((gauge) => gauge.close()));
});

function makeGauge(settings: Partial<MemoryGaugeSettings> = {}) {
  const host = { now: PLENTY as HostMemory | Error };
  const measured: string[] = [];
  const warnings: string[] = [];
  const gauge = new MemoryGauge({
    readHost: async () => {
      if (host.now instanceof Error) throw host.now;
      return host.now;
    },
    settings: {
      budgetBytes: 100 * MB,
      headroomShare: 0.1,
      maxStallPercent: 10,
      stallShare: 0.25,
      intervalMs: 5,
      perTick: 2,
      guessBytes: 10 * MB,
      ...settings,
    },
    onMeasured: (id) => measured.push(id),
    log: { warn: (_, message) => warnings.push(message) },
  });
  gauges.push(gauge);
  return { gauge, host, measured, warnings };
}

function sandbox(id: string, bytes: number) {
  return { id, stats: async () => ({ pssBytes: bytes, processes: 1 }) };
}

describe('measuring', () => {
  test('a few are measured each tick, in turn, until all were', async () => {
    const { gauge, measured } = makeGauge();
    for (const id of ['a', 'b', 'c', 'd', 'e']) gauge.add(sandbox(id, MB), 'v1');
    await gauge.tick();
    expect(measured).toHaveLength(2);
    await gauge.tick();
    await gauge.tick();
    expect(new Set(measured)).toEqual(new Set(['a', 'b', 'c', 'd', 'e']));
    expect(gauge.totalBytes).toBe(5 * MB);
  });

  test('a version of which none was measured comes before its turn', async () => {
    const { gauge, measured } = makeGauge({ perTick: 1 });
    for (const id of ['a', 'b', 'c']) gauge.add(sandbox(id, MB), 'v1');
    await gauge.tick();
    gauge.add(sandbox('new', 7 * MB), 'v2');
    await gauge.tick();
    expect(measured).toEqual(['a', 'new']);
    expect(gauge.estimate('v2')).toBe(7 * MB);
  });

  test("what was not measured is reckoned with its version's mean, else that of all, else a guess", async () => {
    const { gauge } = makeGauge({ perTick: 1 });
    gauge.add(sandbox('a', 4 * MB), 'v1');
    expect(gauge.bytesOf('a')).toBe(10 * MB);
    await gauge.tick();
    gauge.add(sandbox('b', 4 * MB), 'v1');
    gauge.add(sandbox('c', 4 * MB), 'v2');
    expect([gauge.bytesOf('a'), gauge.bytesOf('b'), gauge.bytesOf('c'), gauge.bytesOf('d')]).toEqual([4 * MB, 4 * MB, 4 * MB, undefined]);
    expect(gauge.totalBytes).toBe(12 * MB);
  });

  test('one that died or could not be looked into leaves its estimate, and the others are measured', async () => {
    const { gauge, measured } = makeGauge({ perTick: 3 });
    gauge.add({ id: 'dead', stats: () => Promise.reject(new Error('it has ended')) }, 'v1');
    gauge.add(sandbox('hidden', 0), 'v1');
    gauge.add(sandbox('a', 3 * MB), 'v1');
    await gauge.tick();
    expect(measured).toEqual(['a']);
    expect(gauge.totalBytes).toBe(9 * MB);
  });

  test('one that was removed while it was measured is not counted', async () => {
    const { gauge, measured } = makeGauge();
    let finish: (() => void) | undefined;
    gauge.add({ id: 'slow', stats: () => new Promise((resolve) => (finish = () => resolve({ pssBytes: MB, processes: 1 }))) }, 'v1');
    const ticking = gauge.tick();
    gauge.remove('slow');
    finish?.();
    await ticking;
    expect([gauge.totalBytes, measured]).toEqual([0, []]);
  });

  test('a measurement that hangs does not keep the machine from being watched', async () => {
    const { gauge, host } = makeGauge();
    let finish: (() => void) | undefined;
    gauge.add({ id: 'slow', stats: () => new Promise((resolve) => (finish = () => resolve({ pssBytes: MB, processes: 1 }))) }, 'v1');
    const first = gauge.tick();
    await new Promise((resolve) => setImmediate(resolve));
    host.now = { ...PLENTY, availableBytes: 40 * MB };
    const second = gauge.tick();
    await expect.poll(() => gauge.pressure()).toBe(60 * MB);
    finish?.();
    await Promise.all([first, second]);
  });

  test('the timer measures until the gauge is closed', async () => {
    const { gauge, measured } = makeGauge();
    gauge.add(sandbox('a', MB), 'v1');
    gauge.start();
    await expect.poll(() => measured.length).toBeGreaterThan(1);
    await gauge.close();
    const count = measured.length;
    await gauge.tick();
    expect(measured).toHaveLength(count);
  });
});

describe('pressure', () => {
  test('there is none within the budget, and beyond it what is beyond', () => {
    const { gauge } = makeGauge();
    for (let index = 0; index < 10; index++) gauge.add(sandbox(`s${index}`, MB), 'v1');
    expect(gauge.pressure()).toBe(0);
    gauge.add(sandbox('one more', MB), 'v1');
    expect(gauge.pressure()).toBe(10 * MB);
  });

  test('the machine keeps its headroom, and what was removed since is taken off', async () => {
    const { gauge, host } = makeGauge();
    gauge.add(sandbox('a', 20 * MB), 'v1');
    host.now = { ...PLENTY, availableBytes: 70 * MB };
    await gauge.tick();
    expect(gauge.pressure()).toBe(30 * MB);
    gauge.remove('a');
    expect(gauge.pressure()).toBe(10 * MB);
    host.now = { ...PLENTY, availableBytes: 101 * MB };
    await gauge.tick();
    expect(gauge.pressure()).toBe(0);
  });

  test("what was added since the reading takes from the machine's memory", async () => {
    const { gauge, host } = makeGauge();
    host.now = { ...PLENTY, availableBytes: 110 * MB };
    await gauge.tick();
    gauge.add(sandbox('a', MB), 'v1');
    gauge.add(sandbox('b', MB), 'v1');
    expect(gauge.pressure()).toBe(10 * MB);
  });

  test('a limited group keeps its headroom', async () => {
    const { gauge, host } = makeGauge();
    host.now = { ...PLENTY, group: { limitBytes: 200 * MB, usedBytes: 195 * MB } };
    await gauge.tick();
    expect(gauge.pressure()).toBe(15 * MB);
  });

  test('while tasks stall for memory a share of all goes with each reading', async () => {
    const { gauge, host } = makeGauge({ perTick: 4 });
    for (const id of ['a', 'b', 'c', 'd']) gauge.add(sandbox(id, 8 * MB), 'v1');
    host.now = { ...PLENTY, stallPercent: 11 };
    await gauge.tick();
    expect(gauge.pressure()).toBe(8 * MB);
    gauge.remove('a');
    expect(gauge.pressure()).toBe(0);
    await gauge.tick();
    expect(gauge.pressure()).toBe(6 * MB);
  });

  test('when the machine can not be read, that is said once and the budget still holds', async () => {
    const { gauge, host, warnings } = makeGauge({ budgetBytes: MB });
    host.now = new Error('no /proc');
    gauge.add(sandbox('a', 3 * MB), 'v1');
    await gauge.tick();
    await gauge.tick();
    expect(warnings).toHaveLength(1);
    expect(gauge.pressure()).toBe(2 * MB);
  });
});

const step = fc.oneof(
  fc.record({ add: fc.nat(9), version: fc.nat(2) }),
  fc.record({ remove: fc.nat(9) }),
  fc.record({ record: fc.nat(9), bytes: fc.integer({ min: 1, max: 100 }) }),
  fc.record({ forget: fc.nat(2) }),
);

test('the sum that is kept is the sum of what each holds', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const ledger = new MemoryLedger(10);
      const alive = new Set<string>();
      for (const one of steps) {
        if ('add' in one) {
          ledger.add(`${one.add}`, `v${one.version}`);
          alive.add(`${one.add}`);
        } else if ('remove' in one) {
          const bytes = ledger.bytesOf(`${one.remove}`) ?? 0;
          expect(ledger.remove(`${one.remove}`)).toBe(bytes);
          alive.delete(`${one.remove}`);
        } else if ('record' in one) {
          ledger.record(`${one.record}`, one.bytes);
          if (alive.has(`${one.record}`)) expect(ledger.bytesOf(`${one.record}`)).toBe(one.bytes);
        } else ledger.forget(`v${one.forget}`);
        let sum = 0;
        for (const id of alive) sum += ledger.bytesOf(id) as number;
        expect(ledger.totalBytes).toBeCloseTo(sum, 6);
      }
    }),
  );
});
