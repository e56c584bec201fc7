import type { LimitShare } from '../cluster/limit-share.ts';
import { HearthError, toHearthError } from '../errors.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import { Instance, type InstanceOwner, type InstanceParts } from './instance.ts';
import { InstanceGrowth, type Line } from './instance-growth.ts';
import type { Invocation } from './invocation.ts';
import { InvocationQueue } from './invocation-queue.ts';
import { type Outlook, outlookOf } from './outlook.ts';
import { OverloadDetector } from './overload.ts';
import { ShortRuns } from './short-runs.ts';
import { StartBackoff } from './start-backoff.ts';
import { surplusOf } from './surplus.ts';

/** What one function's instances need of the machine that they share with the others. */
export interface Machine {
  /** Its part of what holds for all nodes together. */
  readonly share: LimitShare;
  /** Takes room for one more instance, evicting an idle one of another function if need be; false when there is none, then `onRoom` is called once there is. */
  takeRoom(asker: FunctionInstances): boolean;
  /** Everything about an instance that has stopped is cleared. */
  giveRoom(instance: Instance): void;
  onInstanceStarted(instance: Instance): void;
  onInstanceReady(instance: Instance): void;
  /** An invocation is given to it. */
  onInstanceUsed(instance: Instance): void;
  /** It has nothing to run. */
  onInstanceIdle(instance: Instance): void;
  /** Others wait for room, and this one has more than its share: the instance that frees up is to go. */
  mustMakeRoom(holder: FunctionInstances, instance: Instance): boolean;
  /** It has waited, and is given its whole time from now on. */
  renewDeadline(invocation: Invocation): void;
  onInvocationOver(invocation: Invocation): void;
  /** Whether the cores have been idle enough of late for more instances to bring something. */
  hasIdleCpu(): boolean;
  /** Nothing is left of this version. */
  onGone(instances: FunctionInstances): void;
}

/** Between two attempts to start a reserved instance that can't be had. Milliseconds. */
const RESERVE_RETRY_MS = 1000;
/** Beyond so many instances it isn't looked for the one that has the least to do. */
const MAX_COMPARED = 16;
/** Larger bodies are not handed to instances that are busy: nobody would read them. Bytes. */
const MAX_AHEAD_BODY = 16 * 1024;

/**
 * The instances and the waiting line of one function version. One line for all: whichever frees up first, a warm instance or a starting one, takes the
 * invocation at its head.
 *
 * When it starts more instances: see InstanceGrowth. Never more are started than invocations wait beyond what is starting already.
 *
 * A function that can't be started is not tried again with every request: starts back off, and meanwhile its callers get the reason at once.
 */
export class FunctionInstances implements InstanceOwner {
  readonly version: FunctionVersion;
  readonly #parts: InstanceParts;
  readonly #machine: Machine;
  readonly #queue = new InvocationQueue();
  readonly #instances = new Set<Instance>();
  /** Ready instances with room; the one used last is at the end, so that the others grow idle. May hold some that have none any more. */
  readonly #withRoom: Instance[] = [];
  readonly #overload: OverloadDetector;
  /** Those that `renew` has taken out of service; they count as neither starting nor ready, and go when what they run is over. */
  readonly #leaving = new Set<Instance>();
  #starting = 0;
  #ready = 0;
  #retired = false;
  /** What is failed with it, once everything is. */
  #stopError: HearthError | null = null;
  #gone = false;
  /** When a run last began or ended. */
  #lastTick = 0;
  #recheckTimer: NodeJS.Timeout | null = null;
  #reserveTimer: NodeJS.Timeout | null = null;
  readonly #growth: InstanceGrowth;
  readonly #backoff = new StartBackoff();
  readonly #shortRuns = new ShortRuns();
  /** Those who wait for a ready instance without work for it. */
  #warmers: { resolve(): void; reject(error: HearthError): void }[] = [];

