import type { FunctionVersion } from '../schemas/function.ts';
import type { FiringRecord } from '../schemas/schedule.ts';
import type { Store } from '../store/store.ts';
import { moveTo, rewind } from './cursor.ts';
import { Deliveries, type Invocations } from './deliveries.ts';
import type { DueTimer } from './due-timer.ts';
import { Firings } from './firings.ts';
import type { SchedulesInForce } from './in-force.ts';
import type { ScheduleBook } from './schedule-book.ts';
import { Tasks } from './tasks.ts';
import { type SetTimer, Waits } from './waits.ts';

export interface TermParts {
  store: Pick<Store, 'scheduleNotices' | 'deleteScheduleNotices' | 'functionState'>;
  book: ScheduleBook;
  inForce: SchedulesInForce;
  timer: DueTimer;
  invocations: Invocations;
  current(functionName: string): FunctionVersion | undefined;
  /** See Leadership. */
  alone: boolean;
  clock: () => number;
  setTimer: SetTimer;
  onFiring(firing: FiringRecord): void;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void; error(fields: object, message: string): void };
}

/** Schedules that are dealt with at a time, so that requests don't wait long for the event loop. */
const BATCH = 25;
/** A clock that is behind the last look by more was set back. Milliseconds. */
const SET_BACK_MS = 30_000;

/**
 * The time in which this process is the one that fires: from `begin` to `stop`, after which nothing of it writes a firing down or brings one to the queue. What it
 * had begun then is taken up by whoever leads next.
 */
export class Term {
  readonly #parts: TermParts;
  readonly #waits: Waits;
  readonly #deliveries: Deliveries;
  readonly #firings: Firings;
  readonly #tasks: Tasks;
  #lastLook = 0;
  #stopped = false;

