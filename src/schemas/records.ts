import type { RuntimeName } from './runtime-name.ts';

/** Records: what is written down about what ran. Times are milliseconds since the epoch; durations are milliseconds. */

export type InvocationState = 'queued' | 'running' | 'succeeded' | 'failed' | 'timed_out' | 'cancelled';

/** Who asked for it; `schedule`: the clock, `queue`: a message of the operator's broker. */
export type TriggerKind = 'gateway' | 'api' | 'schedule' | 'function' | 'queue';

export interface InvocationRecord {
  /** The correlation id of the platform; for the control plane's trigger, an id of its own. */
  id: string;
  /** What the function saw as X-Correlation-Id. Differs from id only for the control plane's trigger. */
  correlationId: string;
  functionName: string;
  versionNumber: number;
  instanceId: string | null;
  trigger: TriggerKind;
  state: InvocationState;
  verb: string;
  path: string;
  /** The caller's own X-Request-Id or X-Correlation-Id. */
  requestId: string | null;
  start: 'cold' | 'warm' | null;
  /** HTTP status that the caller got, or null when it got none. */
  status: number | null;
  /** One of errors.ts, or null. */
  errorCode: string | null;
  errorMessage: string | null;
  acceptedAt: number;
  endedAt: number;
  queueMs: number;
  /** Boot of the sandbox and loading of the function, when this invocation waited for one. */
  startMs: number;
  runMs: number;
  /** The last of what it printed, bounded; null when it printed nothing. */
  logs: string | null;
}

export type InstanceState = 'starting' | 'idle' | 'busy' | 'draining' | 'stopped';

export interface InstanceRecord {
  id: string;
  functionName: string;
  versionNumber: number;
  driver: string;
  state: InstanceState;
  startedAt: number;
  /** When the function was loaded; null before that. */
  readyAt: number | null;
  stoppedAt: number | null;
  /** Why it was stopped, in words. */
  stopReason: string | null;
  invocations: number;
  /** The last of what it printed outside any invocation, and of its invocations, bounded; null when nothing. */
  logs: string | null;
}

export interface LayerRecord {
  /** Content hash of everything that decides its content: requirements, interpreter, platform. */
  id: string;
  /** The name under which functions ask for it; null for a layer of one function's own requirements. */
  name: string | null;
  requirements: string;
  runtime: RuntimeName;
  state: 'building' | 'ready' | 'failed';
  /** The installer's output, bounded to its end. */
  output: string;
  createdAt: number;
  readyAt: number | null;
  /** Bytes on disk; null until ready. */
  sizeBytes: number | null;
}
