import { HearthError } from '../errors.ts';
import { newInvocationId } from '../scheduler/invocation-id.ts';
import type { FiringRecord, ScheduleRecord } from '../schemas/schedule.ts';
import { type Deciding, missing, type SchedulesInForce } from './in-force.ts';
import { MAX_OPEN } from './plan-firings.ts';

export interface FireNow {
  inForce: SchedulesInForce;
  functionName: string;
  isStopped: boolean;
  /** See to it that what is over is counted, if this process does that. */
  refresh(): Promise<void>;
  /** The record, with a cursor if it is a new one. */
  begun(deciding: Deciding): ScheduleRecord;
  now: () => number;
}

/**
 * Writes a firing down, whatever the expression says, paused or not.
 * @returns it, and ids of those that it replaces
 * @throws HearthError not_found, draining, store_unavailable; conflict when one is running and the schedule forbids another
 */
export async function fireNow({ inForce, functionName, isStopped, refresh, begun, now }: FireNow): Promise<{
  firing: FiringRecord;
  replaced: readonly string[];
}> {
  if (isStopped) {
    throw new HearthError('draining', 'The platform is shutting down and takes no more work. Try again in a few seconds.', { retryAfter: 5 });
  }
  await refresh();
  let replaced: string[] = [];
  const changed = await inForce.change(functionName, (deciding) => {
    const { policy, open } = deciding;
    if (policy.overlap === 'forbid' ? open.size > 0 : policy.overlap === 'allow' && open.size >= MAX_OPEN) throw overlaps(functionName, open);
    replaced = policy.overlap === 'replace' ? [...open.keys()] : [];
    const schedule = begun(deciding);
    return { schedule, firings: [manual(functionName, schedule.round, now())], notices: [] };
  });
  const firing = changed?.change.firings[0];
  if (!firing || changed?.refused.has(firing.id)) throw missing(functionName);
  return { firing, replaced };
}

function manual(functionName: string, round: number, now: number): FiringRecord {
  return {
    id: newInvocationId(),
    functionName,
    scheduledAt: now,
    round,
    kind: 'manual',
    firedAt: now,
    endedAt: null,
    state: 'open',
    reason: null,
  };
}

function overlaps(name: string, open: ReadonlyMap<string, FiringRecord>): HearthError {
  const [first] = open.keys();
  return new HearthError(
    'conflict',
    `The schedule "${name}" has ${open.size === 1 ? 'an invocation' : `${open.size} invocations`} queued or running (${first}), and lets no other run beside it.`,
  );
}
