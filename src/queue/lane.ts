import type { FunctionVersion } from '../schemas/function.ts';
import type { LaneKey, Taken } from './durable-queue.ts';

/** Taken beforehand while others run, so that an instance which becomes free needn't wait for the disk; at most so many. */
const MAX_AHEAD = 16;

/** What the dispatcher knows of one lane. The queued invocations themselves stay on the disk. */
export class Lane {
  readonly key: LaneKey;
  /** Null until it is known; it is loaded with the first take. */
  version: FunctionVersion | null = null;
  /** Taken, and not yet given to the scheduler. */
  readonly ahead: Taken[] = [];
  running = 0;
  /** A take is under way. */
  taking = false;
  /** When the next one is due, by the queue's clock; null: nothing is queued as far as is known. */
  dueAt: number | null = null;
  /** Something was queued while a take was under way, which may have missed it. */
  #offered: number | null = null;

  constructor(key: LaneKey) {
    this.key = key;
  }

  /** Something is queued that is due then. */
  offer(dueAt: number): void {
    if (this.taking) this.#offered = Math.min(dueAt, this.#offered ?? dueAt);
    else this.dueAt = Math.min(dueAt, this.dueAt ?? dueAt);
  }

  took(taken: readonly Taken[], nextDueAt: number | null): void {
    this.ahead.push(...taken);
    this.dueAt = nextDueAt;
    this.taking = false;
    const offered = this.#offered;
    this.#offered = null;
    if (offered !== null) this.offer(offered);
  }

  /** How many are to be taken now, when the scheduler has room for so many. `shared`: somebody else may have room for what would be taken ahead. */
  wanted(room: number, shared: boolean): number {
    const ahead = shared ? 0 : Math.min(MAX_AHEAD, 2 * this.running);
    return Math.max(0, room + ahead - this.ahead.length);
  }

  get isIdle(): boolean {
    return this.ahead.length === 0 && this.running === 0 && !this.taking && this.dueAt === null;
  }
}

export function laneName({ functionName, versionNumber }: LaneKey): string {
  return `${functionName}@${versionNumber}`;
}
