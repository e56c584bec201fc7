import { HearthError } from '../errors.ts';
import { parseEventKey } from '../router/event-key.ts';
import type { FunctionDefinition, FunctionVersion } from '../schemas/function.ts';
import type { SchedulePolicy } from '../schemas/schedule.ts';
import { CronReader } from './cron.ts';

const DEFAULTS = { missed: 'once', missedWithinS: 24 * 3600, overlap: 'forbid', jitterS: 0 } as const;

/** How the function is run by the clock, with everything decided; null when it is not. */
export function schedulePolicyOf({ event_type: eventKey, schedule = {} }: FunctionDefinition): SchedulePolicy | null {
  if (parseEventKey(eventKey).kind !== 'cron') return null;
  const { on_failure: onFailure, on_recovery: onRecovery } = schedule;
  return {
    missed: schedule.missed ?? DEFAULTS.missed,
    missedWithinS: schedule.missed_within_s ?? DEFAULTS.missedWithinS,
    overlap: schedule.overlap ?? DEFAULTS.overlap,
    jitterS: schedule.jitter_s ?? DEFAULTS.jitterS,
    onFailure: onFailure ? { after: onFailure.after ?? 1, target: { kind: 'function', name: onFailure.function } } : null,
    onRecovery: onRecovery ? { target: { kind: 'function', name: onRecovery.function } } : null,
  };
}

/**
 * What the schema can't say of an event key and what goes with it.
 * @param now milliseconds since the epoch
 * @throws HearthError invalid_request that names the member
 */
export function checkSchedule({ event_type: eventKey, schedule }: FunctionDefinition, now: number): void {
  const key = parseEventKey(eventKey);
  if (key.kind !== 'cron') {
    if (schedule !== undefined) throw invalid('schedule', 'it goes with an event key `cron|…`; this one is run by something else.');
    return;
  }
  if (new CronReader().times(key).next(now) === null) {
    throw invalid('event_type', `there is no day on which ${JSON.stringify(key.expression)} comes true.`);
  }
  if (schedule?.on_recovery && !schedule.on_failure) {
    throw invalid('schedule.on_recovery', 'it follows `on_failure`, which is not there.');
  }
}

/** Words for whoever names a function that is to be told and isn't there yet. */
export function sayIfNobodyIsTold({ functionName, schedule }: FunctionVersion, exists: (functionName: string) => boolean): string[] {
  const targets = [schedule?.onFailure?.target.name, schedule?.onRecovery?.target.name];
  const missing = [...new Set(targets)].filter((name) => name !== undefined && name !== functionName && !exists(name));
  return missing.map(
    (name) => `There is no function "${name}" now, which the schedule of "${functionName}" is to tell: until there is, nobody is told.`,
  );
}

function invalid(field: string, message: string): HearthError {
  return new HearthError('invalid_request', `${field}: ${message}`, { extra: { errors: [{ field, message }] } });
}
