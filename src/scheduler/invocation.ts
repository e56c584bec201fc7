import type { HearthError } from '../errors.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import type { InvocationRecord, InvocationState, TriggerKind } from '../schemas/records.ts';
import type { Mask } from '../secrets/mask.ts';
import type { InvocationTrace } from '../telemetry/traces/traced-invocation.ts';
import type { BodySource } from './body-feed.ts';
import { TailBuffer } from './tail-buffer.ts';

/** Bytes of a function's output that its invocation's record keeps. */
const LOG_TAIL_BYTES = 16 * 1024;

/** What is asked of a function. */
export interface InvocationInput {
  /** Unique; the id of the record. */
  id: string;
  /** What the function sees as X-Correlation-Id; made by the platform, except by the control plane's trigger. */
  correlationId: string;
  trigger: TriggerKind;
  verb: string;
  path: string;
  rawPath: string;
  query: string;
  params: Readonly<Record<string, string>>;
  /** Names and values in turn. While traces are on, `traceparent` is made to name the run before it begins. */
  headers: readonly string[];
  body: Buffer | null;
  /** In the place of `body`: it is read while the function runs, or is what the caller of a WebSocket sends. */
  source?: BodySource;
  /** It is a WebSocket handshake, which the function may accept by the status 101. */
  upgrade?: 'websocket';
  /** HTTP_BODY verbatim, for the control plane's trigger. */
  scriptBody: string | null;
  /** Whoever asked takes the answer from the broker's queue of that correlation id, where scripts answer by a broker. */
  leavesReply?: boolean;
  /** The caller's own id of the request. */
  requestId: string | null;
  /** What a handler's message says that it is; `http` when left out. */
  messageType?: 'queue';
  /** Nobody waits at the other end: its deadline begins anew when an instance takes it, so that it has all of its time however long it stood in the line. */
  patient?: boolean;
  /** Its time, when that is less than its function's timeout. Milliseconds. */
  timeoutMs?: number;
  /** How many functions have invoked one another before it; 0 when left out. */
  depth?: number;
  /** Of those functions, the versions whose invocations wait for this one. */
  waiting?: readonly FunctionVersion[];
  /** Of a recorded trace; null: it was decided that it isn't. Left out: nobody has decided yet, or traces are off. */
  trace?: InvocationTrace | null;
}

/** Where the answer goes. One of `reply`, `start` or `fail` is called first, once; after `start`: `write`s, then `end` or `fail`. */
export interface ReplySink {
  /** The whole answer. The body is a view: use it in this tick or copy it. */
  reply(invocation: Invocation, status: number, headers: readonly string[], body: Buffer): void;
  /** The head of a streamed answer; with the status 101 of an accepted WebSocket, of which every byte then goes by `write`. */
  start(invocation: Invocation, status: number, headers: readonly string[]): void;
  /** @returns false when the reader is slow: then nothing more is written until `onceDrained` calls back */
  write(chunk: Buffer): boolean;
  onceDrained(callback: () => void): void;
  end(): void;
  fail(invocation: Invocation, error: HearthError): void;
  /** An instance has taken it; comes before any answer, and not at all when none could be had. */
  dispatched?(invocation: Invocation): void;
  /** The last call of all: the instance is done with it. Who has this keeps the record, and the scheduler's recorder is told not to. */
  over?(record: InvocationRecord): void;
}

/** The clocks under one deadline: which part of an invocation's way takes the time. */
export type Clock = 'queue' | 'start' | 'run' | 'stream';

/** Milliseconds of each part, for Server-Timing and the record. */
export interface Timings {
  queue: number;
  /** Boot of the sandbox. */
  start: number;
  /** Loading of the function. */
  init: number;
  /** From dispatch to the head of the answer. */
  run: number;
}

/**
 * One run of one function version: `queued → running → succeeded | failed | timed_out | cancelled`.
 * Answered and over are two things: a script may go on after its answer was sent, a cancelled one may take a moment to die. The caller is served
 * at the first, the instance's slot is free and the record is written at the second.
 */
export class Invocation {
  readonly input: InvocationInput;
  readonly version: FunctionVersion;
  readonly sink: ReplySink;
  /** Milliseconds since the epoch. */
  readonly acceptedAt: number;
  /** Milliseconds. */
  readonly timeoutMs: number;
  deadline: number;
  /** performance.now() at acceptance and at dispatch. */
  readonly acceptedTick: number;
  dispatchedTick = 0;
  answeredTick = 0;

  state: InvocationState = 'queued';
  clock: Clock;
  start: 'cold' | 'warm';
  instanceId: string | null = null;
  /** Name of the node that runs it, when it is another one. */
  node: string | null = null;
  /** Boot and load times of the instance, when this invocation waited for them. */
  bootMs = 0;
  initMs = 0;

  /** The sink has had its last call. */
  answered = false;
  /** The instance is done with it, or it never reached one. */
  over = false;
  status: number | null = null;
  error: HearthError | null = null;
  logs: TailBuffer | null = null;
  deadlineTimer: NodeJS.Timeout | null = null;

  constructor(input: InvocationInput, version: FunctionVersion, sink: ReplySink, start: 'cold' | 'warm') {
    this.input = input;
    this.version = version;
    this.sink = sink;
    this.acceptedAt = Date.now();
    this.acceptedTick = performance.now();
    this.timeoutMs = input.timeoutMs === undefined ? version.timeoutMs : Math.min(version.timeoutMs, input.timeoutMs);
    this.deadline = this.acceptedAt + this.timeoutMs;
    this.start = start;
    this.clock = start === 'cold' ? 'start' : 'queue';
  }

  log(chunk: Buffer, mask?: Mask): void {
    this.logs ??= new TailBuffer(LOG_TAIL_BYTES, mask);
    this.logs.push(chunk);
  }

  timings(): Timings {
    const end = this.answeredTick || performance.now();
    const dispatched = this.dispatchedTick || end;
    const waited = dispatched - this.acceptedTick;
    const init = Math.min(this.initMs, waited);
    const start = Math.min(this.bootMs, waited - init);
    return { queue: waited - init - start, start, init, run: end - dispatched };
  }
}
