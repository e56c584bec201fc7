import { HearthError } from '../errors.ts';
import type { FiringRecord, ScheduleChange, ScheduleRecord } from '../schemas/schedule.ts';
import type { Store } from '../store/store.ts';
import { readSchedules } from './read-schedules.ts';

/** A schedule as it is, for whoever decides on a change. */
export interface ScheduleView {
  /** Undefined: there is none yet. */
  record: ScheduleRecord | undefined;
  /** Firings that are queued or running, or about to be queued. */
  open: ReadonlyMap<string, FiringRecord>;
}

export type BookStore = Pick<Store, 'schedules' | 'schedule' | 'openFirings' | 'changeSchedules' | 'deleteSchedule'>;

type Step<C extends ScheduleChange> = (view: ScheduleView) => C | null;

interface Request {
  name: string;
  /** Null: it is to be removed. */
  step: Step<ScheduleChange> | null;
  /** How often somebody else was first. */
  stale: number;
  resolve(outcome: Changed<ScheduleChange> | null): void;
  reject(error: unknown): void;
}

export interface Changed<C extends ScheduleChange = ScheduleChange> {
  change: C;
  /** Ids of firings that the store left out, since their instants have had one, or since the function is gone. */
  refused: ReadonlySet<string>;
}

/** Schedules whose changes are decided on at a time, so that requests don't wait long for the event loop; and what one commit has at most. */
const BATCH = 25;
/** How often a change is decided on anew because another node was first. */
const MAX_STALE = 20;
const NO_FIRINGS: ReadonlyMap<string, FiringRecord> = new Map();

/**
 * All schedules and their open firings, in memory as they are on the disk. A change is decided on, written and only then in force, and the next one of the
 * same schedule is decided on after that. Those of different schedules share a commit when they come while one is under way.
 *
 * Other nodes may write to the same store. What was decided on something that isn't so any more is not written; it is read and decided on anew. Reading and
 * writing take turns, so that what was read is never older than what was written.
 */
export class ScheduleBook {
  readonly #store: BookStore;
  readonly #records = new Map<string, ScheduleRecord>();
  readonly #open = new Map<string, Map<string, FiringRecord>>();
  #requests: Request[] = [];
  #reads: (() => Promise<void>)[] = [];
  #writing: Promise<void> | null = null;
  /** Names that were forgotten while a batch was under way. */
  readonly #forgotten = new Set<string>();

  constructor(store: BookStore) {
    this.#store = store;
  }

