import { type Static, Type } from 'typebox';

/**
 * Functions that are run by the clock. The nouns:
 *
 * - **instant**: one that the cron expression of the event key names, in whole seconds.
 * - **firing**: what is made of an instant: an asynchronous invocation, or a note that it was left out. There is one for each instant at most.
 * - **cursor**: the next instant of a schedule; everything before it has had its firing.
 * - **missed**: an instant at which the platform was not there, or which it noticed too late.
 * - **round**: counts how often the clock was set back so far that instants come again.
 */

const DAY_S = 24 * 3600;
const strict = { additionalProperties: false };

const target = {
  function: Type.String({ minLength: 1, maxLength: 128, description: 'Name of the function that is invoked, asynchronously.' }),
};

export const ScheduleDefinition = Type.Object(
  {
    missed: Type.Optional(
      Type.Union([Type.Literal('skip'), Type.Literal('once'), Type.Literal('all')], {
        description:
          'What becomes of instants at which the platform was down: none is made up for, one firing for all of them (default), or one for each, 100 at most.',
      }),
    ),
    missed_within_s: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 366 * DAY_S, description: 'Older ones are not made up for. Default 86400 (a day).' }),
    ),
    overlap: Type.Optional(
      Type.Union([Type.Literal('forbid'), Type.Literal('allow'), Type.Literal('replace')], {
        description:
          'When the one before is still queued or running: `forbid` (default) leaves the instant out, `allow` runs both, `replace` cancels the one before.',
      }),
    ),
    jitter_s: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: DAY_S,
        description: 'Each firing is put off by a random time below this, and below the time to the next instant. Default 0.',
      }),
    ),
    on_failure: Type.Optional(
      Type.Object(
        { after: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'Default 1.' })), ...target },
        { ...strict, description: 'Invoked once when so many firings in a row have failed for good, retries included.' },
      ),
    ),
    on_recovery: Type.Optional(Type.Object(target, { ...strict, description: 'Invoked at the first success after `on_failure` was.' })),
  },
  { ...strict, description: 'Of a function with an event key `cron|…`.' },
);
export type ScheduleDefinition = Static<typeof ScheduleDefinition>;

/** Who is told. */
export interface ScheduleTarget {
  readonly kind: 'function';
  readonly name: string;
}

/** Part of a version; everything is decided. */
export interface SchedulePolicy {
  readonly missed: 'skip' | 'once' | 'all';
  readonly missedWithinS: number;
  readonly overlap: 'forbid' | 'allow' | 'replace';
  readonly jitterS: number;
  readonly onFailure: { readonly after: number; readonly target: ScheduleTarget } | null;
  readonly onRecovery: { readonly target: ScheduleTarget } | null;
}

/** What is known of a function's schedule besides its version. Instants are milliseconds since the epoch. */
export interface ScheduleRecord {
  readonly functionName: string;
  /** The event key that the cursor belongs to. */
  readonly eventKey: string;
  /** The cursor; null: no instant is left. */
  readonly nextAt: number | null;
  /** When it is fired: the cursor and its jitter. */
  readonly dueAt: number | null;
  /** The last instant that was fired or left out. */
  readonly lastAt: number | null;
  readonly round: number;
  readonly paused: boolean;
  /** Firings in a row that failed. */
  readonly failures: number;
  /** on_failure was invoked, and no success has come since. */
  readonly failing: boolean;
  /** Counts the writes of it: a change is decided on one revision, and written only while that one stands. 0: the store has none yet. */
  readonly revision: number;
}

/** `open`: its invocation is queued or running, or about to be queued. */
export type FiringState = 'open' | 'skipped' | 'succeeded' | 'failed' | 'timed_out' | 'cancelled' | 'lost';

export interface FiringRecord {
  /** That of its invocation, if it has one. */
  readonly id: string;
  readonly functionName: string;
  readonly scheduledAt: number;
  readonly round: number;
  /** `catch_up`: for missed instants. `manual`: somebody asked for it. */
  readonly kind: 'scheduled' | 'catch_up' | 'manual';
  readonly firedAt: number;
  readonly endedAt: number | null;
  readonly state: FiringState;
  /** Why it was left out, or failed. */
  readonly reason: string | null;
}

/** Somebody is to be told; kept until the invocation that tells is in the queue. */
export interface ScheduleNotice {
  /** That of the invocation that tells. */
  readonly id: string;
  /** The schedule's. */
  readonly functionName: string;
  readonly kind: 'on_failure' | 'on_recovery';
  readonly target: ScheduleTarget;
  /** JSON text that the target gets. */
  readonly body: string;
}

/** What changes in one step, or not at all. */
export interface ScheduleChange {
  readonly schedule: ScheduleRecord;
  /** Inserted, or replaced by id. */
  readonly firings: readonly FiringRecord[];
  readonly notices: readonly ScheduleNotice[];
}
