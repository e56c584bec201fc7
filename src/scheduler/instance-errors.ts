import { HearthError } from '../errors.ts';
import type { Layers } from '../layers/layers.ts';
import type { ExitedMessage, RuntimeErrorMessage } from '../protocol/messages.ts';
import type { SandboxExit } from '../sandbox/driver.ts';
import type { FunctionVersion } from '../schemas/function.ts';

/** What can go wrong with an instance, in words for the function's author and its callers. `name` is the function's. */

export function loadTooSlow(name: string, limitMs: number): HearthError {
  return new HearthError(
    'function_load_failed',
    `The function ${name} was not loaded within ${limitMs} ms. What its code does on import takes too long, or the machine is overloaded.`,
  );
}

export function loadFailed(name: string, error: RuntimeErrorMessage): HearthError {
  return new HearthError('function_load_failed', `The function ${name} could not be loaded: ${error.type}: ${error.message}.`, {
    extra: { function_error: error },
  });
}

/** One that is known is on its way, or will be tried again. */
export function layerMissing({ functionName, layers }: FunctionVersion, known: Pick<Layers, 'byId' | 'whyMissing'>): HearthError {
  const missing = layers.find((id) => known.byId(id) === undefined) as string;
  return (
    known.whyMissing(missing) ??
    new HearthError('function_load_failed', `A layer of the function ${functionName} is gone. Register the function again to have it rebuilt.`)
  );
}

export function secretGone(name: string, secret: string): HearthError {
  return new HearthError(
    'function_load_failed',
    `The function ${name} names the secret ${secret}, which was deleted. Set it again (\`hearth secrets set ${secret}\`), or register the function without it.`,
  );
}

export function secretsTooLarge(name: string, limitBytes: number): HearthError {
  return new HearthError('function_load_failed', `The secrets of the function ${name} are larger than ${limitBytes} bytes together, as JSON text.`);
}

export function endedBeforeLoad(name: string, exit: SandboxExit): HearthError {
  return new HearthError(
    'function_load_failed',
    `The sandbox of the function ${name} ${howEnded(exit)} before the function was loaded. What it printed: \`hearth logs ${name}\`.`,
  );
}

export function wrongRuntime(found: string, needed: string): HearthError {
  return new HearthError('sandbox_unavailable', `The sandbox runs the runtime ${found}; the function needs ${needed}.`);
}

export function stoppedBeforeReady(reason: string): HearthError {
  return new HearthError('sandbox_unavailable', `The instance was stopped before it was ready: ${reason}.`);
}

/** Whatever made the making of a sandbox fail. */
export function asStartError(error: unknown): HearthError {
  if (error instanceof HearthError) return error;
  return new HearthError('sandbox_unavailable', `The sandbox could not be made: ${(error as Error).message}.`, { cause: error });
}

export function failed(name: string, error: RuntimeErrorMessage): HearthError {
  return new HearthError('function_failed', `The function ${name} failed: ${error.type}: ${error.message}`, { extra: { function_error: error } });
}

export function scriptFailed(name: string, exit: ExitedMessage): HearthError {
  const how = exit.signal === undefined ? `exited with code ${exit.code}` : `was ended by ${exit.signal}`;
  return new HearthError(
    'function_failed',
    `The script of the function ${name} ${how} without an answer. What it printed is in the record of the invocation.`,
  );
}

export function crashed(name: string, exit: SandboxExit): HearthError {
  return new HearthError(
    'function_crashed',
    `The function ${name} ended its sandbox while it ran: it ${howEnded(exit)}. What it printed is in the record of the invocation.`,
  );
}

export function bundleUnreadable(name: string, hash: string, cause: Error): HearthError {
  return new HearthError(
    'function_load_failed',
    `The bundle ${hash} of the function ${name} can not be read (${cause.message}). Deploy the function again.`,
    { cause },
  );
}

/** @param limitBytes of memory that the sandbox had, files in /tmp included */
export function outOfMemory(name: string, limitBytes: number): HearthError {
  return new HearthError(
    'out_of_memory',
    `The function ${name} needed more than the ${Math.round(limitBytes / (1024 * 1024))} MiB of memory that it may use, files in /tmp included, and was ended. Give it more by \`memory_mb\`, or let it hold less at a time.`,
    { extra: { memory_limit_bytes: limitBytes } },
  );
}

export function limitsRefused(name: string, reason: string): HearthError {
  return new HearthError(
    'function_load_failed',
    `The sandbox of the function ${name} could not be bounded as \`memory_mb\` and \`cpu\` say: ${reason} Less memory than the runtime uses itself can't be had.`,
  );
}

export function protocolBroken(name: string, reason: string): HearthError {
  return new HearthError(
    'runtime_protocol_error',
    `The runtime of the function ${name} broke the protocol (${reason}); its sandbox was killed. A function that writes to descriptor 3 does this.`,
  );
}

export function channelClosed(name: string): HearthError {
  return new HearthError(
    'runtime_protocol_error',
    `The function ${name} closed its channel to the platform, descriptor 3, and went on; its sandbox was killed, since nothing could be heard of it any more.`,
  );
}

export function streamPaused(name: string, limitMs: number): HearthError {
  return new HearthError('deadline_exceeded', `The streamed answer of the function ${name} paused for more than ${limitMs} ms.`, {
    extra: { clock: 'stream' },
  });
}

export function howEnded(exit: SandboxExit): string {
  return exit.signal ? `was ended by ${exit.signal}` : `exited with code ${exit.code}`;
}
