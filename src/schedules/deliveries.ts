import { HearthError } from '../errors.ts';
import { DEFAULT_PRIORITY, type DurableInvocations, isOver } from '../queue/durable-invocations.ts';
import type { InvocationDetail, InvocationPayload } from '../queue/durable-queue.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import type { FiringRecord, ScheduleNotice } from '../schemas/schedule.ts';
import { firingPayload, noticePayload } from './payload.ts';
import type { FiringOutcome } from './settle-firing.ts';
import { Tasks } from './tasks.ts';
import type { Waits } from './waits.ts';

/** The queue as schedules see it. */
export type Invocations = Pick<DurableInvocations, 'accept' | 'get' | 'watch' | 'cancel'>;

export interface DeliveryParts {
  invocations: Invocations;
  /** The current version of any function. */
  current(functionName: string): FunctionVersion | undefined;
  waits: Waits;
  now: () => number;
  /** The invocation of a firing is over. Must not throw. */
  onOver(firing: FiringRecord, outcome: FiringOutcome): void;
  /** The invocation that tells is in the queue, or never will be. Must not throw. */
  onTold(notice: ScheduleNotice): void;
  log: { warn(fields: object, message: string): void };
}

/** One whose invocation is in the queue. */
interface Tracked {
  firing: FiringRecord;
  unwatch: () => void;
  checking: Promise<void> | null;
  again: boolean;
}

type AcceptEnd = 'accepted' | 'no_function' | 'unwanted' | 'stopped';

/** Milliseconds until the next try, when the queue takes nothing. */
const RETRY_MS = [200, 1000, 5000, 15_000, 60_000];

/**
 * Gets firings and notices into the queue, and tells what came of firings. What is to be delivered is on the disk under the id that its invocation gets, so a
 * crash before or after acceptance neither loses nor doubles it: whoever recovers asks the queue for the id first.
 */
