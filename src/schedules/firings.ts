import { newInvocationId } from '../scheduler/invocation-id.ts';
import type { FiringRecord, ScheduleNotice } from '../schemas/schedule.ts';
import type { Deliveries } from './deliveries.ts';
import type { DueTimer } from './due-timer.ts';
import type { SchedulesInForce } from './in-force.ts';
import { planFirings } from './plan-firings.ts';
import { type FiringOutcome, settleFiring } from './settle-firing.ts';
import type { Waits } from './waits.ts';

export interface FiringParts {
  inForce: SchedulesInForce;
  deliveries: Deliveries;
  timer: DueTimer;
  waits: Waits;
  clock: () => number;
  /** A firing is written down. */
  onFiring(firing: FiringRecord): void;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void; error(fields: object, message: string): void };
}

/** Until what could not be written down is tried again. Milliseconds. */
const RETRY_MS = 5000;

/** Makes firings of instants that are due, and counts what came of them. */
export class Firings {
  readonly #parts: FiringParts;
  /** Names whose due instants were missed, until all that were are dealt with. */
  readonly #recovering = new Set<string>();
  #stopped = false;

  constructor(parts: FiringParts) {
    this.#parts = parts;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** What is due of it now was due when the platform was not there. */
  wasDown(name: string): void {
    this.#recovering.add(name);
  }

  /** Whatever is due of a schedule. Never rejects. */
  async fire(name: string): Promise<void> {
    const { inForce, deliveries, clock, timer, onFiring, log } = this.#parts;
    try {
      await this.refresh(name);
      let replaced: string[] = [];
      const changed = await inForce.change(name, ({ record, policy, times, open }) => {
        if (this.#stopped) return null;
        const wasDown = this.#recovering.has(name);
        const plan = planFirings({ record, policy, times, now: clock(), open: open.size, wasDown, newId: newInvocationId });
        if (plan === 'wait') inForce.hold(name);
        if (plan === null) this.#recovering.delete(name);
        if (plan === null || plan === 'wait') return null;
        replaced = plan.replaces ? [...open.keys()] : [];
        return { schedule: plan.schedule, firings: plan.firings, notices: [] };
      });
      if (!changed) return;
      const { dueAt } = changed.change.schedule;
      if (dueAt !== null && dueAt <= clock()) this.#recovering.add(name);
      else this.#recovering.delete(name);
      const written = changed.change.firings.filter(({ id }) => !changed.refused.has(id));
      for (const firing of written) onFiring(firing);
      // Whoever fires in its stead by now takes up what is written down.
      if (this.#stopped) return;
      await this.#cancelAll(replaced);
      for (const firing of written) {
        if (firing.state === 'open') deliveries.deliver(firing);
      }
    } catch (error) {
      if (this.#stopped) return;
      log.warn({ err: error, function: name }, 'a schedule could not be fired; it is tried again');
      if (inForce.has(name)) timer.set(name, clock() + RETRY_MS);
    }
  }

  /** Tries until it is on the disk. Never rejects. */
  async settle(firing: FiringRecord, outcome: FiringOutcome): Promise<void> {
    const { inForce, waits, log } = this.#parts;
    const name = firing.functionName;
    for (let tries = 0; ; tries++) {
      try {
        const changed = await inForce.change(name, ({ record, policy, open }) =>
          open.has(firing.id) ? settleFiring(record, policy, firing, outcome, newInvocationId) : null,
        );
        for (const notice of changed?.change.notices ?? []) this.#tell(notice);
        if (inForce.release(name) && !this.#stopped) await this.fire(name);
        return;
      } catch (error) {
        if (tries === 0) log.error({ err: error, function: name, id: firing.id }, 'what came of a firing can not be written down; it is tried again');
        // The next start asks the queue again.
        if (this.#stopped) return;
        await waits.for(RETRY_MS);
      }
    }
  }

  #tell(notice: ScheduleNotice): void {
    const { functionName, kind, target } = notice;
    const fields = { function: functionName, told: target.name };
    if (kind === 'on_failure') this.#parts.log.warn(fields, 'a schedule has failed too often in a row');
    else this.#parts.log.info(fields, 'a schedule that had failed has succeeded');
    this.#parts.deliveries.tell(notice, false);
  }

  /** What is over is counted before it is said to overlap: its outcome is handed to the same book ahead of the next change. */
  async refresh(name: string): Promise<void> {
    const status = this.#parts.inForce.get(name);
    if (!status || status.policy.overlap === 'allow') return;
    await Promise.all(status.open.map(({ id }) => this.#parts.deliveries.check(id)));
  }

  async #cancelAll(ids: readonly string[]): Promise<void> {
    await Promise.all(ids.map((id) => this.#parts.deliveries.cancel(id)));
  }
}
