import { describe, expect, test } from 'vitest';
import { HearthError } from '../errors.ts';
import { type CronKey, parseEventKey } from '../router/event-key.ts';
import { CronReader } from './cron.ts';

const reader = new CronReader();
const key = (text: string) => parseEventKey(`cron|${text}`) as CronKey;

/** The next instants after one, as the zone's own clock shows them. */
function next(text: string, after: string, count: number): string[] {
  return reader.preview(key(text), Date.parse(after), count).map((at) => new Date(at).toISOString().replace('.000Z', 'Z'));
}

describe('an expression', () => {
  test('has five fields, or six with the second in front', () => {
    expect(next('*/5 * * * *', '2026-01-01T00:00:00Z', 2)).toEqual(['2026-01-01T00:05:00Z', '2026-01-01T00:10:00Z']);
    expect(next('*/20 * * * * *', '2026-01-01T00:00:00.001Z', 4)).toEqual([
      '2026-01-01T00:00:20Z',
      '2026-01-01T00:00:40Z',
      '2026-01-01T00:01:00Z',
      '2026-01-01T00:01:20Z',
    ]);
  });

  test('knows names, ranges, lists, steps and words', () => {
    expect(next('0 9-17/4 * JAN,MAR MON-FRI', '2026-01-30T12:00:00Z', 3)).toEqual([
      '2026-01-30T13:00:00Z',
      '2026-01-30T17:00:00Z',
      '2026-03-02T09:00:00Z',
    ]);
    expect(next('@hourly', '2026-01-01T00:30:00Z', 1)).toEqual(['2026-01-01T01:00:00Z']);
    expect(next('@Weekly', '2026-01-01T00:30:00Z', 1)).toEqual(['2026-01-04T00:00:00Z']);
    expect(next('0 0 L * *', '2026-02-01T00:00:00Z', 1)).toEqual(['2026-02-28T00:00:00Z']);
  });

  test('finds the leap day, past a century that has none', () => {
    expect(next('0 0 29 2 *', '2026-01-01T00:00:00Z', 2)).toEqual(['2028-02-29T00:00:00Z', '2032-02-29T00:00:00Z']);
    expect(next('0 0 29 2 *', '2096-03-01T00:00:00Z', 1)).toEqual(['2104-02-29T00:00:00Z']);
  });

  test('tells what was before an instant, the latest first', () => {
    const times = reader.times(key('*/5 * * * *'));
    const at = Date.parse('2026-01-01T00:10:00Z');
    expect(times.before(at, 2)).toEqual([at - 300_000, at - 600_000]);
    expect(times.before(at + 1, 2)).toEqual([at, at - 300_000]);
  });

  test('never comes true on a day that does not exist', () => {
    expect(reader.times(key('0 0 30 2 *')).next(0)).toBeNull();
  });
});

describe('daylight saving time', () => {
  test.for([
    // Europe/Berlin: 29 March 2026, 02:00 → 03:00 (01:00 UTC); 25 October 2026, 03:00 → 02:00 (01:00 UTC).
    [
      'a time of the day that is left out comes at the end of the gap',
      'TZ=Europe/Berlin 30 2 * * *',
      '2026-03-28T12:00:00Z',
      ['2026-03-29T01:00:00Z', '2026-03-30T00:30:00Z'],
    ],
    ['so do several, once', 'TZ=Europe/Berlin 15,45 2 * * *', '2026-03-28T12:00:00Z', ['2026-03-29T01:00:00Z', '2026-03-30T00:15:00Z']],
    ['and one of a list of hours', 'TZ=Europe/Berlin 30 2,14 * * *', '2026-03-28T18:00:00Z', ['2026-03-29T01:00:00Z', '2026-03-29T12:30:00Z']],
    [
      'an interval leaves the gap out',
      'TZ=Europe/Berlin */30 * * * *',
      '2026-03-29T00:00:00Z',
      ['2026-03-29T00:30:00Z', '2026-03-29T01:00:00Z', '2026-03-29T01:30:00Z'],
    ],
    [
      'a time of the day that comes twice is taken once',
      'TZ=Europe/Berlin 30 2 * * *',
      '2026-10-24T12:00:00Z',
      ['2026-10-25T00:30:00Z', '2026-10-26T01:30:00Z'],
    ],
    [
      'an interval goes on through both',
      'TZ=Europe/Berlin */30 * * * *',
      '2026-10-25T00:00:00Z',
      ['2026-10-25T00:30:00Z', '2026-10-25T01:00:00Z', '2026-10-25T01:30:00Z', '2026-10-25T02:00:00Z'],
    ],
    // America/New_York: 8 March 2026, 02:00 → 03:00 (07:00 UTC); 1 November 2026, 02:00 → 01:00 (06:00 UTC).
    ['New York: left out', 'TZ=America/New_York 30 2 * * *', '2026-03-07T12:00:00Z', ['2026-03-08T07:00:00Z', '2026-03-09T06:30:00Z']],
    [
      'New York: an interval',
      'TZ=America/New_York 0 * * * *',
      '2026-03-08T05:30:00Z',
      ['2026-03-08T06:00:00Z', '2026-03-08T07:00:00Z', '2026-03-08T08:00:00Z'],
    ],
    ['New York: twice', 'TZ=America/New_York 30 1 * * *', '2026-10-31T12:00:00Z', ['2026-11-01T05:30:00Z', '2026-11-02T06:30:00Z']],
    [
      'New York: an interval through both',
      'TZ=America/New_York */30 1 * * *',
      '2026-11-01T04:00:00Z',
      ['2026-11-01T05:00:00Z', '2026-11-01T05:30:00Z', '2026-11-01T06:00:00Z', '2026-11-01T06:30:00Z'],
    ],
    ['UTC has none', '30 2 * * *', '2026-03-28T12:00:00Z', ['2026-03-29T02:30:00Z', '2026-03-30T02:30:00Z']],
  ] as const)('%s', ([, text, after, expected]) => {
    expect(next(text, after, expected.length)).toEqual(expected);
  });
});

describe('what can not be read is refused, and the message says where', () => {
  test.for([
    ['61 * * * *', 'the field minute'],
    ['* 25 * * *', 'the field hour'],
    ['* * 0 * *', 'the field day of month'],
    ['* * * 13 *', 'the field month'],
    ['* * * * FOO', 'the field day of week'],
    ['99 * * * * *', 'the field second'],
    ['*/0 * * * *', 'the field minute'],
    ['5-1 * * * *', 'the field minute'],
    ['1,,2 * * * *', 'the field minute'],
    ['* * * *', '4 fields'],
    ['* * * * * * *', '7 fields'],
    ['', '0 fields'],
    ['2026-01-01T00:00:00', '1 fields'],
    ['2026-01-01T00:00:00 * * * *', 'the field minute'],
    ['@reboot', 'none of @hourly'],
    ['TZ=Europe/Nowhere * * * * *', 'the time zone "Europe/Nowhere"'],
    ['TZ=+02:00 * * * * *', 'the time zone "+02:00"'],
    ['TZ= * * * * *', 'the time zone ""'],
  ] as const)('%s: %s', ([text, words]) => {
    expect(() => reader.times(key(text))).toThrow(HearthError);
    expect(() => reader.times(key(text))).toThrow(words);
    expect(() => reader.times(key(text))).toThrow(/^event_type: /);
  });
});
