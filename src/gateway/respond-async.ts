import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { CATALOGUE, type ErrorCode, HearthError } from '../errors.ts';
import { type Accepted, type AcceptRequest, DEFAULT_PRIORITY, isOver, MAX_DELAY_MS } from '../queue/durable-invocations.ts';
import type { InvocationDetail, InvocationPayload } from '../queue/durable-queue.ts';
import type { RouteTarget } from '../router/router.ts';
import { parseDuration } from '../schemas/duration.ts';
import { KEY_NAME_HEADER } from './policy/credentials.ts';
import { sendProblem } from './problem.ts';
import { callerRequestId, headerOf, type Target } from './request.ts';

/** The gateway's only view of what keeps invocations. */
export interface Keeper {
  accept(request: AcceptRequest): Promise<Accepted>;
  waitFor(id: string, waitMs: number, signal?: AbortSignal): Promise<InvocationDetail | undefined>;
  /** Where the record can be read: at the control plane. */
  statusUrl(id: string): string;
}

/** How a call goes through the queue: answered by 202, or waited for under an idempotency key. */
export type QueuedMode = 'async' | 'keyed';

/** What the queue adds to the function's own time before whoever waits under a key is given up. Milliseconds. */
const WAIT_MARGIN_MS = 10_000;
const MAX_PREFERRED_WAIT_MS = 60_000;
/** Printable ASCII; draft-ietf-httpapi-idempotency-key-header §2.1 has it as a quoted string, and many clients send it bare. */
const KEY = /^"?([\u0021\u0023-\u005b\u005d-\u007e]{1,255})"?$/;

/** Whether the call goes through the queue. Every request passes here: three look-ups for those who ask for nothing. */
export function queuedMode(headers: IncomingHttpHeaders, targets: readonly RouteTarget[]): QueuedMode | null {
  const { prefer } = headers;
  const prefers = prefer !== undefined && asksForAsync(prefer);
  for (let index = 0; index < targets.length; index++) {
    const { asyncMode } = (targets[index] as RouteTarget).version;
    if (asyncMode === 'always' || (prefers && asyncMode === 'allowed')) return 'async';
  }
  return headers['idempotency-key'] === undefined ? null : 'keyed';
}

/** RFC 7240 §4.1: a token in a list, perhaps with parameters. */
function asksForAsync(prefer: string | string[]): boolean {
  return preferences(prefer).some(([name]) => name === 'respond-async');
}

function preferences(prefer: string | string[] | undefined): [name: string, value: string][] {
  return [prefer ?? []]
    .flat()
    .join(',')
    .split(',')
    .map((item) => {
      const [name = '', value = ''] = (item.split(';', 1)[0] as string).split('=', 2);
      return [name.trim().toLowerCase(), value.trim().replaceAll('"', '')];
    });
}

export interface QueuedRequest {
  request: IncomingMessage;
  response: ServerResponse;
  target: Target;
  targets: readonly RouteTarget[];
  /** For the function: names and values in turn, without X-Correlation-Id. */
  headers: readonly string[];
  body: Buffer | null;
  mode: QueuedMode;
}

/**
 * Hands every target's invocation to the queue and answers once all are on the disk, or, under a key without the wish for 202, with the first one's result.
 * @throws HearthError what accepting throws; idempotency_key_in_use, and what came of the invocation, to whoever waits for it
 */
export async function respondFromQueue(keeper: Keeper, queued: QueuedRequest): Promise<void> {
  const { request, response, target, targets, body, mode } = queued;
  const { headers } = request;
  const key = idempotencyKey(headers, request.rawHeaders);
  const requestId = callerRequestId(request);
  const accepted = await Promise.all(
    targets.map(({ version, params }) =>
      keeper.accept({
        version,
        mode: mode === 'async' ? 'async' : 'sync',
        payload: {
          trigger: 'gateway',
          verb: request.method as string,
          path: target.path,
          rawPath: target.rawPath,
          query: target.query,
          params,
          headers: queued.headers,
          body,
          requestId,
        } satisfies InvocationPayload,
        delayMs: mode === 'async' ? delay(headerOf(request, 'x-hearth-delay')) : 0,
        priority: priority(headerOf(request, 'x-hearth-priority')),
        callbackUrl: mode === 'async' ? (headerOf(request, 'x-callback-url') ?? null) : null,
        idempotencyKey: key,
      }),
    ),
  );
  const first = accepted[0] as Accepted;
  if (mode === 'keyed') {
    const timeoutMs = (targets[0] as RouteTarget).version.timeoutMs;
    if (first.repeated && !isOver(first.state)) throw inUse(first.id);
    const detail = await waitFor(keeper, response, first.id, timeoutMs + WAIT_MARGIN_MS);
    sendResult(response, detail, first.repeated, requestId);
    return;
  }
  const wishes = preferences(headers.prefer);
  const waitMs = preferredWaitMs(wishes);
  if (waitMs > 0) {
    const detail = await waitFor(keeper, response, first.id, waitMs);
    if (detail.state === 'succeeded' && detail.result?.body) {
      sendResult(response, detail, first.repeated, requestId);
      return;
    }
  }
  sendAccepted(
    response,
    accepted.map(({ id }) => ({ id, status_url: keeper.statusUrl(id) })),
    wishes.some(([name]) => name === 'respond-async'),
    requestId,
  );
}

