import type { FunctionVersion } from '../schemas/function.ts';
import type { FiringRecord } from '../schemas/schedule.ts';
import type { Store } from '../store/store.ts';
import { moveTo, rewind } from './cursor.ts';
import { Deliveries, type Invocations } from './deliveries.ts';
import { DueTimer } from './due-timer.ts';
import { Firings } from './firings.ts';
import { type ScheduleStatus, SchedulesInForce } from './in-force.ts';
import { ScheduleBook } from './schedule-book.ts';
import { Tasks } from './tasks.ts';
import { type SetTimer, Waits } from './waits.ts';

export interface ScheduleParts {
  store: Pick<Store, 'schedules' | 'openFirings' | 'changeSchedules' | 'deleteSchedule' | 'scheduleNotices' | 'deleteScheduleNotices'>;
  invocations: Invocations;
  /** The current version of any function. */
  current(functionName: string): FunctionVersion | undefined;
  /** Milliseconds since the epoch, by the wall clock: what a schedule goes by, however it is set. */
  clock: () => number;
  setTimer: SetTimer;
  /** An instant was dealt with, and that is written down. */
  onFiring?(firing: FiringRecord): void;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void; error(fields: object, message: string): void };
}

/** Schedules that are dealt with at a time, so that requests don't wait long for the event loop. */
const BATCH = 25;
/** A clock that is behind the last look by more was set back. Milliseconds. */
const SET_BACK_MS = 30_000;

/**
 * Runs functions by the clock. The way of a firing:
 *
 *     due (DueTimer) → decided on (planFirings) → written down with the moved cursor (ScheduleBook) → in the queue (Deliveries) → counted (settleFiring)
 *
 * From the moment at which it is written down it is neither lost nor made twice: its invocation has the id that stands there, and whoever recovers asks the queue
 * for that id first. Who is to be told of failures is told by the same way.
 */
export class Schedules {
  readonly #parts: ScheduleParts;
  readonly #book: ScheduleBook;
  readonly #timer: DueTimer;
  readonly #waits: Waits;
  readonly #inForce: SchedulesInForce;
  readonly #deliveries: Deliveries;
  readonly #firings: Firings;
  readonly #tasks: Tasks;
  #lastLook = 0;
  #started = false;
  #stopped = false;

