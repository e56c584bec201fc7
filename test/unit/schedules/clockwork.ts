import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDurableInvocations, type Durable } from '../../../src/queue/create-durable-invocations.ts';
import type { DurableQueue } from '../../../src/queue/durable-queue.ts';
import { openSqliteQueue } from '../../../src/queue/sqlite/open-sqlite-queue.ts';
import type { Invocation, InvocationInput, ReplySink } from '../../../src/scheduler/invocation.ts';
import { ALWAYS, type Leadership, type LeadershipListener } from '../../../src/schedules/leadership.ts';
import { Schedules } from '../../../src/schedules/schedules.ts';
import type { FunctionVersion } from '../../../src/schemas/function.ts';
import type { InvocationRecord } from '../../../src/schemas/records.ts';
import type { FiringRecord, SchedulePolicy } from '../../../src/schemas/schedule.ts';
import { openSqliteStore } from '../../../src/store/sqlite/open-sqlite-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { sleep, until } from '../../support/hearth.ts';
import { versionDraft } from '../store/records.ts';

interface Running {
  input: InvocationInput;
  version: FunctionVersion;
  sink: ReplySink;
}

/** Of a node that is given the lead, or loses it, when the test says so. */
class Seat implements Leadership {
  readonly alone = false;
  #listener!: LeadershipListener;

  start(listener: LeadershipListener): void {
    this.#listener = listener;
  }

  win(): void {
    this.#listener.won();
  }

  lose(): void {
    this.#listener.lost();
  }

  async close(): Promise<void> {}
}

/** One of several processes over one store and one queue. */
export interface TestNode {
  schedules: Schedules;
  seat: Seat;
  /** It reaches the store and not the queue: what it asks for is never answered. */
  isCutOff: boolean;
  /** It does nothing more, and says nothing. */
  isDead: boolean;
}

const silent = { info() {}, warn() {}, error() {} };

export const POLICY: SchedulePolicy = { missed: 'once', missedWithinS: 86_400, overlap: 'forbid', jitterS: 0, onFailure: null, onRecovery: null };

/** Schedules over a real store and a real queue, by a clock that the test moves. What stands for sandboxes ends when the test says so. */
export class Clockwork {
  readonly folder: string;
  now: number;
  /** Goes on whatever the clock is set to, as timers do. */
  #monotonic = 0;
  #timers: { at: number; callback: () => void }[] = [];
  /** How runs of a function end; `hold`: not before `end`. */
  ending: (functionName: string) => 'succeed' | 'fail' | 'hold' = () => 'succeed';
  /** Names of functions and instants (or what else their body says) in the order of their runs. */
  readonly runs: string[] = [];
  readonly ids: string[] = [];
  readonly running: Running[] = [];
  /** Firings that were told of, as they began. */
  readonly told: string[] = [];
  readonly #versions = new Map<string, FunctionVersion>();
  /** With more than one, none leads before its seat is won. */
  readonly nodes: TestNode[] = [];
  readonly #nodeCount: number;
  /** Nobody hears what others have changed, until it is false again. */
  feedHeld = false;
  #heldChanges: (() => Promise<void>)[] = [];
  store!: Store;
  queue!: DurableQueue;
  schedules!: Schedules;
  #durable!: Durable;
  #busy = 0;
  /** The next so many changes of schedules find a store that is gone. */
  failures = 0;

  private constructor(folder: string, now: number, nodeCount: number) {
    this.folder = folder;
    this.#nodeCount = nodeCount;
    this.now = now;
  }

  static async make(now: string, nodes = 1): Promise<Clockwork> {
    return new Clockwork(await mkdtemp(join(tmpdir(), 'hearth-schedules-')), Date.parse(now), nodes);
  }