async function waitFor(keeper: Keeper, response: ServerResponse, id: string, waitMs: number): Promise<InvocationDetail> {
  const left = new AbortController();
  const onClose = () => left.abort();
  response.once('close', onClose);
  try {
    const detail = await keeper.waitFor(id, waitMs, left.signal);
    if (!detail) throw new HearthError('not_found', `The record of the invocation ${id} was deleted while it was waited for.`);
    return detail;
  } finally {
    response.off('close', onClose);
  }
}

function sendAccepted(
  response: ServerResponse,
  urls: readonly { id: string; status_url: string }[],
  applied: boolean,
  requestId: string | null,
): void {
  if (response.destroyed) return;
  const [first] = urls as [{ id: string; status_url: string }];
  const text = JSON.stringify({ ...first, state: 'queued', ...(urls.length > 1 ? { invocations: urls } : {}) });
  const head = ['Content-Type', 'application/json', 'Content-Length', String(Buffer.byteLength(text)), 'Location', first.status_url];
  if (applied) head.push('Preference-Applied', 'respond-async');
  head.push('Vary', 'Prefer', 'X-Correlation-Id', first.id);
  if (requestId !== null) head.push('X-Request-Id', requestId);
  response.writeHead(202, head).end(text);
}

/** What the function answered, or the problem that kept it from doing so. */
function sendResult(response: ServerResponse, detail: InvocationDetail, replayed: boolean, requestId: string | null): void {
  if (response.destroyed) return;
  const { id, result, state } = detail;
  const head = ['X-Correlation-Id', id];
  const instanceId = detail.attempts.at(-1)?.instanceId;
  if (instanceId) head.push('X-Serverless-Instance-Id', instanceId);
  if (replayed) head.push('Idempotency-Replayed', 'true');
  if (requestId !== null) head.push('X-Request-Id', requestId);
  if (result?.body) {
    const bodiless = result.status === 204 || result.status === 304;
    response.writeHead(result.status, [...result.headers, ...head, ...(bodiless ? [] : ['Content-Length', String(result.bytes)])]);
    response.end(result.body);
    return;
  }
  sendProblem(response, failureOf(detail, state), head, { correlation_id: id });
}

function failureOf({ id, result, errorCode, errorMessage }: InvocationDetail, state: InvocationDetail['state']): HearthError {
  if (!isOver(state)) {
    return new HearthError('deadline_exceeded', `The invocation ${id} has not ended in time. It goes on, and its record tells what comes of it.`);
  }
  if (state === 'cancelled') return new HearthError('cancelled', `The invocation ${id} was cancelled.`);
  if (result) {
    return new HearthError(
      'reply_too_large',
      `The function answered with ${result.bytes} bytes, more than is kept of an answer under an idempotency key (queue.max_result_bytes).`,
    );
  }
  return recordedError(errorCode ?? 'internal', errorMessage ?? 'What it was has not been recorded.');
}

function recordedError(code: string, message: string): HearthError {
  return new HearthError(Object.hasOwn(CATALOGUE, code) ? (code as ErrorCode) : 'internal', message);
}

function inUse(id: string): HearthError {
  return new HearthError('idempotency_key_in_use', `The invocation ${id}, the first with this idempotency key, has not ended yet. Try again later.`, {
    retryAfter: 1,
    extra: { invocation_id: id },
  });
}

/** Of one API key's holder, if there are API keys. @throws HearthError malformed_request */
function idempotencyKey(headers: IncomingHttpHeaders, raw: readonly string[]): string | null {
  const value = headers['idempotency-key'];
  if (value === undefined) return null;
  const key = KEY.exec([value].flat().join(', '))?.[1];
  if (key === undefined) throw new HearthError('malformed_request', 'Idempotency-Key is to be 1 to 255 printable ASCII characters in double quotes.');
  const holder = raw.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === KEY_NAME_HEADER);
  return holder < 0 ? key : `${raw[holder + 1]} ${key}`;
}

/** @throws HearthError malformed_request */
function delay(value: string | undefined): number {
  if (value === undefined) return 0;
  const ms = parseDuration(value);
  if (ms === undefined || ms > MAX_DELAY_MS) {
    throw new HearthError(
      'malformed_request',
      `X-Hearth-Delay is a number with a unit, such as 500ms, 30s, 5m or 2h, of at most 30d; not ${JSON.stringify(value)}.`,
    );
  }
  return ms;
}

/** @throws HearthError malformed_request */
function priority(value: string | undefined): number {
  if (value === undefined) return DEFAULT_PRIORITY;
  if (!/^[0-9]$/.test(value))
    throw new HearthError('malformed_request', `X-Hearth-Priority is a digit, 9 for what is to come first; not ${JSON.stringify(value)}.`);
  return Number(value);
}

/** RFC 7240 §4.3, in whole seconds. */
function preferredWaitMs(wishes: readonly [string, string][]): number {
  const value = wishes.find(([name]) => name === 'wait')?.[1];
  return value !== undefined && /^\d{1,6}$/.test(value) ? Math.min(Number(value) * 1000, MAX_PREFERRED_WAIT_MS) : 0;
}