export class Deliveries {
  readonly #parts: DeliveryParts;
  readonly #tracked = new Map<string, Tracked>();
  /** Ids of firings on their way to the queue that are not wanted any more. */
  readonly #unwanted = new Set<string>();
  readonly #underWay = new Set<string>();
  /** Ids of firings that the queue is asked for. */
  readonly #recovering = new Set<string>();
  readonly #tasks: Tasks;
  #stopped = false;

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
    this.#tasks = new Tasks((error) => {
      if (!this.#stopped) parts.log.warn({ err: error }, 'what came of a firing could not be read; it is looked at again within a minute');
    });
  }

  /**
   * Of another process, which may have accepted it or not. Resolves once the queue has said so.
   * @throws HearthError store_unavailable
   */
  async recover(firing: FiringRecord): Promise<void> {
    this.#recovering.add(firing.id);
    const detail = await this.#parts.invocations.get(firing.id).finally(() => this.#recovering.delete(firing.id));
    if (this.#stopped) return;
    const outcome = detail && outcomeOf(detail, this.#parts.now());
    if (outcome) this.#parts.onOver(firing, outcome);
    else if (detail) this.#track(firing);
    else this.deliver(firing);
  }

  /** Whether it is seen to. */
  has(id: string): boolean {
    return this.#tracked.has(id) || this.#underWay.has(id) || this.#recovering.has(id);
  }

  /** Nothing happens when it is seen to already. */
  deliver(firing: FiringRecord): void {
    const { id, functionName } = firing;
    if (this.has(id)) return;
    const over = (state: 'lost' | 'cancelled', reason: string) => this.#parts.onOver(firing, { state, endedAt: this.#parts.now(), reason });
    this.#underWay.add(id);
    this.#tasks.run(async () => {
      const end = await this.#accept(id, functionName, firingPayload(firing), false);
      this.#underWay.delete(id);
      const unwanted = this.#unwanted.delete(id);
      if (end === 'no_function') over('lost', 'the function is gone');
      else if (end === 'unwanted') over('cancelled', 'it was cancelled before it was queued');
      else if (end === 'accepted') {
        this.#track(firing);
        if (unwanted) await this.cancel(id);
      }
    });
  }

  /** @param mayBeThere it may have been accepted before a crash */
  tell(notice: ScheduleNotice, mayBeThere: boolean): void {
    this.#tasks.run(async () => {
      const end = await this.#accept(notice.id, notice.target.name, noticePayload(notice), mayBeThere);
      if (end === 'no_function') {
        const { functionName, kind, target } = notice;
        this.#parts.log.warn(
          { function: functionName, kind, target: target.name },
          'the function that a schedule is to tell does not exist; it is not told',
        );
      }
      if (end !== 'stopped') this.#parts.onTold(notice);
    });
  }

  /** Ends it; nothing happens when it is over already. */
  async cancel(id: string): Promise<void> {
    if (this.#underWay.has(id)) {
      this.#unwanted.add(id);
      return;
    }
    try {
      await this.#parts.invocations.cancel(id);
    } catch (error) {
      if (!(error instanceof HearthError && error.code === 'conflict')) throw error;
    }
    await this.check(id);
  }

  /** Looks at what is tracked, for the case that nobody told of a change. */
  sweep(): void {
    for (const id of this.#tracked.keys()) this.#tasks.run(() => this.check(id));
  }

  /** Resolves once what is over of that id has been told. */
  async check(id: string): Promise<void> {
    const tracked = this.#tracked.get(id);
    if (!tracked) return;
    tracked.again = true;
    tracked.checking ??= this.#check(tracked);
    await tracked.checking;
  }

  /** Those of a function that are not among these were settled by somebody else. */
  keep(functionName: string, open: ReadonlyMap<string, FiringRecord>): void {
    const others = [...this.#tracked.values()].filter(({ firing }) => firing.functionName === functionName && !open.has(firing.id));
    this.drop(others.map(({ firing }) => firing.id));
  }

  /** Of a function that is gone. */
  drop(ids: Iterable<string>): void {
    for (const id of ids) {
      this.#tracked.get(id)?.unwatch();
      this.#tracked.delete(id);
    }
  }

  /** Hands nothing more to the queue. */
  stop(): void {
    this.#stopped = true;
  }

  /** Resolves once nothing is under way. */
  async close(): Promise<void> {
    this.stop();
    this.drop([...this.#tracked.keys()]);
    await this.#tasks.idle();
  }

  async #check(tracked: Tracked): Promise<void> {
    const { id } = tracked.firing;
    try {
      while (tracked.again && this.#tracked.get(id) === tracked) {
        tracked.again = false;
        const outcome = outcomeOf(await this.#parts.invocations.get(id), this.#parts.now());
        if (!outcome || this.#tracked.get(id) !== tracked) continue;
        this.#tracked.delete(id);
        tracked.unwatch();
        this.#parts.onOver(tracked.firing, outcome);
      }
    } finally {
      // In the same turn as the last look at `again`.
      tracked.checking = null;
    }
  }

  async #accept(id: string, functionName: string, payload: InvocationPayload, mayBeThere: boolean): Promise<AcceptEnd> {
    const { invocations, current, waits, log } = this.#parts;
    for (let tries = 0; !this.#stopped; tries++) {
      try {
        if ((mayBeThere || tries > 0) && (await invocations.get(id))) return 'accepted';
        if (this.#unwanted.has(id)) return 'unwanted';
        const version = current(functionName);
        if (!version) return 'no_function';
        // The key makes a second acceptance a repetition even where an id alone would not. No caller has a key that begins with a blank.
        const idempotencyKey = ` schedule ${id}`;
        await invocations.accept({ version, payload, mode: 'async', delayMs: 0, priority: DEFAULT_PRIORITY, callbackUrl: null, idempotencyKey, id });
        return 'accepted';
      } catch (error) {
        if (this.#stopped || (error instanceof HearthError && error.code === 'draining')) return 'stopped';
        if (tries === 0) log.warn({ err: error, function: functionName, id }, 'the queue did not take what a schedule fired; it is tried again');
        await waits.for(RETRY_MS[Math.min(tries, RETRY_MS.length - 1)] as number);
      }
    }
    return 'stopped';
  }

  #track(firing: FiringRecord): void {
    const { id } = firing;
    if (this.#stopped || this.#tracked.has(id)) return;
    const check = () => this.#tasks.run(() => this.check(id));
    this.#tracked.set(id, { firing, unwatch: this.#parts.invocations.watch(id, check), checking: null, again: false });
    // It may have been over before anybody watched.
    check();
  }
}

/** Undefined while it isn't over. */
function outcomeOf(detail: InvocationDetail | undefined, now: number): FiringOutcome | undefined {
  if (!detail) return { state: 'lost', endedAt: now, reason: 'its record was deleted' };
  const { state, endedAt, errorMessage } = detail;
  if (!isOver(state) || state === 'queued' || state === 'running') return undefined;
  return { state, endedAt: endedAt ?? now, reason: errorMessage };
}
