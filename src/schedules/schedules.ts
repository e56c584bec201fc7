import type { FunctionVersion } from '../schemas/function.ts';
import type { FiringRecord } from '../schemas/schedule.ts';
import type { Store } from '../store/store.ts';
import { moveTo } from './cursor.ts';
import type { Invocations } from './deliveries.ts';
import { DueTimer } from './due-timer.ts';
import { fireNow } from './fire-now.ts';
import { type Deciding, type ScheduleStatus, SchedulesInForce } from './in-force.ts';
import type { Leadership } from './leadership.ts';
import { ScheduleBook } from './schedule-book.ts';
import { Term } from './term.ts';
import type { SetTimer } from './waits.ts';

export interface ScheduleParts {
  store: Pick<
    Store,
    'schedules' | 'schedule' | 'openFirings' | 'changeSchedules' | 'deleteSchedule' | 'scheduleNotices' | 'deleteScheduleNotices' | 'functionState'
  >;
  invocations: Invocations;
  /** The current version of any function. */
  current(functionName: string): FunctionVersion | undefined;
  /** Whether this process is the one that fires. */
  leadership: Leadership;
  /** Milliseconds since the epoch, by the wall clock: what a schedule goes by, however it is set. */
  clock: () => number;
  setTimer: SetTimer;
  /** An instant was dealt with, and that is written down. */
  onFiring?(firing: FiringRecord): void;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void; error(fields: object, message: string): void };
}

/** Until what was left is tried to be taken up again, when the store is away. Milliseconds. */
const BEGIN_AGAIN_MS = 1000;

/**
 * Runs functions by the clock. The way of a firing:
 *
 *     due (DueTimer) → decided on (planFirings) → written down with the moved cursor (ScheduleBook) → in the queue (Deliveries) → counted (settleFiring)
 *
 * From the moment at which it is written down it is neither lost nor made twice: its invocation has the id that stands there, and whoever recovers asks the queue
 * for that id first. Who is to be told of failures is told by the same way.
 *
 * Of several nodes one goes that way, in a Term. The others have all schedules in force, so that they can be asked for, paused and fired by hand anywhere: what
 * is written down by any of them the one that leads brings to the queue. Should two believe that they lead, the store lets one of them write.
 */
export class Schedules {
  readonly #parts: ScheduleParts;
  readonly #book: ScheduleBook;
  readonly #timer: DueTimer;
  readonly #inForce: SchedulesInForce;
  readonly #onFiring: (firing: FiringRecord) => void;
  #term: Term | null = null;
  /** Terms that are over, and what of them is under way. */
  #past: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(parts: ScheduleParts) {
    this.#parts = parts;
    this.#onFiring = parts.onFiring ?? (() => undefined);
    this.#book = new ScheduleBook(parts.store);
    this.#timer = new DueTimer(parts.clock, parts.setTimer, () => this.#term?.look());
    this.#inForce = new SchedulesInForce(this.#book, this.#timer);
  }

  /** Another version is current. Whatever is in service is to be put before `start`. */
  put(version: FunctionVersion): void {
    const { functionName } = version;
    if (version.schedule !== null) {
      this.#inForce.put(version);
      this.#term?.put(functionName);
    } else if (this.#leave(functionName)) this.#term?.remove(functionName);
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
   * Takes up what the last process left, if nobody else can; resolves once the queue has said what became of its firings, so that nothing old is to be deleted before.
   * @throws HearthError store_unavailable
   */
  async start(): Promise<void> {
    const { leadership } = this.#parts;
    let beginning: Promise<void> = Promise.resolve();
    leadership.start({
      won: () => {
        const term = this.#newTerm();
        if (leadership.alone) beginning = term.begin();
        else void this.#beginAsNext(term);
      },
      lost: () => this.#endTerm(),
    });
    await beginning;
  }

  /**
   * Another node has written a schedule, or firings of it. Resolves once that is in force here.
   * @throws HearthError store_unavailable
   */
  async changed(functionName: string): Promise<void> {
    await this.#book.reread(functionName);
    this.#inForce.arm(functionName);
    this.#term?.follow(functionName);
  }

  /** Fires nothing more, and lets others do so. What runs is the queue's. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#endTerm();
    const closing = this.#parts.leadership.close();
    this.#past = this.#past.then(() => closing);
  }

  /** Resolves once nothing is under way. */
  async close(): Promise<void> {
    this.stop();
    await this.#past;
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
    await this.#inForce.change(functionName, (deciding) => {
      const record = this.#begun(deciding);
      if (record.paused === paused) return null;
      const { times, policy } = deciding;
      const next = { ...record, paused };
      return { schedule: paused ? next : moveTo(next, times.next(this.#parts.clock()), times, policy), firings: [], notices: [] };
    });
    return this.#inForce.find(functionName);
  }

  /** @returns the id of the invocation. @throws HearthError not_found, conflict, draining, store_unavailable, storage_full */
  async fireNow(functionName: string): Promise<string> {
    this.#inForce.find(functionName);
    const { firing, replaced } = await fireNow({
      inForce: this.#inForce,
      functionName,
      isStopped: this.#stopped,
      refresh: async () => this.#term?.refresh(functionName),
      begun: (deciding) => this.#begun(deciding),
      now: this.#parts.clock,
    });
    this.#onFiring(firing);
    // Otherwise whoever leads hears of it by the change of the schedule.
    await this.#term?.deliver(firing, replaced);
    return firing.id;
  }

  /** As it is written down by whoever comes first, which may be a node that doesn't lead. */
  #begun({ record, isKnown, times, policy }: Deciding): Deciding['record'] {
    return isKnown ? record : moveTo(record, times.next(this.#parts.clock()), times, policy);
  }

  #newTerm(): Term {
    const { store, invocations, current, leadership, clock, setTimer, log } = this.#parts;
    const { alone } = leadership;
    const term = new Term({
      ...{ book: this.#book, inForce: this.#inForce, timer: this.#timer, onFiring: this.#onFiring },
      ...{ store, invocations, current, alone, clock, setTimer, log },
    });
    this.#term = term;
    return term;
  }

  #endTerm(): void {
    const term = this.#term;
    if (!term) return;
    this.#term = null;
    term.stop();
    const closing = term.close();
    this.#past = this.#past.then(() => closing);
  }

  /** Until it has begun, or is over. Never rejects. */
  async #beginAsNext(term: Term): Promise<void> {
    const { setTimer, log } = this.#parts;
    try {
      await this.#book.load();
      if (this.#term !== term) return;
      await term.begin();
    } catch (error) {
      if (this.#term !== term) return;
      log.warn({ err: error }, 'this node is to fire schedules and can not read what was left of them; it is tried again');
      setTimer(() => {
        if (this.#term !== term) return;
        this.#endTerm();
        void this.#beginAsNext(this.#newTerm());
      }, BEGIN_AGAIN_MS);
    }
  }

  /** Whether it was in force. */
  #leave(functionName: string): boolean {
    this.#term?.drop(functionName);
    return this.#inForce.delete(functionName);
  }
}
