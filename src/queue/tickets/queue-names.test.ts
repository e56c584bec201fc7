import { describe, expect, it } from 'vitest';
import { QueueNames } from './queue-names.ts';

describe('the names of queues of tickets', () => {
  const names = new QueueNames('hearth');

  it('lead back to the lane', () => {
    for (const functionName of ['echo', 'a.b-c_D', 'dead', '@', 'ä/ö%41', 'x'.repeat(128)]) {
      const lane = { functionName, versionNumber: 123_456 };
      expect(names.of(lane)).toMatch(/^hearth\.[\w.%@-]+@123456$/);
      expect(names.laneOf(names.of(lane))).toEqual(lane);
    }
    expect(() => names.of({ functionName: 'ä'.repeat(128), versionNumber: 1 })).toThrow(RangeError);
  });

  it.each(['hearth.dead', 'hearth.@1', 'hearth.a@', 'hearth.a@0', 'hearth.a@1x', 'hearth.a@b@1', 'hearth.%zz@1', 'other.a@1', 'a@1', ''])(
    'are told from others: %s',
    (name) => expect(names.laneOf(name)).toBe(null),
  );

  it.each(['', 'amq.x', 'a/b', 'a@b', 'x'.repeat(65)])('begin with nothing odd: %s', (prefix) => {
    expect(() => new QueueNames(prefix)).toThrow(RangeError);
  });
});