  /** Everything, after what is being written. @throws HearthError store_unavailable */
  load(): Promise<void> {
    return this.#read(async () => {
      const { records, open } = await readSchedules(this.#store);
      this.#records.clear();
      this.#open.clear();
      for (const record of records) if (!this.#forgotten.has(record.functionName)) this.#records.set(record.functionName, record);
      for (const firing of open) if (!this.#forgotten.has(firing.functionName)) this.#keep(firing);
    });
  }

  /** Another node has changed it, or firings of it. @throws HearthError store_unavailable */
  reread(name: string): Promise<void> {
    return this.#read(() => this.#readOne(name));
  }

  get(name: string): ScheduleRecord | undefined {
    return this.#records.get(name);
  }

  names(): string[] {
    return [...this.#records.keys()];
  }

  open(name: string): ReadonlyMap<string, FiringRecord> {
    return this.#open.get(name) ?? NO_FIRINGS;
  }

  /**
   * Resolves once the change is on the disk and in force; with null when the step decided on none.
   * @throws what the step throws; HearthError store_unavailable, storage_full: then nothing has changed
   */
  change<C extends ScheduleChange>(name: string, step: Step<C>): Promise<Changed<C> | null> {
    return this.#ask(name, step) as Promise<Changed<C> | null>;
  }

  /** The function is gone, and with it everything that the store had of its schedule. */
  forget(name: string): void {
    this.#records.delete(name);
    this.#open.delete(name);
    if (this.#writing) this.#forgotten.add(name);
  }

  /** The function is not run by the clock any more. @throws HearthError store_unavailable */
  async remove(name: string): Promise<void> {
    await this.#ask(name, null);
  }

  /** Resolves once nothing is being written. */
  async idle(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  #ask(name: string, step: Request['step']): Promise<Changed<ScheduleChange> | null> {
    return new Promise((resolve, reject) => {
      this.#requests.push({ name, step, stale: 0, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  #read(read: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#reads.push(() => read().then(resolve, reject));
      this.#writing ??= this.#writeAll();
    });
  }

  /** Never rejects. */
  async #writeAll(): Promise<void> {
    // Whatever else comes in this turn goes along.
    await Promise.resolve();
    while (this.#reads.length > 0 || this.#requests.length > 0) {
      await Promise.all(this.#reads.splice(0, BATCH).map((read) => read()));
      await this.#writeSome();
      this.#forgotten.clear();
    }
    this.#writing = null;
  }

  async #writeSome(): Promise<void> {
    const decided: { request: Request; change: ScheduleChange }[] = [];
    const removals: Request[] = [];
    const names = new Set<string>();
    const requests = this.#requests;
    const later: Request[] = [];
    let index = 0;
    for (; index < requests.length && names.size < BATCH; index++) {
      const request = requests[index] as Request;
      if (names.has(request.name)) {
        later.push(request);
        continue;
      }
      names.add(request.name);
      if (!request.step) {
        removals.push(request);
        continue;
      }
      try {
        const change = request.step({ record: this.#records.get(request.name), open: this.open(request.name) });
        if (change) decided.push({ request, change });
        else request.resolve(null);
      } catch (error) {
        request.reject(error);
      }
    }
    // A step may have asked for more, which stands at the end of the same list.
    this.#requests = later.concat(requests.slice(index));
    if (decided.length > 0) await this.#commit(decided);
    for (const request of removals) {
      try {
        await this.#store.deleteSchedule(request.name);
        this.#records.delete(request.name);
        this.#open.delete(request.name);
        request.resolve(null);
      } catch (error) {
        request.reject(error);
      }
    }
  }

  async #commit(decided: readonly { request: Request; change: ScheduleChange }[]): Promise<void> {
    try {
      const written = await this.#store.changeSchedules(decided.map(({ change }) => change));
      const refused = new Set(written.refused);
      const stale = new Set(written.stale);
      if (stale.size > 0) await this.#decideAnew(decided.flatMap(({ request }) => (stale.has(request.name) ? [request] : [])));
      for (const { request, change } of decided) {
        if (stale.has(request.name)) continue;
        if (!this.#forgotten.has(request.name)) this.#apply(change, refused);
        request.resolve({ change, refused });
      }
    } catch (error) {
      for (const { request } of decided) request.reject(error);
    }
  }

  /** Another node was first: what it has written is read, and they come next. Never rejects. */
  async #decideAnew(requests: readonly Request[]): Promise<void> {
    const again: Request[] = [];
    for (const request of requests) {
      request.stale += 1;
      try {
        if (request.stale > MAX_STALE) throw contended(request.name);
        await this.#readOne(request.name);
        again.push(request);
      } catch (error) {
        request.reject(error);
      }
    }
    this.#requests = again.concat(this.#requests);
  }

  async #readOne(name: string): Promise<void> {
    const { record, open } = await this.#store.schedule(name);
    if (this.#forgotten.has(name)) return;
    this.#open.delete(name);
    if (record) this.#records.set(name, record);
    else this.#records.delete(name);
    for (const firing of open) this.#keep(firing);
  }

  #apply({ schedule, firings }: ScheduleChange, refused: ReadonlySet<string>): void {
    this.#records.set(schedule.functionName, { ...schedule, revision: schedule.revision + 1 });
    for (const firing of firings) {
      if (firing.state === 'open' && !refused.has(firing.id)) this.#keep(firing);
      else this.#drop(firing);
    }
  }

  #keep(firing: FiringRecord): void {
    const open = this.#open.get(firing.functionName) ?? new Map<string, FiringRecord>();
    this.#open.set(firing.functionName, open);
    open.set(firing.id, firing);
  }

  #drop({ functionName, id }: FiringRecord): void {
    const open = this.#open.get(functionName);
    open?.delete(id);
    if (open?.size === 0) this.#open.delete(functionName);
  }
}

function contended(name: string): HearthError {
  return new HearthError('conflict', `The schedule "${name}" is being changed by other nodes all the time. Try again in a second.`, {
    retryAfter: 1,
  });
}
