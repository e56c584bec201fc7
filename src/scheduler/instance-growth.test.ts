import { describe, expect, it } from 'vitest';
import { InstanceGrowth } from './instance-growth.ts';

const line = (uncovered: number, instances: number, concurrency = 1) => ({ uncovered, instances, concurrency });

describe('the growth of a function', () => {
  it('begins with one instance, however many wait', () => {
    expect(new InstanceGrowth(4, () => true).atOnce(line(100, 0), false)).toBe(1);
  });

  it('gives those who wait for long runs instances of their own at once, as long as cores are idle', () => {
    let idle = true;
    const growth = new InstanceGrowth(2, () => idle);
    growth.started(60);
    growth.ran(500);
    expect(growth.atOnce(line(7, 3), false)).toBe(7);
    expect(growth.atOnce(line(7, 3, 4), false)).toBe(2);
    idle = false;
    expect(growth.atOnce(line(7, 3), false)).toBe(0);
  });

  it('has short runs wait for those that are there', () => {
    const growth = new InstanceGrowth(2, () => true);
    growth.ran(5);
    expect(growth.atOnce(line(7, 1), false)).toBe(0);
  });

  it('starts another for a head that one of its kind waits for', () => {
    expect(new InstanceGrowth(1, () => false).atOnce(line(1, 1), true)).toBe(1);
  });

  it('of a line that lasts goes up to the number of cores: by one while its head has waited for less than a start', () => {
    const growth = new InstanceGrowth(4, () => false);
    expect(growth.later(line(9, 1), growth.startMs - 1, 1000)).toBe(1);
    expect(growth.later(line(9, 1), growth.startMs, 1000)).toBe(3);
    expect(growth.later(line(9, 4), growth.startMs - 1, 1000)).toBe(0);
    expect(growth.later(line(9, 6), growth.startMs - 1, 1000)).toBe(0);
  });

  it('beyond the number of cores doubles when they are idle, and not again before that shows', () => {
    const growth = new InstanceGrowth(2, () => true);
    expect(growth.later(line(100, 4), 500, 1000)).toBe(4);
    expect(growth.later(line(100, 8), 500, 1100)).toBe(0);
    expect(growth.later(line(100, 8), 500, 1300)).toBe(8);
    expect(growth.later(line(3, 16), 500, 1600)).toBe(3);
  });

  it('with all cores busy is by one for a head that has waited for a second', () => {
    const growth = new InstanceGrowth(2, () => false);
    expect(growth.later(line(100, 2), 900, 1000)).toBe(0);
    expect(growth.later(line(100, 2), 1001, 1000)).toBe(1);
  });

  it('knows what its version before had measured', () => {
    const before = new InstanceGrowth(2, () => true);
    before.started(1060);
    before.ran(40);
    before.ran(90);
    const growth = new InstanceGrowth(2, () => true, before);
    expect([growth.startMs, growth.runMs, growth.recheckMs]).toEqual([260, 50, 260]);
    expect(growth.expectedWaitMs(10, 5)).toBe(100);
    expect(growth.expectedWaitMs(10, 0)).toBe(500);
    expect(new InstanceGrowth(2, () => true).expectedWaitMs(10, 5)).toBe(0);
  });
});
