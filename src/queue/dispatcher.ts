import { HearthError } from '../errors.ts';
import type { InvocationInput, ReplySink } from '../scheduler/invocation.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import type { InvocationRecord } from '../schemas/records.ts';
import type { Changes } from './changes.ts';
import type { DurableQueue, LaneKey, Lease, StoredReply, Taken, Verdict } from './durable-queue.ts';
import { Lane, laneName } from './lane.ts';
import { ResultSink } from './result-sink.ts';
import { isTooOld, judge, unrun } from './retry-policy.ts';
import type { VersionBook } from './version-book.ts';

/** The dispatcher's only view of what runs functions. */
export interface Runner {
  submit(input: InvocationInput, version: FunctionVersion, sink: ReplySink): unknown;
  /** How many more of the version it would run at once. */
  room(version: FunctionVersion): number;
  cancelById(id: string): boolean;
}

export interface DispatcherSettings {
  /** Asynchronous invocations at a time, of all functions. */
  maxRunning: number;
  /** What a lease is longer than the function's timeout. Milliseconds. */
  leaseMarginMs: number;
  /** Largest body of an answer that is kept. Bytes. */
  maxResultBytes: number;
}

export interface DispatcherParts {
  queue: DurableQueue;
  runner: Runner;
  versions: VersionBook;
  changes: Changes;
  settings: DispatcherSettings;
  random: () => number;
  /** An outcome is there that is to be sent somewhere. */
  onDeliveryDue(): void;
  log: { warn(fields: object, message: string): void; error(fields: object, message: string): void };
  /** Called at each named point of an invocation's way: where a test lets the process die. */
  at?(point: 'before-dispatch' | 'before-result' | 'after-result', id: string): void;
}

/** `retried`: it failed and is tried again. `returned`: it did not come to an end of its own. `dead_lettered`: it failed for good. */
const ATTEMPT_ENDS = ['succeeded', 'failed', 'timed_out', 'cancelled', 'retried', 'returned', 'dead_lettered'] as const;
type AttemptEnd = (typeof ATTEMPT_ENDS)[number];

/** While a lane waits for room that others take, which nobody tells of. */
const POLL_MS = 25;
const HEARTBEAT_MS = 5000;
/** Of leases that end soon, so that other nodes know soon when this one is gone. */
const SHARED_HEARTBEAT_MS = 2000;
const RETRY_MS = [100, 200, 500, 1000, 2000, 5000];

/**
 * Gives queued invocations to the scheduler, none earlier than it has room for (late binding): those who are waited for come first, and what isn't begun can
 * still be overtaken, cancelled or taken by somebody else. Memory holds what runs, a few of each lane that are taken ahead, and the names of the lanes.
 */
