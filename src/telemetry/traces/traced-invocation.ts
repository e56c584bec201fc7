import type { FunctionVersion } from '../../schemas/function.ts';
import type { TriggerKind } from '../../schemas/records.ts';
import type { Attributes } from './span.ts';
import type { Scope } from './tracer.ts';

/** What an invocation that is recorded carries with it until it is over. */
export interface InvocationTrace {
  /** Of the request, or of the invocation itself when no request of the gateway waits for it. */
  readonly scope: Scope;
  /** False: the scope's own span belongs to the gateway. */
  readonly isEntry: boolean;
  /** Of its run: what the function sees as its parent. */
  readonly runSpanId: string;
}

/** What is asked of a function, as far as traces are concerned. */
export interface TracedInput {
  id: string;
  trigger: TriggerKind;
  verb: string;
  path: string;
  headers: readonly string[];
  /** It was taken from a queue. */
  patient?: boolean;
  trace?: InvocationTrace | null;
}

/** An invocation at its end. Ticks are instants of performance.now(), 0 when they never came. */
export interface TracedInvocation {
  readonly input: TracedInput;
  readonly version: Pick<FunctionVersion, 'functionName' | 'number' | 'eventKey'>;
  readonly acceptedTick: number;
  readonly dispatchedTick: number;
  readonly answeredTick: number;
  readonly start: 'cold' | 'warm';
  readonly instanceId: string | null;
  readonly error: { readonly code: string } | null;
  /** Milliseconds. */
  timings(): { queue: number; start: number; init: number; run: number };
}

/** Which function ran, where, and how it was started. */
export function faasAttributes({ input, version, instanceId, start }: TracedInvocation): Attributes {
  return {
    'faas.name': version.functionName,
    'faas.version': String(version.number),
    'faas.invocation_id': input.id,
    ...(instanceId === null ? {} : { 'faas.instance': instanceId, 'faas.coldstart': start === 'cold' }),
  };
}
