import type { Outlook } from '../../scheduler/outlook.ts';

/** Another node that might run the call. */
export interface Candidate {
  readonly id: string;
  /** Calls of this version that its ready instances would take at once. */
  readonly freeSlots: number;
  /** Instances that it could start. */
  readonly room: number;
  /** Of handing over. Milliseconds. */
  readonly roundTripMs: number;
}

export interface Situation {
  /** Of the call here, where no ready instance takes it at once. */
  readonly outlook: Outlook;
  /** A start takes so long. Milliseconds. */
  readonly startMs: number;
  /** In the order in which the function's instances are to be gathered (cluster/locality); null stands for this node. */
  readonly order: readonly (Candidate | null)[];
}

/** `warm`: it is cold here, and an instance elsewhere is free. `home`: it is cold everywhere, and at home there. `saturated`: it would wait here. */
export type Reason = 'warm' | 'home' | 'saturated';

export interface Decision {
  readonly to: string;
  readonly reason: Reason;
}

/** Whether another node answers sooner, and which; null: it runs here. Asked only where no instance here is free. */
export function decide({ outlook, startMs, order }: Situation): Decision | null {
  const { cold, waitMs, mayGrow } = outlook;
  const first = (suits: (candidate: Candidate) => boolean): Candidate | undefined => order.find((one) => one !== null && suits(one)) ?? undefined;
  const warm = first(({ freeSlots, roundTripMs }) => freeSlots > 0 && roundTripMs < waitMs);
  if (warm) return { to: warm.id, reason: cold ? 'warm' : 'saturated' };
  if (mayGrow) {
    const [home] = order;
    // Somebody has to start one: let it be where the next call of it finds it.
    return cold && home && home.room > 0 && home.roundTripMs < startMs ? { to: home.id, reason: 'home' } : null;
  }
  const free = first(({ room, roundTripMs }) => room > 0 && roundTripMs + startMs < waitMs);
  return free ? { to: free.id, reason: 'saturated' } : null;
}

/** Who asked may have counted on what is no longer so: an answer within so many times what it expects of itself is worth the way. */
const PATIENCE = 2;

/** Whether a call is taken over. @param askerWaitMs what it would wait for where it came from @param timeoutMs what is left of its time */
export function isWelcome(outlook: Outlook, askerWaitMs: number, timeoutMs: number): boolean {
  const { waitMs } = outlook;
  return waitMs === 0 || (waitMs < timeoutMs && waitMs < Number.POSITIVE_INFINITY && waitMs <= PATIENCE * askerWaitMs);
}
