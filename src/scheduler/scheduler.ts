import type { LimitShare } from '../cluster/limit-share.ts';
import { HearthError } from '../errors.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import type { InstanceRecord, InvocationRecord } from '../schemas/records.ts';
import type { InvocationTracer } from '../telemetry/traces/invocation-tracer.ts';
import type { CpuGauge } from './cpu-gauge.ts';
import { FunctionInstances, type Machine } from './function-instances.ts';
import { type Instance, type InstanceParts, kindOf } from './instance.ts';
import type { InstanceRoom } from './instance-room.ts';
import { Invocation, type InvocationInput, type ReplySink } from './invocation.ts';
import { recordOf } from './invocation-record.ts';
import { type Outlook, outlookOfUnknown } from './outlook.ts';
import { failInvocation } from './reply-assembly.ts';

const SWEEP_INTERVAL_MS = 1000;

export interface SchedulerSettings {
  /** Invocations that wait at a time. */
  maxQueue: number;
}

/** Below this the cores count as busy. */
const IDLE_CPU_SHARE = 0.1;

/** Where records go; written behind, off the request's way. */
export interface Recorder {
  /** @param keep false: whoever asked for it keeps the record @param ended what the record doesn't tell of it */
  invocation(record: InvocationRecord, keep: boolean, ended: Pick<Invocation, 'timings' | 'error'>): void;
  instance(record: InstanceRecord): void;
}

export interface SchedulerParts extends InstanceParts {
  recorder: Recorder;
  room: InstanceRoom;
  cpu: Pick<CpuGauge, 'idleShare'>;
  schedule: SchedulerSettings;
  /** Of what holds for all nodes together: instances, reserved ones and waiting lines of functions. */
  share: LimitShare;
  /** Null: there are no traces. */
  tracer: InvocationTracer | null;
}

/**
 * Takes invocations of known function versions, keeps each under its deadline, and gives it to an instance. Owns all instances, and the room for them.
 * Nothing here is asynchronous but what instances do: a warm invocation goes out in the tick in which it came.
 */
export class Scheduler implements Machine {
  readonly share: LimitShare;
  readonly #parts: SchedulerParts;
  readonly #functions = new Map<FunctionVersion, FunctionInstances>();
  /** By function name, the oldest first. */
  readonly #byName = new Map<string, Set<FunctionInstances>>();
  /** By function name, the versions that new work may come for. */
  readonly #inService = new Map<string, readonly FunctionVersion[]>();
  readonly #open = new Set<Invocation>();
  readonly #sweeper: NodeJS.Timeout;
  /** Kinds of sandboxes named in this turn of the event loop: a start names thousands of versions, of few kinds. */
  readonly #prepared = new Set<string>();
  #draining = false;
  #onIdle: (() => void) | null = null;

  constructor(parts: SchedulerParts) {
    this.#parts = parts;
    this.share = parts.share;
    this.#sweeper = setInterval(() => parts.room.sweep(), SWEEP_INTERVAL_MS);
    this.#sweeper.unref();
  }

  /** Invocations that are not over. */
  get open(): number {
    return this.#open.size;
  }