  constructor(parts: ScheduleParts) {
    this.#parts = parts;
    const { store, invocations, current, clock, setTimer, log, onFiring = () => undefined } = parts;
    this.#tasks = new Tasks((error) => {
      if (!this.#stopped) log.error({ err: error }, 'something of a schedule could not be written down');
    });
    this.#book = new ScheduleBook(store);
    this.#timer = new DueTimer(clock, setTimer, () => this.#look());
    this.#waits = new Waits(setTimer);
    this.#inForce = new SchedulesInForce(this.#book, this.#timer);
    this.#deliveries = new Deliveries({
      invocations,
      current,
      waits: this.#waits,
      now: clock,
      onOver: (firing, outcome) => this.#tasks.run(() => this.#firings.settle(firing, outcome)),
      onTold: (notice) => this.#tasks.run(() => store.deleteScheduleNotices([notice.id])),
      log,
    });
    this.#firings = new Firings({
      inForce: this.#inForce,
      deliveries: this.#deliveries,
      timer: this.#timer,
      waits: this.#waits,
      clock,
      onFiring,
      log,
    });
  }

  /** Another version is current. Whatever is in service is to be put before `start`. */
  put(version: FunctionVersion): void {
    const { functionName } = version;
    if (version.schedule !== null) {
      this.#inForce.put(version);
      if (this.#started) this.#tasks.run(() => this.#adopt(functionName, this.#parts.clock()));
    } else if (this.#leave(functionName)) this.#tasks.run(() => this.#book.remove(functionName));
  }

  /** The function is deleted, and what the store had of its schedule with it. */
  remove(functionName: string): void {
    if (this.#leave(functionName)) this.#book.forget(functionName);
  }

  /** Reads what the store has; before anybody asks for changes. @throws HearthError store_unavailable */
  load(): Promise<void> {
    return this.#book.load();
  }

  /**
   * Takes up what the last process left; resolves once the queue has said what became of its firings, so that nothing old is to be deleted before.
   * @throws HearthError store_unavailable
   */
  async start(): Promise<void> {
    const { clock, store, log } = this.#parts;
    this.#started = true;
    const now = clock();
    this.#lastLook = now;
    const begun: FiringRecord[] = [];
    const late: string[] = [];
    const fresh = new Map<string, number>();
    for (const version of this.#inForce.versions()) {
      const { functionName, eventKey, createdAt } = version;
      begun.push(...this.#book.open(functionName).values());
      const record = this.#book.get(functionName);
      if (record?.eventKey !== eventKey) {
        this.#firings.wasDown(functionName);
        // One that the last process had no time to write down begins with its version.
        fresh.set(functionName, record ? now : Math.min(now, createdAt));
      } else if (record.dueAt !== null && record.dueAt <= now) {
        this.#firings.wasDown(functionName);
        late.push(functionName);
      } else this.#inForce.arm(functionName);
    }
    for (const name of this.#book.names()) if (!this.#inForce.has(name)) this.#tasks.run(() => this.#book.remove(name));
    await this.#inBatches(begun, (firing) => this.#deliveries.recover(firing));
    for (const notice of await store.scheduleNotices()) this.#deliveries.tell(notice, true);
    if (this.#inForce.size > 0) log.info({ schedules: this.#inForce.size, late: late.length }, 'schedules are in force');
    this.#tasks.run(async () => {
      await this.#setBack(now, (name) => (this.#book.get(name)?.lastAt ?? this.#inForce.get(name)?.version.createdAt ?? now) > now);
      await this.#inBatches([...fresh.keys()], async (name) => {
        await this.#adopt(name, fresh.get(name) as number);
        await this.#firings.fire(name);
      });
      await this.#inBatches(late, (name) => this.#firings.fire(name));
    });
    this.#timer.start();
  }

  /** Fires nothing more. What runs is the queue's. */
  stop(): void {
    this.#stopped = true;
    this.#timer.stop();
    this.#firings.stop();
    this.#deliveries.stop();
    this.#waits.end();
  }

  /** Resolves once nothing is under way. */
  async close(): Promise<void> {
    this.stop();
    await this.#deliveries.close();
    await this.#tasks.idle();
  }

  get(functionName: string): ScheduleStatus | undefined {
    return this.#inForce.get(functionName);
  }

  /** By name, those after that one, `limit` at most. */
  list(after: string, limit: number): ScheduleStatus[] {
    return this.#inForce.list(after, limit);
  }

  /** The next instants of a `cron|…` key, `count` at most. */
  preview(eventKey: string, count: number): number[] {
    return this.#inForce.preview(eventKey, this.#parts.clock(), count);
  }

  /** Instants that pass while it is paused are left out. @throws HearthError not_found, store_unavailable, storage_full */
  async setPaused(functionName: string, paused: boolean): Promise<ScheduleStatus> {
    this.#inForce.find(functionName);
    await this.#inForce.change(functionName, ({ record, policy, times }) => {
      if (record.paused === paused) return null;
      const next = { ...record, paused };
      return { schedule: paused ? next : moveTo(next, times.next(this.#parts.clock()), times, policy), firings: [], notices: [] };
    });
    return this.#inForce.find(functionName);
  }

  /** @returns the id of the invocation. @throws HearthError not_found, conflict, draining, store_unavailable, storage_full */
  fireNow(functionName: string): Promise<string> {
    return this.#firings.fireNow(functionName);
  }

  /** Whether it was in force. */
  #leave(functionName: string): boolean {
    this.#deliveries.drop(this.#book.open(functionName).keys());
    return this.#inForce.delete(functionName) && this.#started;
  }

  /** Puts the cursor where the current version wants it. @param base a new expression's instants count after that one */
  async #adopt(functionName: string, base: number): Promise<void> {
    await this.#inForce.change(functionName, ({ record, isKnown, version: { eventKey }, policy, times }) => {
      const stays = isKnown && record.eventKey === eventKey;
      const next = moveTo({ ...record, eventKey }, stays ? record.nextAt : times.next(base), times, policy);
      return stays && next.dueAt === record.dueAt ? null : { schedule: next, firings: [], notices: [] };
    });
  }

  #look(): void {
    const { clock } = this.#parts;
    const now = clock();
    const isBack = now < this.#lastLook - SET_BACK_MS;
    if (Math.floor(now / 60_000) !== Math.floor(this.#lastLook / 60_000)) this.#deliveries.sweep();
    this.#lastLook = now;
    this.#tasks.run(async () => {
      try {
        if (isBack) await this.#setBack(now, (name) => (this.#book.get(name)?.nextAt ?? now) > now);
        for (let due = this.#timer.take(BATCH); due.length > 0 && !this.#stopped; due = this.#timer.take(BATCH)) {
          await Promise.all(due.map((name) => this.#firings.fire(name)));
        }
      } finally {
        this.#timer.arm();
      }
    });
  }

  /** The clock may be behind what has been fired. @param isAhead tells without reckoning for which schedules that may be so */
  async #setBack(now: number, isAhead: (name: string) => boolean): Promise<void> {
    await this.#inBatches(this.#book.names().filter(isAhead), async (name) => {
      await this.#inForce.change(name, ({ record, policy, times }) => {
        const schedule = rewind(record, times, policy, now);
        return schedule ? { schedule, firings: [], notices: [] } : null;
      });
    });
  }

  async #inBatches<T>(items: readonly T[], task: (item: T) => Promise<void>): Promise<void> {
    for (let index = 0; index < items.length && !this.#stopped; index += BATCH) await Promise.all(items.slice(index, index + BATCH).map(task));
  }
}
