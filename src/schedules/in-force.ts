import { HearthError } from '../errors.ts';
import { type CronKey, parseEventKey } from '../router/event-key.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import type { FiringRecord, ScheduleChange, SchedulePolicy, ScheduleRecord } from '../schemas/schedule.ts';
import { CronReader, type CronTimes } from './cron.ts';
import { newSchedule } from './cursor.ts';
import type { DueTimer } from './due-timer.ts';
import type { Changed, ScheduleBook, ScheduleView } from './schedule-book.ts';

export interface ScheduleStatus {
  version: FunctionVersion;
  policy: SchedulePolicy;
  record: ScheduleRecord;
  /** Firings that are queued or running. */
  open: readonly FiringRecord[];
}

/** What a change is decided on. */
export interface Deciding extends ScheduleView {
  record: ScheduleRecord;
  version: FunctionVersion;
  policy: SchedulePolicy;
  times: CronTimes;
  /** False: `record` is a new one. */
  isKnown: boolean;
}

/** The schedules that are in force: those of current versions. Each change is followed by setting its timer anew. */
export class SchedulesInForce {
  readonly #book: ScheduleBook;
  readonly #timer: DueTimer;
  readonly #cron = new CronReader();
  readonly #versions = new Map<string, FunctionVersion>();
  /** Names that no timer is set for, until something else has happened. */
  readonly #held = new Set<string>();
  #sorted: string[] | null = null;

  constructor(book: ScheduleBook, timer: DueTimer) {
    this.#book = book;
    this.#timer = timer;
  }

  put(version: FunctionVersion): void {
    if (!this.#versions.has(version.functionName)) this.#sorted = null;
    this.#versions.set(version.functionName, version);
  }

  /** Whether there was one. */
  delete(functionName: string): boolean {
    this.#sorted = null;
    this.#held.delete(functionName);
    this.#timer.delete(functionName);
    return this.#versions.delete(functionName);
  }

  has(functionName: string): boolean {
    return this.#versions.has(functionName);
  }

  get size(): number {
    return this.#versions.size;
  }

  versions(): Iterable<FunctionVersion> {
    return this.#versions.values();
  }

  get(functionName: string): ScheduleStatus | undefined {
    const version = this.#versions.get(functionName);
    if (!version?.schedule) return undefined;
    const record = this.#book.get(functionName) ?? newSchedule(functionName, version.eventKey);
    return { version, policy: version.schedule, record, open: [...this.#book.open(functionName).values()] };
  }

  /** @throws HearthError not_found */
  find(functionName: string): ScheduleStatus {
    const status = this.get(functionName);
    if (!status) throw missing(functionName);
    return status;
  }

  /** By name, those after that one, `limit` at most. */
  list(after: string, limit: number): ScheduleStatus[] {
    this.#sorted ??= [...this.#versions.keys()].sort();
    const names = this.#sorted;
    let low = 0;
    for (let high = names.length; low < high; ) {
      const middle = (low + high) >> 1;
      if ((names[middle] as string) <= after) low = middle + 1;
      else high = middle;
    }
    return names.slice(low, low + limit).map((name) => this.find(name));
  }

  /** The next instants by the expression. */
  preview(eventKey: string, after: number, count: number): number[] {
    return this.#cron.preview(cronKeyOf(eventKey), after, count);
  }

  /** Null when the step decides on nothing, or when the schedule is not in force any more. @throws HearthError store_unavailable; what the step throws */
  async change<C extends ScheduleChange>(name: string, step: (deciding: Deciding) => C | null): Promise<Changed<C> | null> {
    const changed = await this.#book.change(name, (view) => {
      const version = this.#versions.get(name);
      if (!version?.schedule) return null;
      const times = this.#cron.times(cronKeyOf(version.eventKey));
      const record = view.record ?? newSchedule(name, version.eventKey);
      return step({ record, isKnown: view.record !== undefined, open: view.open, version, policy: version.schedule, times });
    });
    this.arm(name);
    return changed;
  }

  /** Sets its timer by what is on the disk. */
  arm(name: string): void {
    const record = this.#book.get(name);
    if (!record || record.paused || record.dueAt === null || this.#held.has(name) || !this.#versions.has(name)) this.#timer.delete(name);
    else this.#timer.set(name, record.dueAt);
  }

  /** No timer, until `release`. */
  hold(name: string): void {
    this.#held.add(name);
  }

  /** Nothing is held any more. Timers are set by changes, or by `arm`. */
  releaseAll(): void {
    this.#held.clear();
  }

  /** Whether it was held. The timer is set by the next change, or by `arm`. */
  release(name: string): boolean {
    return this.#held.delete(name);
  }
}

export function missing(functionName: string): HearthError {
  return new HearthError('not_found', `There is no schedule "${functionName}": no function of that name with an event key \`cron|…\`.`);
}

/** Of a function that is run by the clock: its registration has seen to it that the key is one. */
function cronKeyOf(eventKey: string): CronKey {
  return parseEventKey(eventKey) as CronKey;
}
