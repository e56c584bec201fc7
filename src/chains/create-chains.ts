import type { LimitShare } from '../cluster/limit-share.ts';
import { HearthError, toHearthError } from '../errors.ts';
import { type Accepted, type AcceptRequest, DEFAULT_PRIORITY } from '../queue/durable-invocations.ts';
import { parseEventKey } from '../router/event-key.ts';
import type { ChainRequest, ChainSink, Chains } from '../scheduler/chains.ts';
import type { Invocation, InvocationInput, ReplySink } from '../scheduler/invocation.ts';
import { newInvocationId } from '../scheduler/invocation-id.ts';
import { MAX_DEPTH, tooDeep } from '../schemas/depth.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import { traceHeaders } from '../schemas/trace-headers.ts';
import { ChainReply, ReplyMemory } from './chain-reply.ts';

export interface ChainsParts {
  /** The version that an invocation by name gets; undefined when there is no such function. */
  choose(functionName: string): FunctionVersion | undefined;
  submit(input: InvocationInput, version: FunctionVersion, sink: ReplySink): Invocation;
  cancel(invocation: Invocation): void;
  /** @throws HearthError */
  accept(request: AcceptRequest): Promise<Accepted>;
  /** Largest body of an answer. Bytes. */
  maxReplyBytes: number;
  /** Of streamed answers that are gathered at a time. Bytes. */
  maxGatheredBytes: number;
  share: LimitShare;
}

/**
 * Functions that invoke functions. Who may invoke whom stands in the caller's `invokes`; nobody may by default. What is waited for has the shortest of three
 * times: the caller's rest, its own timeout, and what the caller gives it. The caller's trace context goes with it.
 */
export function createChains(parts: ChainsParts): Chains {
  const memory = new ReplyMemory(parts.maxGatheredBytes);
  return {
    invoke(request, sink) {
      try {
        return request.mode === 'sync' ? wait(parts, memory, request, sink) : enqueue(parts, request, sink);
      } catch (error) {
        sink.fail(toHearthError(error));
        return () => undefined;
      }
    },
  };
}

function wait(parts: ChainsParts, memory: ReplyMemory, request: ChainRequest, sink: ChainSink): () => void {
  const version = permitted(parts, request);
  const { caller } = request;
  const waiting = [...(caller.input.waiting ?? []), caller.version];
  checkRoom(version, waiting, parts.share);
  const restMs = caller.deadline - Date.now();
  if (restMs < 1) throw new HearthError('deadline_exceeded', `The function "${version.functionName}" is not invoked: its caller has no time left.`);
  const id = newInvocationId();
  const input: InvocationInput = {
    id,
    correlationId: id,
    trigger: 'function',
    ...targetOf(version),
    headers: [...headersOf(request), 'X-Correlation-Id', id],
    body: request.body,
    scriptBody: null,
    requestId: null,
    timeoutMs: Math.min(restMs, request.timeoutMs ?? Number.POSITIVE_INFINITY),
    depth: depthOf(request),
    waiting,
  };
  let made: Invocation | null = null;
  const cancel = () => {
    if (made) parts.cancel(made);
  };
  made = parts.submit(input, version, new ChainReply(parts.maxReplyBytes, memory, sink, cancel));
  return cancel;
}

function enqueue(parts: ChainsParts, request: ChainRequest, sink: ChainSink): () => void {
  const version = permitted(parts, request);
  if (version.asyncMode === 'never') {
    throw new HearthError('conflict', `The function "${version.functionName}" is registered with "async": "never"; invoke it with mode "sync".`);
  }
  const payload = {
    trigger: 'function' as const,
    ...targetOf(version),
    headers: headersOf(request),
    body: request.body,
    requestId: null,
    depth: depthOf(request),
  };
  parts.accept({ version, payload, mode: 'async', delayMs: 0, priority: DEFAULT_PRIORITY, callbackUrl: null, idempotencyKey: null }).then(
    ({ id }) => sink.answer({ id, status: 202, headers: [], body: Buffer.alloc(0) }),
    (error: unknown) => sink.fail(toHearthError(error)),
  );
  // What is accepted stays so, whatever becomes of the caller.
  return () => undefined;
}

/** @throws HearthError invoke_not_allowed, invocation_too_deep, not_found */
function permitted({ choose }: ChainsParts, request: ChainRequest): FunctionVersion {
  const { functionName, caller } = request;
  if (!caller.version.invokes.includes(functionName)) {
    throw new HearthError(
      'invoke_not_allowed',
      `The function "${caller.version.functionName}" may not invoke "${functionName}". Register it with "invokes": ["${functionName}", …].`,
    );
  }
  if (depthOf(request) > MAX_DEPTH) throw tooDeep(functionName);
  const version = choose(functionName);
  if (!version) throw new HearthError('not_found', `There is no function "${functionName}".`);
  return version;
}

function depthOf({ caller }: ChainRequest): number {
  return (caller.input.depth ?? 0) + 1;
}

/** Those who wait hold their slots: when they hold all that the function may have, it would never run. @throws HearthError queue_full */
function checkRoom(version: FunctionVersion, waiting: readonly FunctionVersion[], share: LimitShare): void {
  const held = waiting.filter((one) => one === version).length;
  const most = share.of(version.maxInstances) * version.concurrency;
  if (held < most) return;
  throw new HearthError(
    'queue_full',
    `The function "${version.functionName}" would wait for itself: it may run ${most} at a time (max_instances × concurrency), and so many wait for this very call. ` +
      'Raise max_instances, or invoke it with mode "async".',
    { extra: { reason: 'waits_for_itself' } },
  );
}

function targetOf(version: FunctionVersion): Pick<InvocationInput, 'verb' | 'path' | 'rawPath' | 'query' | 'params'> {
  const key = parseEventKey(version.eventKey);
  const path = key.kind === 'http' ? key.path : `/invoke/${version.functionName}`;
  const verb = key.kind === 'http' && key.verb !== '*' ? key.verb : 'POST';
  return { verb, path, rawPath: path, query: '', params: {} };
}

function headersOf({ caller, contentType }: ChainRequest): string[] {
  return [...(contentType === null ? [] : ['Content-Type', contentType]), ...traceHeaders(caller.input.headers)];
}
