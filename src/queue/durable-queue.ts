import type { Destination, Destinations } from '../schemas/destination.ts';
import type { InvocationState, TriggerKind } from '../schemas/records.ts';

/**
 * Invocations that outlive the process. The nouns:
 *
 * - **accepted**: on the disk (or confirmed by a broker), before anybody is told so.
 * - **lane**: the queued invocations of one function version; they are taken in the order of priority, then of the time at which they are due.
 * - **lease**: the right to run an invocation for a while, given with an attempt number. The number grows with every lease, so a holder whose lease was
 *   voided can't settle any more.
 * - **attempt**: what happened under one lease.
 * - **settled**: the attempt's outcome is on the disk: the invocation is over, or queued again for a later attempt.
 * - **delivery**: an outcome that is to be told to somebody: written in the same commit as the outcome, and kept until it has arrived or is given up.
 * - **dead letter**: an invocation that is over without having succeeded, kept with its input and its reason until somebody redrives or discards it.
 *
 *     accept → queued ──take──▶ running ──settle(done)──▶ succeeded | failed | timed_out | cancelled
 *                ▲                 │
 *                └─ settle(retry), │ lease void
 *                └─────────────────┘
 *     cancel: queued, running → cancelled        redrive: dead letter → queued
 *
 * Times are milliseconds since the epoch by the queue's own clock, which doesn't jump while the process lives; durations are milliseconds. Methods reject with
 * HearthError: storage_full when the disk is full, store_unavailable when the queue can't be read or written, queue_full when more is waiting to be written
 * than memory is set aside for.
 */
export interface DurableQueue {
  /** Resolves once it is durable; not before. A known idempotency key leads to the invocation that it was first used for, or to a conflict. */
  accept(invocation: NewInvocation): Promise<Acceptance>;

  /**
   * All of them in one commit, or none. Also rejects with idempotency_key_reused, naming the place in the list, when a key was used for another request.
   * @returns as `accept`, in their order
   */
  acceptAll(invocations: readonly NewInvocation[]): Promise<Exclude<Acceptance, { kind: 'mismatch' }>[]>;

  /** Lanes that have queued invocations, due or not. */
  lanes(): Promise<LaneKey[]>;
  /**
   * Leases at most `limit` due invocations of a lane. That they were taken survives the process, a power cut may forget it (then they run again under the same
   * number).
   */
  take(lane: LaneKey, limit: number, leaseMs: number): Promise<{ taken: Taken[]; nextDueAt: number | null }>;
  /** Prolongs leases by their length. Those that are void already stay so. */
  heartbeat(leases: readonly Lease[]): Promise<void>;
  /** @returns false, and nothing changes, when the lease is void */
  settle(lease: Lease, verdict: Verdict): Promise<boolean>;
  /**
   * Leases that are void: they ran out, or (no lanes then) their invocations were cancelled by another node. The one listener is told which those were, and what
   * lanes have work since their invocations are queued again.
   */
  onVoided(listener: (leases: readonly Lease[], lanes: readonly LaneKey[]) => void): void;
  /** Invocations that other nodes have changed; null: any may have been. There is one listener. A queue that isn't shared never calls it. */
  onChanged(listener: (ids: readonly string[] | null) => void): void;
  /** A lane has work that is due then, by the queue's clock, and that another node may have accepted. There is one listener. A queue that isn't shared never calls it. */
  onWork(listener: (lane: LaneKey, dueAt: number) => void): void;
  /** Other nodes take from it too: nothing is to be taken before there is room for it. */
  readonly shared: boolean;

  /** Ends it without running it again. @returns undefined when there is none of that id */
  cancel(id: string): Promise<CancelOutcome | undefined>;
  /** A new invocation with the same function version and input. @returns undefined when there is none of that id */
  replay(id: string, newId: string): Promise<Acceptance | undefined>;

  get(id: string): Promise<InvocationDetail | undefined>;
  /** Newest first. */
  list(filter: ListFilter): Promise<QueuedInvocation[]>;
  /** What it was called with. */
  input(id: string): Promise<InvocationPayload | undefined>;