  /** Invocations that wait for an instance. */
  get waiting(): number {
    let waiting = 0;
    for (const functionInstances of this.#functions.values()) waiting += functionInstances.waiting;
    return waiting;
  }

  /** Runs one function version once. What comes of it, failures too, goes to the sink. */
  submit(input: InvocationInput, version: FunctionVersion, sink: ReplySink): Invocation {
    const { tracer } = this.#parts;
    if (tracer !== null && input.trace === undefined) tracer.begin(input);
    const known = this.#functions.get(version);
    const functionInstances = known ?? this.#add(version);
    const invocation = new Invocation(input, version, sink, functionInstances.isWarm ? 'warm' : 'cold');
    this.#open.add(invocation);
    invocation.deadlineTimer = setTimeout(() => this.#pastDeadline(invocation), invocation.timeoutMs);
    try {
      if (this.#draining)
        throw new HearthError('draining', 'The platform is shutting down and takes no more work. Try again in a few seconds.', { retryAfter: 5 });
      if (this.#waiting() >= this.#parts.schedule.maxQueue) {
        throw new HearthError(
          'queue_full',
          `${this.#parts.schedule.maxQueue} invocations are waiting on this machine, which is its bound. Try again in a second.`,
          { retryAfter: 1, extra: { reason: 'machine_queue_full' } },
        );
      }
      const refusal = version.style === 'script' && !input.leavesReply ? this.#parts.replyQueues?.refusal() : null;
      if (refusal) throw refusal;
      functionInstances.submit(invocation);
    } catch (error) {
      if (!(error instanceof HearthError)) throw error;
      invocation.error = error;
      this.onInvocationOver(invocation);
    }
    // It was routed before a switch and its body came after it: it is served, and nothing more is kept for it.
    if (!known && !this.#isInService(version)) functionInstances.retire('the version was replaced');
    return invocation;
  }

  /** The caller left: nobody wants the answer. Does nothing when the invocation is answered. */
  cancel(invocation: Invocation): void {
    if (invocation.answered) return;
    invocation.state = 'cancelled';
    this.#abandon(invocation, new HearthError('client_gone', 'The caller closed the connection before the answer.'), 'client_gone');
  }

  /** What the caller sends can't be used: that is the answer. Does nothing when the invocation is answered. */
  fail(invocation: Invocation, error: HearthError): void {
    if (invocation.answered) return;
    invocation.state = 'failed';
    this.#abandon(invocation, error, 'client_gone');
  }

  /** The caller has closed the connection that became a WebSocket: that is its end, and a good one. */
  hangUp(invocation: Invocation): void {
    if (invocation.answered) return;
    invocation.answered = true;
    invocation.state = 'succeeded';
    this.#cancelInInstance(invocation, 'client_gone');
  }

  /** Somebody else than the caller wants it ended. @returns whether it was there, and not over */
  cancelById(id: string): boolean {
    const invocation = this.#find(id);
    if (!invocation) return false;
    invocation.state = 'cancelled';
    this.#abandon(invocation, new HearthError('cancelled', `The invocation ${id} was cancelled by DELETE /invocations/${id}.`), 'client_gone');
    return true;
  }

  /** As its record would be if it were over now; undefined when there is none of that id under way. */
  openRecord(id: string): InvocationRecord | undefined {
    const invocation = this.#find(id);
    return invocation && recordOf(invocation);
  }

  /**
   * How many invocations of the version would be taken at once by an instance that is ready; one when there is none and nobody waits, so that one is started.
   * Whoever can wait elsewhere brings no more than that, and stays behind those who can't.
   */
  room(version: FunctionVersion): number {
    if (this.#draining) return 0;
    return this.#functions.get(version)?.room ?? 1;
  }

  /** Whether an invocation of it that comes now is taken by a ready instance at once. */
  isFree(version: FunctionVersion): boolean {
    return this.#functions.get(version)?.isFree === true;
  }

  /** What an invocation that comes now would meet. @param guessedStartMs of a start, where none has been measured */
  outlook(version: FunctionVersion, guessedStartMs: number): Outlook {
    const roomForOne = !this.#draining && this.#parts.room.free > 0;
    const known = this.#functions.get(version);
    return known?.outlook(roomForOne, guessedStartMs) ?? outlookOfUnknown(guessedStartMs, roomForOne);
  }

  /** Of versions that have instances: calls that ready ones would take at once, and what a start takes. */
  *warmth(): Generator<{ version: FunctionVersion; freeSlots: number; startMs: number | undefined }> {
    for (const { version, instances, freeSlots, startMs } of this.#functions.values()) {
      if (instances.size > 0 && this.#isInService(version)) yield { version, freeSlots, startMs };
    }
  }

  /** A function version is registered: its kind of sandbox is kept in stock from now on. */
  prepare(version: FunctionVersion): void {
    const key = `${version.runtime} ${version.network} ${version.layers.join()}`;
    if (this.#prepared.has(key)) return;
    if (this.#prepared.size === 0) setImmediate(() => this.#prepared.clear());
    this.#prepared.add(key);
    const kind = kindOf(this.#parts, version);
    if (kind) this.#parts.pool.stock(kind);
  }

  /** New work of a function comes for these versions from now on: others of its name serve what they have accepted, then go. */
  onInService(functionName: string, versions: readonly FunctionVersion[]): void {
    if (this.#draining) return;
    this.#inService.set(functionName, versions);
    for (const version of versions) if (version.reserved > 0) (this.#functions.get(version) ?? this.#add(version)).keepReserved();
    this.#retireOthers(functionName, versions, 'the version was replaced');
  }

  /** A function was deleted. */
  remove(functionName: string): void {
    this.#inService.delete(functionName);
    this.#retireOthers(functionName, [], 'the function was deleted');
  }

  /** A secret was set, replaced or deleted: instances that hold it give way to others, which are loaded with what it is now. */
  secretChanged(name: string): void {
    if (this.#draining) return;
    for (const functionInstances of [...this.#functions.values()]) {
      if (functionInstances.version.secrets.includes(name)) functionInstances.renew('a secret was changed');
    }
  }

  /** More nodes share the limits of functions, or fewer. */
  shareChanged(): void {
    if (this.#draining) return;
    for (const functionInstances of [...this.#functions.values()]) {
      const { version } = functionInstances;
      if (version.reserved > 0) this.#parts.room.reserve(version, functionInstances.reserved);
      functionInstances.shareChanged();
    }
  }

  /** Whether the function has instances, of any version in service. */
  isLive(functionName: string): boolean {
    for (const functionInstances of this.#byName.get(functionName) ?? []) {
      if (functionInstances.instances.size > 0 && this.#isInService(functionInstances.version)) return true;
    }
    return false;
  }

  /**
   * Resolves once the version has a ready instance, starting one if there is none. It needn't be in service yet.
   * @throws HearthError why it could not be started
   */
  async warm(version: FunctionVersion): Promise<void> {
    if (this.#draining) throw new HearthError('draining', 'The platform is shutting down and starts no more instances.');
    const functionInstances = this.#functions.get(version) ?? this.#add(version);
    await functionInstances.warm();
  }

  /** Of everything alive, newest first. */
  instances(): InstanceRecord[] {
    const records = [...this.#functions.values()].flatMap((functionInstances) =>
      [...functionInstances.instances].map((instance) => instance.record()),
    );
    return records.sort((a, b) => b.startedAt - a.startedAt);
  }

  instanceLogs(id: string): string | undefined {
    const instance = this.#parts.room.byId(id);
    return instance && (instance.logs ?? '');
  }

  /** Takes no more work, lets what runs end for at most so many milliseconds, then stops every instance. Resolves when all are gone. */
  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    await this.#settled(() => this.#open.size === 0, timeoutMs);
    clearInterval(this.#sweeper);
    const error = new HearthError('draining', 'The platform shut down before the function had answered.');
    for (const functionInstances of [...this.#functions.values()]) functionInstances.stop(error);
    await this.#settled(() => this.#parts.room.taken === 0, 10_000);
  }

  takeRoom(asker: FunctionInstances): boolean {
    return this.#parts.room.take(asker);
  }

  giveRoom(instance: Instance): void {
    this.onInstanceChanged(instance);
    this.#parts.room.giveBack(instance);
    this.#checkIdle();
  }

  onInstanceReady(instance: Instance): void {
    this.#parts.room.ready(instance);
    this.onInstanceChanged(instance);
  }

  onInstanceUsed(instance: Instance): void {
    this.#parts.room.used(instance);
  }

  onInstanceIdle(instance: Instance): void {
    this.#parts.room.idle(instance);
  }

  hasIdleCpu(): boolean {
    return this.#parts.cpu.idleShare > IDLE_CPU_SHARE;
  }

  mustMakeRoom(holder: FunctionInstances, instance: Instance): boolean {
    return this.#parts.room.mustGive(holder, instance, this.#functions.size);
  }

  onInstanceStarted(instance: Instance): void {
    this.#parts.room.started(instance);
    this.onInstanceChanged(instance);
  }

  onInstanceChanged(instance: Instance): void {
    this.#parts.recorder.instance(instance.record());
  }

  renewDeadline(invocation: Invocation): void {
    if (invocation.deadlineTimer) clearTimeout(invocation.deadlineTimer);
    const { timeoutMs } = invocation;
    invocation.deadline = Date.now() + timeoutMs;
    invocation.deadlineTimer = setTimeout(() => this.#pastDeadline(invocation), timeoutMs);
  }

  onInvocationOver(invocation: Invocation): void {
    if (!this.#open.delete(invocation)) return;
    if (invocation.deadlineTimer) clearTimeout(invocation.deadlineTimer);
    invocation.deadlineTimer = null;
    invocation.over = true;
    if (!invocation.answered && invocation.error) failInvocation(invocation, invocation.error);
    if (invocation.state === 'queued' || invocation.state === 'running') invocation.state = invocation.error ? 'failed' : 'succeeded';
    const record = recordOf(invocation);
    this.#parts.recorder.invocation(record, invocation.sink.over === undefined, invocation);
    this.#logLine(invocation, record);
    if (invocation.input.trace) this.#parts.tracer?.end(invocation, invocation.input.trace);
    invocation.sink.over?.(record);
    this.#checkIdle();
  }

  onGone(functionInstances: FunctionInstances): void {
    this.#functions.delete(functionInstances.version);
    this.#parts.room.forget(functionInstances);
    const { functionName } = functionInstances.version;
    const siblings = this.#byName.get(functionName);
    siblings?.delete(functionInstances);
    if (siblings?.size === 0) this.#byName.delete(functionName);
  }

  #add(version: FunctionVersion): FunctionInstances {
    const siblings = this.#byName.get(version.functionName) ?? new Set();
    this.#byName.set(version.functionName, siblings);
    const functionInstances = new FunctionInstances(this.#parts, this, version, [...siblings].at(-1));
    this.#functions.set(version, functionInstances);
    siblings.add(functionInstances);
    this.#parts.room.configure(functionInstances, functionInstances.reserved);
    return functionInstances;
  }

  /** Looked for one by one: only the control plane asks, and rarely. */
  #find(id: string): Invocation | undefined {
    for (const invocation of this.#open) if (invocation.input.id === id) return invocation;
    return undefined;
  }

  #isInService(version: FunctionVersion): boolean {
    return this.#inService.get(version.functionName)?.includes(version) ?? false;
  }

  #retireOthers(functionName: string, versions: readonly FunctionVersion[], reason: string): void {
    for (const functionInstances of [...(this.#byName.get(functionName) ?? [])]) {
      if (!versions.includes(functionInstances.version)) functionInstances.retire(reason);
    }
  }

  #waiting(): number {
    // What is open and neither runs nor is over waits; counting the lines one by one would cost more than it tells.
    if (this.#open.size <= this.#parts.schedule.maxQueue) return 0;
    return this.waiting;
  }

  #pastDeadline(invocation: Invocation): void {
    invocation.deadlineTimer = null;
    const { timeoutMs } = invocation;
    const { functionName } = invocation.version;
    // It found no instance when it came; whether one is being started now, or a busy one was waited for, is another matter.
    if (invocation.clock === 'start' && !this.#functions.get(invocation.version)?.isStarting) invocation.clock = 'queue';
    const where = {
      queue: 'while it waited for an instance',
      start: 'while an instance was started for it',
      run: 'while it ran',
      stream: 'while its answer was streamed',
    }[invocation.clock];
    const error = new HearthError(
      'deadline_exceeded',
      `The function ${functionName} did not answer within its ${timeoutMs} ms; the time ran out ${where}.`,
      {
        extra: { clock: invocation.clock, timeout_ms: timeoutMs },
      },
    );
    invocation.state = 'timed_out';
    this.#abandon(invocation, error, 'deadline');
  }

  #abandon(invocation: Invocation, error: HearthError, reason: 'deadline' | 'client_gone'): void {
    // A script that has answered and goes on past its deadline is killed all the same; the record says so.
    invocation.error ??= error;
    failInvocation(invocation, error);
    const functionInstances = this.#functions.get(invocation.version);
    if (functionInstances?.withdraw(invocation)) {
      this.onInvocationOver(invocation);
      return;
    }
    this.#cancelInInstance(invocation, reason);
  }

  #cancelInInstance(invocation: Invocation, reason: 'deadline' | 'client_gone'): void {
    for (const instance of this.#functions.get(invocation.version)?.instances ?? []) {
      if (instance.id === invocation.instanceId) instance.cancel(invocation, reason);
    }
  }

  #logLine(invocation: Invocation, record: InvocationRecord): void {
    const { log } = this.#parts;
    const fields = {
      id: record.id,
      function: record.functionName,
      version: record.versionNumber,
      verb: record.verb,
      path: record.path,
      state: record.state,
      status: record.status,
      start: record.start,
      instance: record.instanceId,
      queueMs: record.queueMs,
      startMs: record.startMs,
      runMs: record.runMs,
      trace_id: invocation.input.trace?.scope.traceId,
    };
    if (!invocation.error) log.info(fields, 'invocation');
    else if (invocation.error.code === 'internal') log.error({ ...fields, err: invocation.error.cause }, 'invocation');
    else log.info({ ...fields, error: invocation.error.code, detail: invocation.error.message }, 'invocation');
  }

  #checkIdle(): void {
    this.#onIdle?.();
  }

  async #settled(condition: () => boolean, timeoutMs: number): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onIdle = () => {
        if (!condition()) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#onIdle = null;
  }
}
