import type { FiringRecord, ScheduleChange, ScheduleNotice, SchedulePolicy, ScheduleRecord } from '../schemas/schedule.ts';

/** What came of a firing's invocation, retries included. `lost`: nobody knows. */
export interface FiringOutcome {
  state: 'succeeded' | 'failed' | 'timed_out' | 'cancelled' | 'lost';
  endedAt: number;
  reason: string | null;
}

/** Counts failures in a row, and says who is to be told: once when they have become too many, and once at the first success after that. */
export function settleFiring(
  record: ScheduleRecord,
  policy: SchedulePolicy,
  firing: FiringRecord,
  outcome: FiringOutcome,
  newId: () => string,
): ScheduleChange {
  const settled: FiringRecord = { ...firing, ...outcome };
  const change = (schedule: ScheduleRecord, notices: readonly ScheduleNotice[]): ScheduleChange => ({ schedule, firings: [settled], notices });
  if (outcome.state === 'succeeded') {
    const { onRecovery } = policy;
    const notices = record.failing && onRecovery ? [notice('on_recovery', onRecovery, settled, record.failures, newId)] : [];
    return change({ ...record, failures: 0, failing: false }, notices);
  }
  // Somebody's will, or an accident of ours, is no failure of the function's.
  if (outcome.state === 'cancelled' || outcome.state === 'lost') return change(record, []);
  const failures = record.failures + 1;
  const { onFailure } = policy;
  if (record.failing || !onFailure || failures < onFailure.after) return change({ ...record, failures }, []);
  return change({ ...record, failures, failing: true }, [notice('on_failure', onFailure, settled, failures, newId)]);
}

function notice(
  kind: ScheduleNotice['kind'],
  { target }: Pick<ScheduleNotice, 'target'>,
  { id, functionName, scheduledAt, state, reason }: FiringRecord,
  failures: number,
  newId: () => string,
): ScheduleNotice {
  const body = {
    event: kind,
    schedule: functionName,
    scheduled_at: new Date(scheduledAt).toISOString(),
    invocation_id: id,
    state,
    reason,
    failures,
  };
  return { id: newId(), functionName, kind, target, body: JSON.stringify(body) };
}