  /** Last died first. */
  deadLetters(filter: DeadLetterFilter): Promise<QueuedInvocation[]>;
  /** @returns the lane that has work now; undefined when there is no dead letter of that id */
  redrive(id: string): Promise<LaneKey | undefined>;
  /** Up to `limit` dead letters that died before that instant. */
  redriveMany(filter: DeadLetterFilter): Promise<{ redriven: number; lanes: LaneKey[] }>;
  /** Deletes a dead letter, its record too. */
  discard(id: string): Promise<boolean>;

  /** Deliveries that are due, the longest due first. */
  dueDeliveries(limit: number): Promise<{ due: DueDelivery[]; nextDueAt: number | null }>;
  /** Does nothing when it is settled for good already, or belongs to an outcome that was redriven. */
  settleDelivery(delivery: DeliveryKey, outcome: DeliveryOutcome): Promise<void>;

  /** How much there is to do. No more than 100 000 that are queued are counted, 10 000 of the others. */
  backlog(): Promise<Backlog>;

  /** Deletes what ended before the one instant, dead letters that died before the other, and idempotency keys that have run out. @returns how many */
  prune(endedBefore: number, deadBefore: number): Promise<number>;
  /** Now, by the queue's clock. */
  now(): number;
  /** Copies everything as it is at the end of the copying into a file that is not there yet, while others go on. */
  snapshot(file: string): Promise<void>;
  close(): Promise<void>;
}

/** So often may the platform end under an invocation before that is held to be the invocation's doing. */
export const MAX_LOSSES = 20;

export interface LaneKey {
  functionName: string;
  versionNumber: number;
}

export interface Lease {
  id: string;
  attempt: number;
}

/** What a function is called with. */
export interface InvocationPayload {
  trigger: TriggerKind;
  verb: string;
  path: string;
  rawPath: string;
  query: string;
  params: Readonly<Record<string, string>>;
  /** Names and values in turn. */
  headers: readonly string[];
  body: Uint8Array | null;
  requestId: string | null;
  /** How many functions have invoked one another before it; 0 when left out. */
  depth?: number;
}

export interface NewInvocation extends LaneKey {
  id: string;
  /** `sync`: somebody waits for its result, so it is not tried again. */
  mode: 'async' | 'sync';
  payload: InvocationPayload;
  /** Not before so many milliseconds have passed. */
  delayMs: number;
  /** 0 to 9; higher is taken first. */
  priority: number;
  callbackUrl: string | null;
  /** Where else its outcome is sent; of `sync` ones none is. */
  destinations?: Destinations | null;
  replayOf: string | null;
  /** After so many milliseconds from when it is due it is not run any more; null: whoever takes it knows. */
  maxAgeMs?: number | null;
  idempotency: Idempotency | null;
}

export interface Idempotency {
  /** The caller's; of one function. */
  key: string;
  /** Hash of what must not differ between two requests with one key. */
  fingerprint: string;
  keepMs: number;
}

export type Acceptance =
  | { kind: 'accepted'; id: string; lane: LaneKey; dueAt: number }
  /** The key was used with the same request before, for this invocation. */
  | { kind: 'repeated'; id: string; state: InvocationState }
  /** The key was used with another request. */
  | { kind: 'mismatch'; id: string };

export interface Taken extends LaneKey {
  lease: Lease;
  mode: 'async' | 'sync';
  payload: InvocationPayload;
  acceptedAt: number;
  /** Since when its age counts: acceptance, or the last redrive. */
  ageFrom: number;
  /** Attempts that failed since then. */
  failures: number;
  /** Its outcome may have to be sent somewhere. */
  hasDeliveries: boolean;
}

/** Why an invocation is a dead letter. */
export type DeadReason = 'attempts_exhausted' | 'too_old' | 'not_retriable' | 'version_gone' | 'lost_too_often';

/** What came of one attempt. */
export interface AttemptOutcome {
  /** `lost`: the lease became void. `released`: given back without having run to an end. */
  outcome: 'succeeded' | 'failed' | 'timed_out' | 'cancelled' | 'lost' | 'released';
  startedAt: number;
  endedAt: number;
  status: number | null;
  errorCode: string | null;
  errorMessage: string | null;
  instanceId: string | null;
  start: 'cold' | 'warm' | null;
  queueMs: number;
  startMs: number;
  runMs: number;
  /** The last of what it printed, bounded. */
  logs: string | null;
}

