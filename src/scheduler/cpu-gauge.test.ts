import { describe, expect, it } from 'vitest';
import { CpuGauge, parseProcStat, readCpuTimes } from './cpu-gauge.ts';

describe('CpuGauge', () => {
  it('tells the idle share between two readings, and holds nothing back when it can not read', async () => {
    const readings = [
      { idle: 100, total: 1000 },
      { idle: 110, total: 1100 },
      { idle: 200, total: 1190 },
    ];
    const gauge = new CpuGauge(async () => {
      const next = readings.shift();
      if (!next) throw new Error('gone');
      return next;
    });
    expect(gauge.idleShare).toBe(1);
    await gauge.tick();
    await gauge.tick();
    expect(gauge.idleShare).toBeCloseTo(0.1);
    await gauge.tick();
    expect(gauge.idleShare).toBeCloseTo(1);
    await gauge.tick();
    expect(gauge.idleShare).toBe(1);
    gauge.close();
  });

  it('reads the first line of /proc/stat, counting waits for a disk as idle and guests once', () => {
    expect(parseProcStat('cpu  10 1 5 100 4 2 3 1 9 9\ncpu0 1 1 1 1\n')).toEqual({ idle: 104, total: 126 });
  });

  it('reads this machine', async () => {
    const { idle, total } = await readCpuTimes();
    expect(total).toBeGreaterThan(idle);
  });
});