  constructor(parts: TermParts) {
    this.#parts = parts;
    const { store, inForce, timer, invocations, current, clock, setTimer, onFiring, log } = parts;
    this.#tasks = new Tasks((error) => {
      if (!this.#stopped) log.error({ err: error }, 'something of a schedule could not be written down');
    });
    this.#waits = new Waits(setTimer);
    this.#deliveries = new Deliveries({
      invocations,
      current,
      waits: this.#waits,
      now: clock,
      onOver: (firing, outcome) => this.#tasks.run(() => this.#firings.settle(firing, outcome)),
      onTold: (notice) => this.#tasks.run(() => store.deleteScheduleNotices([notice.id])),
      log,
    });
    this.#firings = new Firings({ inForce, deliveries: this.#deliveries, timer, waits: this.#waits, clock, onFiring, log });
  }

  /**
   * Takes up what was left by whoever fired before; resolves once the queue has said what became of those firings.
   * @throws HearthError store_unavailable
   */
  async begin(): Promise<void> {
    const { clock, store, book, inForce, timer, alone, log } = this.#parts;
    const now = clock();
    this.#lastLook = now;
    inForce.releaseAll();
    const begun: FiringRecord[] = [];
    const late: string[] = [];
    const fresh = new Map<string, number>();
    for (const version of inForce.versions()) {
      const { functionName, eventKey, createdAt } = version;
      begun.push(...book.open(functionName).values());
      const record = book.get(functionName);
      if (record?.eventKey !== eventKey) {
        if (alone) this.#firings.wasDown(functionName);
        // One that the last process had no time to write down begins with its version.
        fresh.set(functionName, record ? now : Math.min(now, createdAt));
      } else if (record.dueAt !== null && record.dueAt <= now) {
        // Of several nodes another one may have fired until a moment ago: how late it is tells then whether it was missed.
        if (alone) this.#firings.wasDown(functionName);
        late.push(functionName);
      } else inForce.arm(functionName);
    }
    for (const name of book.names()) if (!inForce.has(name)) this.#tasks.run(() => this.#removeUnscheduled(name));
    await this.#inBatches(begun, (firing) => this.#deliveries.recover(firing));
    for (const notice of await store.scheduleNotices()) this.#deliveries.tell(notice, true);
    if (this.#stopped) return;
    if (inForce.size > 0) log.info({ schedules: inForce.size, late: late.length }, 'schedules are in force');
    this.#tasks.run(async () => {
      if (!alone) for (const version of [...inForce.versions()]) await this.#cancelReplaced(version.functionName);
      await this.#setBack(now, (name) => (book.get(name)?.lastAt ?? inForce.get(name)?.version.createdAt ?? now) > now);
      await this.#inBatches([...fresh.keys()], async (name) => {
        await this.#adopt(name, fresh.get(name) as number);
        await this.#firings.fire(name);
      });
      await this.#inBatches(late, (name) => this.#firings.fire(name));
    });
    timer.start();
  }

  /** Another version is current. */
  put(functionName: string): void {
    this.#tasks.run(async () => {
      await this.#adopt(functionName, this.#parts.clock());
      // Firings that another node has written down before the function was in service here.
      if (!this.#parts.alone) await this.#follow(functionName);
    });
  }

  /** The function is not run by the clock any more. */
  remove(functionName: string): void {
    this.#tasks.run(() => this.#parts.book.remove(functionName));
  }

  /** The function is gone, or is not run by the clock any more: nobody wants to know what came of its firings. */
  drop(functionName: string): void {
    this.#deliveries.drop(this.#parts.book.open(functionName).keys());
  }

  /** Another node has changed the schedule, and the book has it. */
  follow(functionName: string): void {
    this.#tasks.run(() => this.#follow(functionName));
  }

  /** The clock is to be looked at. */
  look(): void {
    const { clock, book, timer } = this.#parts;
    const now = clock();
    const isBack = now < this.#lastLook - SET_BACK_MS;
    if (Math.floor(now / 60_000) !== Math.floor(this.#lastLook / 60_000)) this.#deliveries.sweep();
    this.#lastLook = now;
    this.#tasks.run(async () => {
      try {
        if (isBack) await this.#setBack(now, (name) => (book.get(name)?.nextAt ?? now) > now);
        for (let due = timer.take(BATCH); due.length > 0; due = this.#stopped ? [] : timer.take(BATCH)) {
          await Promise.all(due.map((name) => this.#firings.fire(name)));
        }
      } finally {
        if (!this.#stopped) timer.arm();
      }
    });
  }

  /** What is over is counted before it is said to overlap. */
  refresh(functionName: string): Promise<void> {
    return this.#firings.refresh(functionName);
  }

  /** Brings one to the queue that is written down, after what it replaces is cancelled. */
  async deliver(firing: FiringRecord, replaced: readonly string[]): Promise<void> {
    if (this.#stopped) return;
    await Promise.all(replaced.map((id) => this.#deliveries.cancel(id)));
    this.#deliveries.deliver(firing);
  }

  stop(): void {
    this.#stopped = true;
    this.#parts.timer.stop();
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

  async #follow(functionName: string): Promise<void> {
    const { book, inForce } = this.#parts;
    if (this.#stopped || !inForce.has(functionName)) return;
    const open = book.open(functionName);
    this.#deliveries.keep(functionName, open);
    await Promise.all([...open.values()].filter(({ id }) => !this.#deliveries.has(id)).map((firing) => this.#deliveries.recover(firing)));
    await this.#cancelReplaced(functionName);
    if (open.size === 0 && inForce.release(functionName) && !this.#stopped) await this.#firings.fire(functionName);
  }

  /** All but the last of those that replace one another: whoever fired that one may have had no time to cancel those before. */
  async #cancelReplaced(functionName: string): Promise<void> {
    const status = this.#parts.inForce.get(functionName);
    if (this.#stopped || status?.policy.overlap !== 'replace' || status.open.length < 2) return;
    const [, ...before] = [...status.open].sort((a, b) => b.firedAt - a.firedAt || (a.id < b.id ? 1 : -1));
    await Promise.all(before.map(({ id }) => this.#deliveries.cancel(id)));
  }

  /** Of several nodes another one may have put it in service, and this one not yet: the store knows. */
  async #removeUnscheduled(functionName: string): Promise<void> {
    const { alone, store, book } = this.#parts;
    if (!alone) {
      const state = await store.functionState(functionName);
      if (this.#stopped || !state || state.current.schedule !== null) return;
    }
    await book.remove(functionName);
  }

  /** Puts the cursor where the current version wants it. @param base a new expression's instants count after that one */
  async #adopt(functionName: string, base: number): Promise<void> {
    await this.#parts.inForce.change(functionName, ({ record, isKnown, version: { eventKey }, policy, times }) => {
      if (this.#stopped) return null;
      const stays = isKnown && record.eventKey === eventKey;
      const next = moveTo({ ...record, eventKey }, stays ? record.nextAt : times.next(base), times, policy);
      return stays && next.dueAt === record.dueAt ? null : { schedule: next, firings: [], notices: [] };
    });
  }

  /** The clock may be behind what has been fired. @param isAhead tells without reckoning for which schedules that may be so */
  async #setBack(now: number, isAhead: (name: string) => boolean): Promise<void> {
    await this.#inBatches(this.#parts.book.names().filter(isAhead), async (name) => {
      await this.#parts.inForce.change(name, ({ record, policy, times }) => {
        const schedule = this.#stopped ? undefined : rewind(record, times, policy, now);
        return schedule ? { schedule, firings: [], notices: [] } : null;
      });
    });
  }

  async #inBatches<T>(items: readonly T[], task: (item: T) => Promise<void>): Promise<void> {
    for (let index = 0; index < items.length && !this.#stopped; index += BATCH) await Promise.all(items.slice(index, index + BATCH).map(task));
  }
}
