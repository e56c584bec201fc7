import type { FiringRecord, ScheduleChange, ScheduleRecord } from '../schemas/schedule.ts';
import type { Store } from '../store/store.ts';

/** A schedule as it is, for whoever decides on a change. */
export interface ScheduleView {
  /** Undefined: there is none yet. */
  record: ScheduleRecord | undefined;
  /** Firings that are queued or running, or about to be queued. */
  open: ReadonlyMap<string, FiringRecord>;
}

type Step<C extends ScheduleChange> = (view: ScheduleView) => C | null;

interface Request {
  name: string;
  /** Null: it is to be removed. */
  step: Step<ScheduleChange> | null;
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
const PAGE = 1000;
const NO_FIRINGS: ReadonlyMap<string, FiringRecord> = new Map();

/**
 * All schedules and their open firings, in memory as they are on the disk. A change is decided on, written and only then in force, and the next one of the
 * same schedule is decided on after that. Those of different schedules share a commit when they come while one is under way.
 */
export class ScheduleBook {
  readonly #store: Pick<Store, 'schedules' | 'openFirings' | 'changeSchedules' | 'deleteSchedule'>;
  readonly #records = new Map<string, ScheduleRecord>();
  readonly #open = new Map<string, Map<string, FiringRecord>>();
  #requests: Request[] = [];
  #writing: Promise<void> | null = null;
  /** Names that were forgotten while a batch was under way. */
  readonly #forgotten = new Set<string>();

  constructor(store: Pick<Store, 'schedules' | 'openFirings' | 'changeSchedules' | 'deleteSchedule'>) {
    this.#store = store;
  }

  /** @throws HearthError store_unavailable */
  async load(): Promise<void> {
    for (let after = ''; ; ) {
      const page = await this.#store.schedules({ after, limit: PAGE });
      for (const record of page) this.#records.set(record.functionName, record);
      if (page.length < PAGE) break;
      after = (page.at(-1) as ScheduleRecord).functionName;
    }
    for (let after = ''; ; ) {
      const page = await this.#store.openFirings({ after, limit: PAGE });
      for (const firing of page) this.#keep(firing);
      if (page.length < PAGE) break;
      after = (page.at(-1) as FiringRecord).id;
    }
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
      this.#requests.push({ name, step, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  /** Never rejects. */
  async #writeAll(): Promise<void> {
    // Whatever else comes in this turn goes along.
    await Promise.resolve();
    while (this.#requests.length > 0) {
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
      const refused = new Set((await this.#store.changeSchedules(decided.map(({ change }) => change))).refused);
      for (const { request, change } of decided) {
        if (!this.#forgotten.has(request.name)) this.#apply(change, refused);
        request.resolve({ change, refused });
      }
    } catch (error) {
      for (const { request } of decided) request.reject(error);
    }
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
