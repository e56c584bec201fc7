import { HearthError } from '../../errors.ts';
import { MAX_DEPTH, tooDeep } from '../../schemas/depth.ts';
import type { FunctionVersion } from '../../schemas/function.ts';
import { traceHeaders } from '../../schemas/trace-headers.ts';
import { type AcceptRequest, DEFAULT_PRIORITY } from '../durable-invocations.ts';
import { type DueDelivery, type InvocationPayload, outcomeName } from '../durable-queue.ts';
import { DeliveryRefused } from './delivery-refused.ts';

export interface FunctionDeliveryParts {
  /** The version that an invocation by name gets; undefined when there is no such function. */
  choose(functionName: string): FunctionVersion | undefined;
  /** @throws HearthError */
  accept(request: AcceptRequest): Promise<unknown>;
}

/**
 * Accepts an asynchronous invocation of the destination's function with the outcome as its body. The key is made of the outcome, so that a delivery which
 * was accepted and not settled, since the platform was killed in between, is not accepted again.
 * @param source what the invocation was called with whose outcome this is
 * @throws DeliveryRefused when it would be refused again
 * @throws HearthError what accepting throws
 */
export async function deliverToFunction(
  parts: FunctionDeliveryParts,
  functionName: string,
  delivery: DueDelivery,
  source: InvocationPayload,
  body: Buffer,
): Promise<void> {
  const version = parts.choose(functionName);
  if (!version) throw new Error(`there is no function "${functionName}"`);
  if (version.asyncMode === 'never') throw new DeliveryRefused(`the function "${functionName}" is registered with "async": "never"`);
  const depth = (source.depth ?? 0) + 1;
  if (depth > MAX_DEPTH) throw new DeliveryRefused(tooDeep(functionName).message);
  const path = `/destinations/${functionName}`;
  const trace = traceHeaders(source.headers);
  const payload: InvocationPayload = {
    trigger: 'function',
    verb: 'POST',
    path,
    rawPath: path,
    query: '',
    params: {},
    headers: ['Content-Type', 'application/json', 'X-Hearth-Destination', `${delivery.kind}; invocation=${delivery.id}`, ...trace],
    body,
    requestId: null,
    depth,
  };
  try {
    // No caller's key begins with a blank.
    const idempotencyKey = ` ${outcomeName(delivery)}`;
    await parts.accept({ version, payload, mode: 'async', delayMs: 0, priority: DEFAULT_PRIORITY, callbackUrl: null, idempotencyKey });
  } catch (error) {
    // It has been accepted before.
    if (error instanceof HearthError && error.code === 'idempotency_key_reused') return;
    throw error;
  }
}
