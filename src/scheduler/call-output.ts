import type { HearthError } from '../errors.ts';
import type { OutputSource } from '../logs/output-log.ts';
import type { Invocation } from './invocation.ts';

/** An invocation is over: its last line ends, and what it failed with is said after it. */
export function endCallOutput(output: OutputSource, { input, logs, error }: Invocation): void {
  if (logs) output.endCall(input.correlationId);
  if (error) sayError(output, input.correlationId, error);
}

/** Whatever callers did wrong is nothing that the function's author looks for. @param correlationId empty: it concerns no call in particular */
export function sayError(output: OutputSource, correlationId: string, error: HearthError): void {
  if (error.fault === 'caller') return;
  output.say('error', correlationId, error.message, { code: error.code });
}