export class Dispatcher {
  readonly #parts: DispatcherParts;
  readonly #lanes = new Map<string, Lane>();
  /** By id: what is taken and not settled. */
  readonly #held = new Map<string, Taken>();
  #wakeTimer: NodeJS.Timeout | null = null;
  #wakeAt = Number.POSITIVE_INFINITY;
  #heartbeat: NodeJS.Timeout | null = null;
  /** What came of attempts. */
  readonly attempts = new Map<AttemptEnd, number>(ATTEMPT_ENDS.map((end) => [end, 0]));
  #stopped = false;
  #whenSettled: (() => void) | null = null;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
  }

  /** Begins with what the last process left. @throws HearthError store_unavailable */
  async start(): Promise<void> {
    const { queue, settings, log } = this.#parts;
    queue.onVoided((leases, lanes) => {
      if (lanes.length > 0) log.warn({ leases }, 'leases ran out: their invocations are run again');
      for (const lease of leases) this.cancel(lease);
      for (const lane of lanes) this.offer(lane, queue.now());
    });
    queue.onWork((lane, dueAt) => this.offer(lane, dueAt));
    this.#heartbeat = setInterval(
      () => {
        const leases = [...this.#held.values()].map(({ lease }) => lease);
        if (leases.length > 0) queue.heartbeat(leases).catch((error: unknown) => log.warn({ err: error }, 'leases could not be prolonged'));
      },
      Math.min(queue.shared ? SHARED_HEARTBEAT_MS : HEARTBEAT_MS, settings.leaseMarginMs / 3),
    );
    for (const lane of await queue.lanes()) this.offer(lane, queue.now());
  }

  /** Something is queued in that lane. */
  offer(key: LaneKey, dueAt: number): void {
    if (this.#stopped) return;
    const name = laneName(key);
    let lane = this.#lanes.get(name);
    if (!lane) {
      // Of whatever has these members, no more is kept.
      lane = new Lane({ functionName: key.functionName, versionNumber: key.versionNumber });
      this.#lanes.set(name, lane);
    }
    lane.offer(dueAt);
    this.#pump(lane);
  }

  /** That lease is void, as the queue knows: what runs under it is ended, and what was only taken ahead is dropped. */
  cancel(lease: Lease): void {
    const taken = this.#held.get(lease.id);
    if (taken?.lease.attempt !== lease.attempt) return;
    const ahead = this.#lanes.get(laneName(taken))?.ahead ?? [];
    const at = ahead.indexOf(taken);
    if (at < 0) {
      this.#parts.runner.cancelById(lease.id);
      return;
    }
    ahead.splice(at, 1);
    this.#held.delete(lease.id);
    if (this.#held.size === 0) this.#whenSettled?.();
  }

  /** Takes no more, gives back what hasn't begun. What runs is the scheduler's to end; `settled` waits for it. */
  stop(): void {
    this.#stopped = true;
    if (this.#wakeTimer) clearTimeout(this.#wakeTimer);
    this.#wakeTimer = null;
    for (const lane of this.#lanes.values()) for (const taken of lane.ahead.splice(0)) this.#giveBack(taken);
  }

  /** Resolves once everything taken is settled, or after so many milliseconds. */
  async settled(timeoutMs: number): Promise<void> {
    if (this.#held.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#whenSettled = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    if (this.#heartbeat) clearInterval(this.#heartbeat);
    this.#heartbeat = null;
    // Whoever still tries to settle tries in vain from now on; the next start runs it again.
    this.#held.clear();
  }

  #pump(lane: Lane): void {
    if (this.#stopped) return;
    const { queue, runner } = this.#parts;
    // Another version object of the same number is in service when the function was deleted and its version is current again.
    if (lane.version) lane.version = this.#parts.versions.current(lane.key) ?? lane.version;
    while (lane.version && lane.ahead.length > 0 && runner.room(lane.version) > 0) this.#run(lane, lane.version, lane.ahead.shift() as Taken);
    if (lane.ahead.length > 0) this.#wake(queue.now() + this.#pollMs());
    if (lane.dueAt === null || lane.taking) {
      if (lane.isIdle) this.#lanes.delete(laneName(lane.key));
      return;
    }
    if (lane.dueAt > queue.now()) {
      this.#wake(lane.dueAt);
      return;
    }
    const room = lane.version ? runner.room(lane.version) : 1;
    const wanted = Math.min(lane.wanted(room, queue.shared), this.#parts.settings.maxRunning - this.#held.size);
    if (wanted > 0) void this.#take(lane, wanted);
    else this.#wake(queue.now() + this.#pollMs());
  }

  async #take(lane: Lane, limit: number): Promise<void> {
    const { queue, runner, versions, settings, log } = this.#parts;
    lane.taking = true;
    try {
      const version = await versions.find(lane.key);
      const leaseMs = (version?.timeoutMs ?? 0) + settings.leaseMarginMs;
      let most = limit;
      if (queue.shared) {
        // What another node has deployed may not be in service here yet; that node runs it, or this one in a second.
        if (!version && (await versions.isStored(lane.key))) {
          lane.took([], queue.now() + 1000);
          this.#pump(lane);
          return;
        }
        if (version) most = Math.min(limit, runner.room(version));
      }
      const { taken, nextDueAt } = most > 0 ? await queue.take(lane.key, most, leaseMs) : { taken: [], nextDueAt: queue.now() };
      for (const one of taken) this.#held.set(one.lease.id, one);
      lane.version = version ?? null;
      lane.took(taken, nextDueAt);
      for (const one of taken) this.#parts.changes.tell(one.lease.id);
      if (!version) for (const one of lane.ahead.splice(0)) this.#bury(one);
      if (this.#stopped) for (const one of lane.ahead.splice(0)) this.#giveBack(one);
    } catch (error) {
      lane.took([], queue.now() + 1000);
      if (!this.#stopped) log.warn({ err: error, lane: lane.key }, 'no work could be taken from the queue; it is tried again');
    }
    this.#pump(lane);
  }

  #run(lane: Lane, version: FunctionVersion, taken: Taken): void {
    const { runner, settings, queue } = this.#parts;
    const { payload, lease } = taken;
    if (isTooOld(taken, version.retry, queue.now())) {
      const message = `It was due ${Math.round((queue.now() - taken.ageFrom) / 1000)} s ago, and its function's retry.max_age_s is ${version.retry.maxAgeMs / 1000}.`;
      void this.#settle(taken, unrun('too_old', 'deadline_exceeded', message, taken.mode));
      return;
    }
    this.#parts.at?.('before-dispatch', lease.id);
    lane.running++;
    const input: InvocationInput = {
      ...payload,
      id: lease.id,
      correlationId: lease.id,
      headers: [...payload.headers, 'X-Correlation-Id', lease.id, 'X-Hearth-Attempt', String(lease.attempt)],
      body: payload.body && Buffer.from(payload.body.buffer, payload.body.byteOffset, payload.body.byteLength),
      scriptBody: null,
      patient: true,
    };
    const onOver = (record: InvocationRecord, reply: StoredReply | null, clock: unknown): void => {
      lane.running--;
      void this.#settle(taken, judge({ taken, record, reply, policy: version.retry, now: queue.now(), random: this.#parts.random, clock }));
      this.#pump(lane);
    };
    runner.submit(input, version, new ResultSink(settings.maxResultBytes, onOver));
  }

  #bury(taken: Taken): void {
    const message = `Version ${taken.versionNumber} of "${taken.functionName}", for which it was accepted, does not exist any more.`;
    void this.#settle(taken, unrun('version_gone', 'unknown_version', message, taken.mode));
  }

  #giveBack(taken: Taken): void {
    void this.#settle(taken, { kind: 'retry', delayMs: 0, attempt: null, counts: false });
  }

  /** Tries until it is on the disk: what a function has done is not to be done again because the disk was full for a while. */
  async #settle(taken: Taken, verdict: Verdict): Promise<void> {
    const { queue, changes, log } = this.#parts;
    const { lease } = taken;
    this.#parts.at?.('before-result', lease.id);
    for (let tries = 0; this.#held.get(lease.id) === taken; tries++) {
      try {
        const valid = await queue.settle(lease, verdict);
        this.#parts.at?.('after-result', lease.id);
        if (valid) this.#count(verdict);
        if (!valid && verdict.kind === 'done' && verdict.state !== 'cancelled')
          log.warn({ ...lease }, 'a result came after its lease was void; it is not kept');
        break;
      } catch (error) {
        if (tries === 0) log.error({ err: error, ...lease }, 'a result can not be written down; it is tried again');
        if (error instanceof HearthError && error.code === 'internal') break;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]));
      }
    }
    if (this.#held.get(lease.id) === taken) this.#held.delete(lease.id);
    changes.tell(lease.id);
    if (verdict.kind === 'retry') this.offer(taken, queue.now() + verdict.delayMs);
    else if (taken.hasDeliveries) this.#parts.onDeliveryDue();
    const lane = this.#lanes.get(laneName(taken));
    if (lane) this.#pump(lane);
    if (this.#held.size === 0) this.#whenSettled?.();
  }

  #count(verdict: Verdict): void {
    const end = verdict.kind === 'retry' ? (verdict.counts ? 'retried' : 'returned') : verdict.deadReason !== null ? 'dead_lettered' : verdict.state;
    this.attempts.set(end, (this.attempts.get(end) as number) + 1);
  }

  /** The more lanes there are to look at, the less often. */
  #pollMs(): number {
    return POLL_MS * Math.max(1, this.#lanes.size / 50);
  }

  /** Looks at all lanes again then, by the queue's clock. */
  #wake(at: number): void {
    if (this.#stopped || at >= this.#wakeAt) return;
    if (this.#wakeTimer) clearTimeout(this.#wakeTimer);
    this.#wakeAt = at;
    // Timers hold no more than 2^31 - 1 ms.
    this.#wakeTimer = setTimeout(() => this.#lookAtAll(), Math.min(Math.max(1, at - this.#parts.queue.now()), 2 ** 31 - 1));
  }

  #lookAtAll(): void {
    this.#wakeTimer = null;
    this.#wakeAt = Number.POSITIVE_INFINITY;
    const [first, ...rest] = [...this.#lanes.entries()];
    if (first) {
      // Each in turn is the first to be asked, for when there isn't room for all.
      this.#lanes.delete(first[0]);
      this.#lanes.set(...first);
      for (const [, lane] of [...rest, first]) this.#pump(lane);
    }
  }
}
