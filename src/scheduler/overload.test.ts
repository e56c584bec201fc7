import { describe, expect, it } from 'vitest';
import { OverloadDetector } from './overload.ts';

describe('OverloadDetector', () => {
  it('lets a burst pass, however long its line', () => {
    const detector = new OverloadDetector(100);
    detector.left(900, 20, 0);
    expect(detector.refuses(5000, 20, 900)).toBe(false);
    detector.left(50, 20, 950);
    expect(detector.refuses(5000, 20, 3000)).toBe(false);
  });

  it('refuses those who would wait too long once nobody waited for little during a second, until somebody does', () => {
    const detector = new OverloadDetector(100);
    for (let now = 0; now <= 1200; now += 100) detector.left(150, 20, now);
    expect(detector.refuses(101, 20, 1200)).toBe(true);
    expect(detector.refuses(99, 20, 1200)).toBe(false);
    detector.left(100, 20, 1300);
    expect(detector.refuses(5000, 20, 1300)).toBe(false);
  });

  it('accepts waits in proportion to what is waited for', () => {
    const detector = new OverloadDetector(100);
    expect(detector.targetMs(300)).toBe(600);
    expect(detector.targetMs(1)).toBe(100);
    expect(detector.targetMs(Number.NaN)).toBe(100);
  });

  it('forgets when the line empties', () => {
    const detector = new OverloadDetector(100);
    detector.left(500, 20, 0);
    detector.emptied();
    expect(detector.refuses(5000, 20, 2000)).toBe(false);
  });
});