  constructor(parts: InstanceParts, machine: Machine, version: FunctionVersion, predecessor: FunctionInstances | undefined) {
    this.#parts = parts;
    this.#machine = machine;
    this.version = version;
    this.#overload = new OverloadDetector(parts.settings.queueTargetMs);
    this.#growth = new InstanceGrowth(parts.settings.cores, () => machine.hasIdleCpu(), predecessor ? predecessor.#growth : undefined);
  }

  get waiting(): number {
    return this.#queue.length;
  }

  get instances(): ReadonlySet<Instance> {
    return this.#instances;
  }

  /** Whether an invocation that comes now finds a ready instance. */
  get isWarm(): boolean {
    return this.#ready > 0;
  }

  /** Whether an invocation that comes now is taken by a ready instance at once. */
  get isFree(): boolean {
    if (this.#queue.length > 0) return false;
    for (let instance = this.#withRoom.at(-1); instance; instance = this.#withRoom.at(-1)) {
      if (instance.hasRoom) return true;
      instance.listed = false;
      this.#withRoom.pop();
    }
    return false;
  }

  /** Calls that ready instances would take at once. */
  get freeSlots(): number {
    if (this.#queue.length > 0) return 0;
    let free = 0;
    for (const instance of this.#instances) free += instance.freeSlots;
    return free;
  }

  /** Mean time of a start; undefined before the first. Milliseconds. */
  get startMs(): number | undefined {
    return this.#growth.measuredStartMs;
  }

  /** @param roomForOne whether the machine bears an instance more @param guessedStartMs where none has been measured */
  outlook(roomForOne: boolean, guessedStartMs: number): Outlook {
    return outlookOf({
      free: this.isFree,
      ready: this.#ready,
      starting: this.#starting,
      waiting: this.#queue.length,
      concurrency: this.version.concurrency,
      startMs: this.startMs ?? guessedStartMs,
      runMs: this.#growth.runMs,
      quietMs: performance.now() - this.#lastTick,
      mayGrow: roomForOne && this.#instances.size < this.version.maxInstances && this.#backoff.reason(performance.now()) === null,
    });
  }

  get isStarting(): boolean {
    return this.#starting > 0;
  }

  /** Free slots of ready instances, at least one while nobody waits; see `Scheduler.room`. */
  get room(): number {
    return this.#queue.length > 0 ? 0 : Math.max(1, this.freeSlots);
  }

  /** Runs it now, or puts it in the line. @throws HearthError queue_full */
  submit(invocation: Invocation): void {
    const instance = this.#takeInstance();
    if (instance && this.#queue.length === 0) {
      this.#dispatch(instance, invocation);
      return;
    }
    if (instance) this.#list(instance);
    this.#refuseIfHopeless();
    this.#queue.push(invocation);
    this.#pump();
    this.#startForLine();
  }

  /** @throws HearthError queue_full */
  #refuseIfHopeless(): void {
    const { functionName, timeoutMs } = this.version;
    const maxQueue = this.#machine.share.of(this.version.maxQueue);
    const expected = this.#expectedWaitMs();
    const refuse = (reason: string, why: string): never => {
      const retryAfter = Math.max(1, Math.ceil(expected / 1000));
      throw new HearthError('queue_full', `${why} Try again in ${retryAfter} s.`, { retryAfter, extra: { reason } });
    };
    if (this.#queue.length >= maxQueue) {
      refuse('function_queue_full', `${this.#queue.length} invocations of the function ${functionName} are waiting already, which is its bound.`);
    }
    if (expected > timeoutMs) {
      refuse(
        'deadline_unreachable',
        `The function ${functionName} would not come to this invocation within its ${timeoutMs} ms, so many are waiting.`,
      );
    }
    if (this.#overload.refuses(expected, this.#growth.runMs, performance.now())) {
      refuse(
        'function_overloaded',
        `The function ${functionName} is overloaded: for a second everybody has had to wait, and this invocation would wait for ${Math.round(expected)} ms.`,
      );
    }
  }

  /** Takes a waiting invocation out of the line. @returns whether it was there */
  withdraw(invocation: Invocation): boolean {
    if (!this.#queue.remove(invocation)) return false;
    if (this.#queue.length === 0) this.#lineEmptied();
    this.#checkGone();
    return true;
  }

  /** Whether an instance more would have something to do, or is to be kept. */
  get wantsRoom(): boolean {
    if (this.#queue.length > 0 || this.#warmers.length > 0) return true;
    return !this.#retired && this.#instances.size < this.reserved;
  }

  /** A new version has taken over, or the function was deleted: what has been accepted is served, then all instances stop. */
  retire(reason: string): void {
    this.#retired = true;
    if (this.#queue.length === 0) for (const instance of [...this.#instances]) instance.retire(reason);
    this.#checkGone();
  }

  /**
   * What its instances were loaded with has changed: those that have loaded take nothing new, and go when what they run is over. Who comes now is served by
   * one that is loaded anew; the first is started at once when there was one that was ready.
   */
  renew(reason: string): void {
    // It may be what kept it from being started.
    this.#backoff.succeeded();
    let wasReady = false;
    for (const instance of [...this.#instances]) {
      if (!instance.loaded || this.#leaving.has(instance)) continue;
      this.#leaving.add(instance);
      if (instance.state === 'starting') this.#starting--;
      else {
        this.#ready--;
        wasReady = true;
      }
      instance.retire(reason);
    }
    if (wasReady && !this.#retired && this.#serving === 0) this.#startOne();
    this.#startForLine();
  }

  /** Instances that are always to be here. */
  get reserved(): number {
    return this.#machine.share.of(this.version.reserved);
  }

  /** Instances that there may be here. */
  get #most(): number {
    return this.#machine.share.of(this.version.maxInstances);
  }

  /** More nodes share its limits, or fewer: instances that are too many go when what they run is over, reserved ones that are missing come. */
  shareChanged(): void {
    for (const instance of surplusOf(this.#instances, this.#most)) instance.retire('other nodes have their share of its instances');
    this.keepReserved();
    this.#startForLine();
  }

  /** Instances that are there or come for new work. */
  get #serving(): number {
    return this.#instances.size - this.#leaving.size;
  }

  /** Resolves once there is a ready instance; starts one when there is none. @throws HearthError why it could not be started */
  warm(): Promise<void> {
    if (this.#ready > 0) return Promise.resolve();
    const reason = this.#backoff.reason(performance.now());
    if (reason) return Promise.reject(reason);
    return new Promise((resolve, reject) => {
      this.#warmers.push({ resolve, reject });
      // Without room now, `onRoom` starts it.
      if (this.#starting === 0) this.#startOne();
    });
  }

  /** Starts what is missing of the instances that are always to be there, and goes on seeing to it. */
  keepReserved(): void {
    if (this.#retired) return;
    while (this.#reserveTimer === null && this.#instances.size < this.reserved) if (!this.#startOne()) this.#reserveLater();
  }

  /** It is tried again by the clock, for no request will come to do so. */
  #reserveLater(): void {
    if (this.#retired) return;
    this.#reserveTimer ??= setTimeout(() => {
      this.#reserveTimer = null;
      this.keepReserved();
    }, RESERVE_RETRY_MS);
  }

  /** The machine has room for an instance that was refused before. */
  onRoom(): void {
    if (this.#warmers.length > 0 && this.#serving === 0) this.#startOne();
    this.#startForLine();
  }

  /** Fails everything and ends every instance. */
  stop(error: HearthError): void {
    this.#retired = true;
    this.#stopError = error;
    for (const invocation of this.#queue.drain()) this.#failWaiting(invocation, error);
    for (const instance of [...this.#instances]) instance.kill(error.message, error);
    this.#clearRecheck();
    this.#checkGone();
  }

  onReady(instance: Instance): void {
    this.#starting--;
    this.#ready++;
    this.#growth.started(instance.bootMs + instance.initMs);
    for (const warmer of this.#warmers.splice(0)) warmer.resolve();
    this.#machine.onInstanceReady(instance);
    this.#list(instance);
    this.#pump();
    if (this.#retired && this.#queue.length === 0) instance.retire('the version was replaced');
    else if (instance.running === 0) this.#machine.onInstanceIdle(instance);
  }

  onOver(instance: Instance, invocation: Invocation): void {
    this.#lastTick = performance.now();
    const runMs = this.#lastTick - invocation.dispatchedTick;
    // How long a WebSocket lasted tells nothing about how long others run.
    if (invocation.status !== 101) {
      this.#growth.ran(runMs);
      this.#shortRuns.ended(runMs);
    }
    this.#backoff.succeeded();
    if (this.#machine.mustMakeRoom(this, instance)) instance.retire('its room was needed by another function');
    if (instance.hasRoom) this.#list(instance);
    if (this.#queue.length > 0) this.#pump();
    else if (this.#retired) instance.retire('the version was replaced');
    if (instance.state === 'idle') this.#machine.onInstanceIdle(instance);
    this.#machine.onInvocationOver(invocation);
  }

  onStopped(instance: Instance, startError: HearthError | null, orphans: readonly Invocation[], untouched: readonly Invocation[]): void {
    this.#instances.delete(instance);
    if (this.#stopError) for (const invocation of untouched) this.#failWaiting(invocation, this.#stopError);
    else if (untouched.length > 0) this.#queue.putBack(untouched);
    // Its failure, if it is one, is that of what it was loaded with, and tells nothing about those that come after it.
    const failure = this.#leaving.has(instance) ? null : startError;
    if (this.#leaving.delete(instance)) {
      // Taken out of the books already.
    } else if (startError) {
      this.#starting--;
      this.#backoff.failed(startError, performance.now());
    } else {
      this.#ready--;
      // It came up and fell over its first invocation: as good as no start.
      const crash = instance.completed === 0 ? orphans.find((orphan) => orphan.error?.code === 'function_crashed')?.error : undefined;
      if (crash) this.#backoff.failed(crash, performance.now());
    }
    const at = this.#withRoom.indexOf(instance);
    if (at >= 0) this.#withRoom.splice(at, 1);
    for (const invocation of orphans) this.#machine.onInvocationOver(invocation);
    this.#machine.giveRoom(instance);
    // Those who wait would wait for nothing: with no other instance there or coming, they learn at once why.
    if (failure && this.#serving === 0) {
      for (const invocation of this.#queue.drain()) this.#failWaiting(invocation, failure);
      for (const warmer of this.#warmers.splice(0)) warmer.reject(failure);
    }
    this.#startForLine();
    if (this.#warmers.length > 0 && this.#ready + this.#starting === 0 && !this.#retired) this.#startOne();
    // One that came to nothing is not started again in the same breath: it would be for ever.
    if (startError || instance.completed === 0) this.#reserveLater();
    else this.keepReserved();
    this.#checkGone();
  }

  #failWaiting(invocation: Invocation, error: HearthError): void {
    invocation.error = error;
    this.#machine.onInvocationOver(invocation);
  }

  #pump(): void {
    while (this.#queue.length > 0) {
      const instance = this.#takeInstance() ?? this.#takeBusy();
      if (!instance) break;
      const invocation = this.#queue.shift() as Invocation;
      const now = performance.now();
      this.#overload.left(now - invocation.acceptedTick, this.#growth.runMs, now);
      this.#dispatch(instance, invocation);
    }
    if (this.#queue.length === 0) this.#lineEmptied();
  }

  #dispatch(instance: Instance, invocation: Invocation): void {
    if (invocation.input.patient === true) this.#machine.renewDeadline(invocation);
    try {
      instance.invoke(invocation);
    } catch (cause) {
      // Whatever it was, it is this invocation's and not the instance's, which has seen nothing of it.
      this.#list(instance);
      this.#failWaiting(invocation, toHearthError(cause));
      return;
    }
    // 0 when it waits in the instance's channel for its turn.
    if (invocation.dispatchedTick > this.#lastTick) this.#lastTick = invocation.dispatchedTick;
    this.#machine.onInstanceUsed(instance);
    if (instance.hasRoom) this.#list(instance);
  }

  #list(instance: Instance): void {
    if (instance.listed) return;
    instance.listed = true;
    this.#withRoom.push(instance);
  }

  #takeInstance(): Instance | undefined {
    for (let instance = this.#withRoom.pop(); instance; instance = this.#withRoom.pop()) {
      instance.listed = false;
      if (instance.hasRoom) return instance;
    }
    return undefined;
  }

  /**
   * Of runs that are short, one that is busy with the fewest, for the head of the line to follow: it finds the next in its channel when it has answered, and neither
   * it nor the platform is woken for that. Not before there is an instance for each core.
   */
  #takeBusy(): Instance | undefined {
    const ahead = this.#shortRuns.ahead(this.#growth.runMs);
    if (ahead === 0 || this.#ready < Math.min(this.#parts.settings.cores, this.#most) || this.#ready > MAX_COMPARED) return undefined;
    const { input } = this.#queue.peek() as Invocation;
    // The one ahead may be the very one that waits for it.
    if (input.waiting !== undefined || (input.body?.length ?? 0) > MAX_AHEAD_BODY) return undefined;
    let least: Instance | undefined;
    for (const instance of this.#instances) {
      if (instance.takesAhead && instance.running <= ahead && instance.running < (least?.running ?? Number.POSITIVE_INFINITY)) least = instance;
    }
    return least;
  }

  #startForLine(): void {
    const line = this.#line;
    if (line.uncovered <= 0) return;
    const reason = this.#serving === 0 ? this.#backoff.reason(performance.now()) : null;
    if (reason) {
      for (const invocation of this.#queue.drain()) this.#failWaiting(invocation, reason);
      return;
    }
    this.#startMany(this.#growth.atOnce({ ...line, instances: this.#serving }, this.#queue.peek()?.input.waiting?.includes(this.version) === true));
    this.#recheckTimer ??= setTimeout(() => this.#recheck(), this.#growth.recheckMs);
  }

  get #line(): Line {
    const { concurrency } = this.version;
    return { uncovered: this.#queue.length - this.#starting * concurrency, concurrency, instances: this.#instances.size };
  }

  /** How long the last of the line will wait if no instance is added. */
  #expectedWaitMs(): number {
    return this.#growth.expectedWaitMs(this.#queue.length, (this.#ready + this.#starting) * this.version.concurrency);
  }

  #recheck(): void {
    this.#recheckTimer = null;
    const head = this.#queue.peek();
    if (!head) return;
    const line = this.#line;
    const now = performance.now();
    if (line.uncovered > 0) this.#startMany(this.#growth.later(line, now - head.acceptedTick, now));
    this.#recheckTimer = setTimeout(() => this.#recheck(), this.#growth.recheckMs);
  }

  #startMany(count: number): void {
    for (let started = 0; started < count; started++) if (!this.#startOne()) return;
  }

  #startOne(): boolean {
    if (this.#instances.size >= this.#most || this.#backoff.reason(performance.now()) || !this.#machine.takeRoom(this)) return false;
    const instance = new Instance(this.#parts, this.version, this);
    this.#instances.add(instance);
    this.#starting++;
    this.#machine.onInstanceStarted(instance);
    instance.start();
    return true;
  }

  #lineEmptied(): void {
    this.#clearRecheck();
    this.#overload.emptied();
  }

  #clearRecheck(): void {
    if (this.#retired && this.#reserveTimer) clearTimeout(this.#reserveTimer);
    if (this.#recheckTimer) clearTimeout(this.#recheckTimer);
    this.#recheckTimer = null;
  }

  #checkGone(): void {
    if (!this.#retired || this.#gone || this.#instances.size > 0 || this.#queue.length > 0) return;
    this.#gone = true;
    this.#clearRecheck();
    const replaced = new HearthError('sandbox_unavailable', 'The version was replaced before it was ready.');
    for (const warmer of this.#warmers.splice(0)) warmer.reject(replaced);
    this.#machine.onGone(this);
  }
}