  /** As the platform does at its start; may be called again after `stop`. */
  async start(): Promise<void> {
    this.store = await openSqliteStore({ file: join(this.folder, 'hearth.db'), log: silent });
    this.queue = await openSqliteQueue({ file: join(this.folder, 'queue.db'), log: silent });
    this.#durable = createDurableInvocations({
      queue: this.queue,
      runner: {
        room: () => 100,
        submit: (input, version, sink) => this.#submit({ input, version, sink }),
        cancelById: (id) => {
          const one = this.running.find(({ input }) => input.id === id);
          if (one) this.#over(one, { state: 'cancelled', status: 409, errorCode: 'cancelled' });
          return one !== undefined;
        },
      },
      loadVersion: (name, number) => this.store.version(name, number),
      describe: () => null,
      choose: (name) => this.#versions.get(name),
      revealSecret: () => undefined,
      settings: { maxRunning: 1000, leaseMarginMs: 60_000, maxResultBytes: 1000, keepKeysMs: 1, callbackHosts: [] },
      random: () => 0,
      log: silent,
    });
    this.nodes.length = 0;
    for (let index = 0; index < this.#nodeCount; index++) this.nodes.push(this.#makeNode());
    this.schedules = (this.nodes[0] as TestNode).schedules;
    for (const version of await this.store.currentVersions()) this.#put(version);
    await this.#durable.start();
    for (const { schedules } of this.nodes) {
      await schedules.load();
      await schedules.start();
    }
    await this.quiet();
    await this.pass(0);
  }

  #makeNode(): TestNode {
    const seat = new Seat();
    let node: TestNode;
    const isCutOff = () => node.isDead || node.isCutOff;
    const durable = this.#durable;
    const schedules = new Schedules({
      store: this.#counted(
        {
          ...this.store,
          changeSchedules: async (changes) => {
            const written = await this.#changeSchedules(changes);
            this.#tell(
              node,
              changes.map(({ schedule }) => schedule.functionName),
            );
            return written;
          },
          deleteSchedule: async (name) => {
            const was = await this.store.deleteSchedule(name);
            this.#tell(node, [name]);
            return was;
          },
        },
        () => node.isDead,
      ),
      invocations: this.#counted(
        {
          accept: (request) => durable.invocations.accept(request),
          get: (id) => durable.invocations.get(id),
          cancel: (id) => durable.invocations.cancel(id),
          watch: (id, listener) => durable.invocations.watch(id, listener),
        },
        isCutOff,
      ),
      current: (name) => this.#versions.get(name),
      leadership: this.#nodeCount === 1 ? ALWAYS : seat,
      clock: () => this.now,
      setTimer: (callback, ms) => {
        const timer = { at: this.#monotonic + ms, callback: () => node.isDead || callback() };
        this.#timers.push(timer);
        return () => {
          this.#timers = this.#timers.filter((other) => other !== timer);
        };
      },
      onFiring: ({ functionName, state }) => this.told.push(`${functionName} ${state}`),
      log: silent,
    });
    node = { schedules, seat, isCutOff: false, isDead: false };
    return node;
  }

  /** As the change feed does: the others hear of it. */
  #tell(from: TestNode, names: readonly string[]): void {
    for (const node of this.nodes) {
      if (node === from) continue;
      for (const name of names) {
        const tell = async () => {
          if (!node.isDead) await node.schedules.changed(name);
        };
        if (this.feedHeld) this.#heldChanges.push(tell);
        else void tell();
      }
    }
  }

  /** What was held back is heard. */
  async releaseFeed(): Promise<void> {
    this.feedHeld = false;
    for (const tell of this.#heldChanges.splice(0)) await tell();
    await this.quiet();
  }

  /** What timers are set for, in milliseconds from now. */
  get timers(): number[] {
    return this.#timers.map(({ at }) => at - this.#monotonic);
  }

  async stop(): Promise<void> {
    for (const { schedules, isDead } of this.nodes) {
      schedules.stop();
      if (!isDead) await schedules.close();
    }
    this.#durable.stop();
    for (const one of [...this.running]) this.#over(one, { state: 'failed', status: 503, errorCode: 'draining' });
    await this.#durable.settled(5000);
    await this.#durable.close();
    await this.store.close();
    this.#timers = [];
  }

  async register(functionName: string, eventKey: string, policy: Partial<SchedulePolicy> = {}): Promise<FunctionVersion> {
    const { version } = await this.store.putVersion({
      ...versionDraft({ functionName, eventKey, hash: `${this.now} ${eventKey} ${JSON.stringify(policy)}` }),
      retry: { attempts: 1, minBackoffMs: 1, maxBackoffMs: 1, maxAgeMs: 1e12 },
      schedule: eventKey.startsWith('cron|') ? { ...POLICY, ...policy } : null,
    });
    this.#put({ ...version, createdAt: this.now });
    await this.quiet();
    return version;
  }

  /** Lets time go by, timers and all. */
  async pass(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    for (;;) {
      const [first] = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (!first) break;
      this.#timers = this.#timers.filter((timer) => timer !== first);
      const step = Math.max(0, first.at - this.#monotonic);
      this.#monotonic += step;
      this.now += step;
      first.callback();
      await this.quiet();
    }
    this.now += end - this.#monotonic;
    this.#monotonic = end;
  }

  /** The oldest run of a function ends. */
  async end(functionName: string, how: 'succeed' | 'fail' = 'succeed'): Promise<void> {
    const one = this.running.find(({ version }) => version.functionName === functionName);
    if (!one) throw new Error(`${functionName} is not running`);
    this.#end(one, how);
    await this.quiet();
    await this.pass(0);
  }

  async firings(functionName: string): Promise<FiringRecord[]> {
    const firings = await this.store.firings({ functionName, limit: 1000 });
    return firings.sort((a, b) => a.round - b.round || a.scheduledAt - b.scheduledAt);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop().catch(() => undefined);
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Resolves once nothing moves: no call is under way, and what is queued runs. */
  async quiet(): Promise<void> {
    let still = 0;
    await until(async () => {
      const queued = await this.queue.list({ state: 'queued', limit: 1 });
      const running = await this.queue.list({ state: 'running', limit: 1000 });
      still = this.#busy === 0 && queued.length === 0 && running.length === this.running.length ? still + 1 : 0;
      await sleep(1);
      return still >= 3;
    });
  }

  #put(version: FunctionVersion): void {
    this.#versions.set(version.functionName, version);
    this.#durable.versions.put(version.functionName, [version]);
    for (const { schedules, isDead } of this.nodes) if (!isDead) schedules.put(version);
  }

  #submit(one: Running): void {
    const body = JSON.parse(String(one.input.body)) as { scheduled_at: string; event?: string; failures?: number };
    this.runs.push(`${one.version.functionName} ${body.event ? `${body.event} ${body.failures}` : body.scheduled_at.slice(11, 19)}`);
    this.ids.push(one.input.id);
    this.running.push(one);
    const how = this.ending(one.version.functionName);
    if (how !== 'hold') setImmediate(() => this.#end(one, how));
  }

  #end(one: Running, how: 'succeed' | 'fail'): void {
    one.sink.reply({} as Invocation, how === 'succeed' ? 200 : 500, [], Buffer.from('x'));
    this.#over(one, { state: 'succeeded', status: how === 'succeed' ? 200 : 500 });
  }

  #over(one: Running, members: Partial<InvocationRecord>): void {
    const at = this.running.indexOf(one);
    if (at < 0) return;
    this.running.splice(at, 1);
    const record = {
      errorCode: null,
      errorMessage: null,
      instanceId: 'i',
      start: 'warm',
      acceptedAt: 1,
      endedAt: 2,
      queueMs: 0,
      startMs: 0,
      runMs: 0,
      logs: null,
    };
    one.sink.over?.({ ...record, ...members } as InvocationRecord);
  }

  async #changeSchedules(changes: Parameters<Store['changeSchedules']>[0]): ReturnType<Store['changeSchedules']> {
    if (this.failures === 0) return this.store.changeSchedules(changes);
    this.failures -= 1;
    throw new Error('the disk is gone');
  }

  /** Knows how many calls are under way. */
  #counted<T extends object>(parts: T, isCut: () => boolean): T {
    const counted = Object.entries(parts).map(([name, method]) => [
      name,
      (...args: unknown[]) => {
        if (isCut() && name !== 'watch') return new Promise(() => undefined);
        const result = (method as (...args: unknown[]) => unknown)(...args);
        if (!(result instanceof Promise)) return result;
        this.#busy += 1;
        return result.finally(() => {
          this.#busy -= 1;
        });
      },
    ]);
    return Object.fromEntries(counted) as T;
  }
}
