import { Cron, CronPattern } from 'croner';
import { HearthError } from '../errors.ts';
import type { CronKey } from '../router/event-key.ts';

/** When an expression comes true. Instants are milliseconds since the epoch, in whole seconds. */
export interface CronTimes {
  /** The first instant after that one; null: none is left before the year 3000. */
  next(after: number): number | null;
  /** At most `count` instants before that one, the latest first. */
  before(instant: number, count: number): number[];
  /** Seconds, minutes and hours are all plain numbers, lists or ranges: it names times of the day rather than an interval. */
  readonly isFixedTime: boolean;
}

/**
 * Lists and ranges of hours count as times of the day, as with Vixie cron: one in the hour that daylight saving leaves out runs at its end, one in the hour
 * that comes twice runs once. What has a `*` or a step is an interval: it runs through both, and leaves out what isn't there.
 */
const OPTIONS = { mode: '5-or-6-parts', fixedTimeRule: 'no-wildcard' } as const;

const FIELDS = ['second', 'minute', 'hour', 'day of month', 'month', 'day of week'] as const;
const NICKNAME = /^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$/i;
/** As the IANA database has them; no offsets, which know no daylight saving. */
const ZONE = /^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)*$/;
const UTC_NAMES: ReadonlySet<string> = new Set(['UTC', 'Etc/UTC', 'GMT', 'Etc/GMT']);
/** A parsed expression takes 80 KB, so a hundred thousand schedules can't have one each. */
const MAX_PARSED = 256;

/** Keeps the expressions that were used last. */
export class CronReader {
  readonly #parsed = new Map<string, CronTimes>();

  /** @throws HearthError invalid_request that says which field is wrong */
  times(key: CronKey): CronTimes {
    const name = `${key.timezone} ${key.expression}`;
    let times = this.#parsed.get(name);
    if (times) this.#parsed.delete(name);
    else {
      times = parse(key);
      const [oldest] = this.#parsed.size >= MAX_PARSED ? this.#parsed.keys() : [];
      if (oldest !== undefined) this.#parsed.delete(oldest);
    }
    this.#parsed.set(name, times);
    return times;
  }

  /** The next instants after that one, `count` at most. @throws HearthError invalid_request */
  preview(key: CronKey, after: number, count: number): number[] {
    const times = this.times(key);
    const found: number[] = [];
    for (let at = times.next(after); at !== null && found.length < count; at = times.next(at)) found.push(at);
    return found;
  }
}

function parse({ expression, timezone }: CronKey): CronTimes {
  checkZone(timezone);
  checkFields(expression);
  // An offset of nothing is reckoned with, a zone is asked of Intl, which takes ten times as long.
  const zone = UTC_NAMES.has(timezone) ? { utcOffset: 0 } : { timezone };
  const cron = new Cron(expression, { ...OPTIONS, ...zone });
  const { isFixedTime } = new CronPattern(expression, undefined, OPTIONS);
  return {
    next: (after) => cron.nextRun(new Date(after))?.getTime() ?? null,
    before: (instant, count) => cron.previousRuns(count, new Date(instant)).map((date) => date.getTime()),
    isFixedTime,
  };
}

function checkZone(timezone: string): void {
  try {
    if (ZONE.test(timezone)) {
      new Intl.DateTimeFormat('en-US', { timeZone: timezone });
      return;
    }
  } catch {
    // Said below, as for names that can't be one.
  }
  throw invalid(`the time zone ${quote(timezone)} is not known; write a name of the IANA database, such as TZ=Europe/Berlin.`);
}

/** The library tells what is wrong, and not always where. */
function checkFields(expression: string): void {
  if (expression.startsWith('@')) {
    if (NICKNAME.test(expression)) return;
    throw invalid(`${quote(expression)} is none of @hourly, @daily (@midnight), @weekly, @monthly and @yearly (@annually).`);
  }
  const fields = expression === '' ? [] : expression.split(' ');
  if (fields.length !== 5 && fields.length !== 6) {
    throw invalid(
      `the cron expression ${quote(expression)} has ${fields.length} fields; it takes five (minute, hour, day of month, month, day of week), or six with the second in front.`,
    );
  }
  const names = FIELDS.slice(6 - fields.length);
  for (const [index, field] of fields.entries()) {
    try {
      new CronPattern(fields.map((_, other) => (other === index ? field : '*')).join(' '), undefined, OPTIONS);
    } catch (cause) {
      throw invalid(`the field ${names[index]} of the cron expression is ${quote(field)}, which can not be read: ${reasonOf(cause as Error)}`, cause);
    }
  }
}

function reasonOf({ message }: Error): string {
  const text = message.replace(/^CronPattern: (Syntax error, )?/, '').replace(/ \(supported range.*$/, '');
  if (/^configuration entry \d/.test(text)) return 'it has characters that mean nothing here.';
  if (/^configuration entry/.test(text)) return 'a part of it is empty.';
  // Days and months are counted from 0 in there.
  if (/^Invalid value for/.test(text)) return 'a value in it is out of range.';
  return text.endsWith('.') ? text : `${text}.`;
}

function invalid(message: string, cause?: unknown): HearthError {
  return new HearthError('invalid_request', `event_type: ${message}`, { extra: { errors: [{ field: 'event_type', message }] }, cause });
}

function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text);
}