export interface AttemptRecord extends AttemptOutcome {
  number: number;
}

/** What a function answered. */
export interface StoredReply {
  status: number;
  /** Names and values in turn. */
  headers: readonly string[];
  /** Null when it was larger than what is kept. */
  body: Uint8Array | null;
  /** Of the whole body. */
  bytes: number;
}

export type Verdict =
  | {
      kind: 'done';
      state: 'succeeded' | 'failed' | 'timed_out' | 'cancelled';
      /** Null when it was not run. */
      attempt: AttemptOutcome | null;
      error: { code: string; message: string } | null;
      reply: StoredReply | null;
      deadReason: DeadReason | null;
      /** The idempotency key may be used again, as nothing was run. */
      forgetKey: boolean;
    }
  /** `counts`: the attempt failed, and that many are bounded. */
  | { kind: 'retry'; delayMs: number; attempt: AttemptOutcome | null; counts: boolean };

/** As in lists. */
export interface QueuedInvocation extends LaneKey {
  id: string;
  mode: 'async' | 'sync';
  trigger: TriggerKind;
  state: InvocationState;
  verb: string;
  path: string;
  requestId: string | null;
  priority: number;
  acceptedAt: number;
  /** Not before; of one that is queued, when it is due. */
  dueAt: number;
  endedAt: number | null;
  /** Number of the last lease; 0 before the first. */
  attempt: number;
  status: number | null;
  errorCode: string | null;
  errorMessage: string | null;
  deadReason: DeadReason | null;
  callbackUrl: string | null;
  replayOf: string | null;
}

export type DeliveryKind = 'callback' | 'on_success' | 'on_failure';

/** What has become of a delivery: pending → delivered | failed. */
export interface DeliveryStatus {
  kind: DeliveryKind;
  target: Destination;
  state: 'pending' | 'delivered' | 'failed';
  /** Tries that have ended. */
  attempts: number;
  /** Why the last try failed. */
  error: string | null;
  /** When it is tried next; null when it isn't. */
  dueAt: number | null;
}

export interface DeliveryKey {
  /** Of the invocation. */
  id: string;
  kind: DeliveryKind;
  /** Attempt number of the outcome: a redriven invocation has another outcome. */
  round: number;
}

/** Of an outcome and whoever is told of it; the same in every try. Without dots. */
export function outcomeName({ id, kind, round }: DeliveryKey): string {
  return `${id}_${kind}_${round}`;
}

export interface DueDelivery extends DeliveryKey {
  target: Destination;
  /** Tries that failed. */
  attempts: number;
}

export type DeliveryOutcome =
  | { kind: 'delivered' }
  /** `retryInMs` null: not again. */
  | { kind: 'failed'; error: string; retryInMs: number | null };

export interface Backlog {
  queued: number;
  /** Of those, the ones whose time has come. */
  due: number;
  /** When the first of those queued is (or was) due; null when none is queued. */
  oldestDueAt: number | null;
  running: number;
  deadLetters: number;
  /** Outcomes that somebody is still to be told of. */
  deliveries: number;
}

export interface InvocationDetail extends QueuedInvocation {
  /** The first first; the one under way is not among them. */
  attempts: AttemptRecord[];
  /** When the attempt under way began; null when none is. */
  runningSince: number | null;
  result: StoredReply | null;
  deliveries: DeliveryStatus[];
}

export interface ListFilter {
  functionName?: string;
  state?: InvocationState;
  /** Only those accepted before that instant. */
  before?: number;
  /** 1 to 1000. */
  limit: number;
}

export interface DeadLetterFilter {
  functionName?: string;
  /** Only those that died before that instant. */
  before?: number;
  /** 1 to 1000. */
  limit: number;
}

export interface CancelOutcome {
  /** False when it was over already. */
  cancelled: boolean;
  state: InvocationState;
  /** Of the attempt that was cut off; null when it was not running. */
  lease: Lease | null;
}
