import type { Bundles } from '../bundles/bundles.ts';
import { HearthError } from '../errors.ts';
import type { Layers } from '../layers/layers.ts';
import type { FunctionVersion } from '../schemas/function.ts';

/** What versions need that may not be on this machine, when another node registered them: layers, which are built here, and bundles, which are fetched. */
export interface Need {
  kind: 'layer' | 'bundle';
  id: string;
}

export interface SuppliesParts {
  layers: Pick<Layers, 'byId' | 'restore'>;
  bundles: Pick<Bundles, 'get' | 'isHere'>;
  /** All that was brought for the function is here now. What it rejects with has it called again later. */
  onSupplied(functionName: string): Promise<void>;
  log: { warn(fields: object, message: string): void; info(fields: object, message: string): void };
}

/** Between two tries; doubled with each in a row that fails. Milliseconds. */
const FIRST_RETRY_MS = 2000;
const LAST_RETRY_MS = 5 * 60_000;

interface Errand {
  readonly need: Need;
  /** Names of the functions that wait for it. */
  readonly waiting: Set<string>;
  failures: number;
  timer: NodeJS.Timeout | null;
}

/**
 * Brings what is missing, in the background. An errand: under way → done | failed → waiting for its next try → under way … It ends when nobody waits for it any more. Bundles
 * come one after another, and layers are built so anyway.
 */
export class Supplies {
  readonly #parts: SuppliesParts;
  readonly #errands = new Map<string, Errand>();
  /** By function name: calls of `onSupplied` that are tried again. */
  readonly #again = new Map<string, NodeJS.Timeout>();
  #fetched: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(parts: SuppliesParts) {
    this.#parts = parts;
  }

  /** What of theirs is not here. */
  async missing(versions: readonly FunctionVersion[]): Promise<Need[]> {
    const { layers, bundles } = this.#parts;
    const needs: Need[] = [];
    for (const { layers: ids, bundle } of versions) {
      for (const id of ids) if (layers.byId(id) === undefined) needs.push({ kind: 'layer', id });
      if (bundle !== null && !(await bundles.isHere(bundle.hash))) needs.push({ kind: 'bundle', id: bundle.hash });
    }
    return needs;
  }

  /** Begins to bring what a function needs; what is asked for already is not asked for twice. What it needed before is forgotten. */
  bring(functionName: string, needs: readonly Need[]): void {
    if (this.#closed) return;
    this.forget(functionName, new Set(needs.map(nameOf)));
    for (const need of needs) {
      const errand = this.#errands.get(nameOf(need));
      if (errand) errand.waiting.add(functionName);
      else this.#begin({ need, waiting: new Set([functionName]), failures: 0, timer: null });
    }
  }

  /** The function needs nothing any more, except for those. */
  forget(functionName: string, except: ReadonlySet<string> = new Set()): void {
    clearTimeout(this.#again.get(functionName));
    this.#again.delete(functionName);
    for (const [name, errand] of this.#errands) {
      if (except.has(name) || !errand.waiting.delete(functionName) || errand.waiting.size > 0 || errand.timer === null) continue;
      clearTimeout(errand.timer);
      this.#errands.delete(name);
    }
  }

  /** Whether something is on its way for the function. */
  isWaiting(functionName: string): boolean {
    return this.#again.has(functionName) || [...this.#errands.values()].some(({ waiting }) => waiting.has(functionName));
  }

  /** What is under way is left to its owners to end. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#errands.values()) if (timer) clearTimeout(timer);
    for (const timer of this.#again.values()) clearTimeout(timer);
    this.#errands.clear();
    this.#again.clear();
  }

  #begin(errand: Errand): void {
    this.#errands.set(nameOf(errand.need), errand);
    errand.timer = null;
    this.#fetch(errand.need).then(
      () => this.#done(errand),
      (error: unknown) => this.#failed(errand, error),
    );
  }

  async #fetch({ kind, id }: Need): Promise<void> {
    if (kind === 'layer') {
      if ((await this.#parts.layers.restore(id)) === undefined) throw new HearthError('not_found', `Nobody knows what layer ${id} was made of.`);
      return;
    }
    const fetched = this.#fetched.then(() => this.#parts.bundles.get(id));
    this.#fetched = fetched.catch(() => undefined);
    if ((await fetched) === undefined) throw new HearthError('not_found', `There is no bundle ${id} that it could be fetched from.`);
  }

  #done({ need, waiting, failures }: Errand): void {
    if (this.#closed) return;
    this.#errands.delete(nameOf(need));
    if (failures > 0) this.#parts.log.info({ ...need, functions: [...waiting] }, 'what functions need is here now');
    for (const functionName of waiting) if (!this.isWaiting(functionName)) this.#tell(functionName, 0);
  }

  #failed(errand: Errand, error: unknown): void {
    if (this.#closed) return;
    const { need, waiting } = errand;
    if (waiting.size === 0) {
      this.#errands.delete(nameOf(need));
      return;
    }
    const delayMs = backoff(errand.failures++);
    this.#parts.log.warn(
      { err: error, ...need, functions: [...waiting].slice(0, 10), retryMs: delayMs },
      'what functions need could not be brought to this machine; it is tried again',
    );
    errand.timer = setTimeout(() => this.#begin(errand), delayMs);
  }

  #tell(functionName: string, failures: number): void {
    this.#again.delete(functionName);
    this.#parts.onSupplied(functionName).catch((error: unknown) => {
      if (this.#closed) return;
      this.#parts.log.warn(
        { err: error, function: functionName },
        'a function that another node registered could not be put in service; it is tried again',
      );
      this.#again.set(
        functionName,
        setTimeout(() => this.#tell(functionName, failures + 1), backoff(failures)),
      );
    });
  }
}

function nameOf({ kind, id }: Need): string {
  return `${kind} ${id}`;
}

function backoff(failures: number): number {
  return Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 20));
}
