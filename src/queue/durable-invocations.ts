import { createHash } from 'node:crypto';
import { HearthError } from '../errors.ts';
import { newInvocationId } from '../scheduler/invocation-id.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import type { InvocationState } from '../schemas/records.ts';
import type { EnqueueTracer } from '../telemetry/traces/enqueue-tracer.ts';
import type { Changes } from './changes.ts';
import type {
  Acceptance,
  DeadLetterFilter,
  DurableQueue,
  InvocationDetail,
  InvocationPayload,
  LaneKey,
  Lease,
  ListFilter,
  NewInvocation,
  QueuedInvocation,
} from './durable-queue.ts';

/** What somebody asks for who doesn't wait for the function itself. */
export interface AcceptRequest {
  version: FunctionVersion;
  payload: InvocationPayload;
  mode: 'async' | 'sync';
  /** Milliseconds, 0 to MAX_DELAY_MS. */
  delayMs: number;
  /** 0 to 9. */
  priority: number;
  callbackUrl: string | null;
  idempotencyKey: string | null;
  /** One that was never used; made when left out. Who wrote it down before can ask for it after a crash. */
  id?: string;
}

export interface Accepted {
  id: string;
  /** When it was a repetition: what has become of the first; else `queued`. */
  state: InvocationState;
  repeated: boolean;
}

export interface DurableInvocationsParts {
  queue: DurableQueue;
  changes: Changes;
  /** Something is queued. */
  offer(lane: LaneKey, dueAt: number): void;
  /** What runs under that lease is to be ended. */
  cut(lease: Lease): void;
  /** An outcome is there that is to be sent somewhere. */
  onDeliveryDue(): void;
  /** @throws HearthError invalid_request when results must not be sent there */
  checkCallback(url: string): void;
  /** Milliseconds that an idempotency key is kept for. */
  keepKeysMs: number;
  /** Left out or null: there are no traces. */
  tracer?: EnqueueTracer | null;
}

export const DEFAULT_PRIORITY = 5;
export const MAX_DELAY_MS = 30 * 24 * 3600_000;

/** Asynchronous invocations as gateway and control plane see them: what is done to one, and who wants to know of it. */
export class DurableInvocations {
  readonly #parts: DurableInvocationsParts;
  readonly #ending = new AbortController();

  constructor(parts: DurableInvocationsParts) {
    this.#parts = parts;
  }

  /**
   * Resolves once it is on the disk.
   * @throws HearthError idempotency_key_reused, invalid_request (the callback URL), storage_full, store_unavailable, queue_full
   */
  async accept(request: AcceptRequest): Promise<Accepted> {
    const { tracer } = this.#parts;
    return tracer ? tracer.around(request, (traced) => this.#accept(traced)) : this.#accept(request);
  }

  async #accept(request: AcceptRequest): Promise<Accepted> {
    const acceptance = await this.#parts.queue.accept(this.#newInvocation(request));
    if (acceptance.kind === 'mismatch') {
      throw new HearthError(
        'idempotency_key_reused',
        `The idempotency key was used for the invocation ${acceptance.id}, with another method, target or body. A new request needs a new key.`,
        { extra: { invocation_id: acceptance.id } },
      );
    }
    return this.#accepted(acceptance);
  }

  /**
   * Resolves once all of them are on the disk, in one commit; none is when it rejects.
   * @returns in their order
   * @throws HearthError as `accept`
   */
  async acceptAll(requests: readonly AcceptRequest[]): Promise<Accepted[]> {
    const acceptances = await this.#parts.queue.acceptAll(requests.map((request) => this.#newInvocation(request)));
    return acceptances.map((acceptance) => this.#accepted(acceptance));
  }

  /** @throws HearthError draining, invalid_request */
  #newInvocation(request: AcceptRequest): NewInvocation {
    const { version, payload, callbackUrl, idempotencyKey } = request;
    if (this.#ending.signal.aborted) throw draining();
    if (callbackUrl !== null) this.#parts.checkCallback(callbackUrl);
    return {
      id: request.id ?? newInvocationId(),
      functionName: version.functionName,
      versionNumber: version.number,
      mode: request.mode,
      payload,
      delayMs: request.delayMs,
      priority: request.priority,
      callbackUrl,
      destinations: version.destinations,
      replayOf: null,
      maxAgeMs: version.retry.maxAgeMs,
      idempotency: idempotencyKey === null ? null : { key: idempotencyKey, fingerprint: fingerprint(payload), keepMs: this.#parts.keepKeysMs },
    };
  }

  #accepted(acceptance: Exclude<Acceptance, { kind: 'mismatch' }>): Accepted {
    if (acceptance.kind === 'repeated') return { id: acceptance.id, state: acceptance.state, repeated: true };
    this.#parts.offer(acceptance.lane, acceptance.dueAt);
    return { id: acceptance.id, state: 'queued', repeated: false };
  }

  /** Given when the platform ends: whoever waits is to be answered. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  get(id: string): Promise<InvocationDetail | undefined> {
    return this.#parts.queue.get(id);
  }

  list(filter: ListFilter): Promise<QueuedInvocation[]> {
    return this.#parts.queue.list(filter);
  }

  /**
   * Resolves when it is over, when the time has passed, when the signal is given or the platform ends, whichever comes first.
   * @returns what it is then; undefined when there is none of that id
   */
  async waitFor(id: string, waitMs: number, signal?: AbortSignal): Promise<InvocationDetail | undefined> {
    const deadline = performance.now() + waitMs;
    const ends = signal ? AbortSignal.any([signal, this.#ending.signal]) : this.#ending.signal;
    for (;;) {
      const changed = this.#nextChange(id, () => deadline - performance.now(), ends);
      const detail = await this.#parts.queue.get(id).catch((error: unknown) => {
        changed.cancel();
        throw error;
      });
      if (!detail || isOver(detail.state) || performance.now() >= deadline || ends.aborted) {
        changed.cancel();
        return detail;
      }
      await changed.promise;
    }
  }

  /** Calls back whenever it has changed, until the returned function is called. */
  watch(id: string, listener: () => void): () => void {
    return this.#parts.changes.watch(id, listener);
  }

  /** @throws HearthError conflict when it is over already. @returns undefined when there is none of that id */
  async cancel(id: string): Promise<InvocationDetail | undefined> {
    const outcome = await this.#parts.queue.cancel(id);
    if (!outcome) return undefined;
    if (!outcome.cancelled) throw new HearthError('conflict', `The invocation ${id} is over already: ${outcome.state}.`);
    if (outcome.lease) this.#parts.cut(outcome.lease);
    this.#parts.changes.tell(id);
    const detail = await this.#parts.queue.get(id);
    if (detail && detail.deliveries.length > 0) this.#parts.onDeliveryDue();
    return detail;
  }

  /** @returns the new one; undefined when there is none of that id */
  async replay(id: string): Promise<Accepted | undefined> {
    const acceptance = await this.#parts.queue.replay(id, newInvocationId());
    if (acceptance?.kind !== 'accepted') return undefined;
    this.#parts.offer(acceptance.lane, acceptance.dueAt);
    return { id: acceptance.id, state: 'queued', repeated: false };
  }

  deadLetters(filter: DeadLetterFilter): Promise<QueuedInvocation[]> {
    return this.#parts.queue.deadLetters(filter);
  }

  /** Whether there was such a dead letter. */
  async redrive(id: string): Promise<boolean> {
    const lane = await this.#parts.queue.redrive(id);
    if (!lane) return false;
    this.#parts.offer(lane, this.#parts.queue.now());
    this.#parts.changes.tell(id);
    return true;
  }

  /** All there are, of one function or of every one; what dies meanwhile is left. @returns how many */
  async redriveAll(functionName: string | undefined): Promise<number> {
    const now = this.#parts.queue.now();
    // Those of this very millisecond too.
    const before = now + 1;
    let total = 0;
    for (;;) {
      const filter: DeadLetterFilter = functionName === undefined ? { before, limit: 500 } : { functionName, before, limit: 500 };
      const { redriven, lanes } = await this.#parts.queue.redriveMany(filter);
      for (const lane of lanes) this.#parts.offer(lane, now);
      total += redriven;
      if (redriven === 0) return total;
    }
  }

  input(id: string): Promise<InvocationPayload | undefined> {
    return this.#parts.queue.input(id);
  }

  /** Whether there was such a dead letter. */
  discard(id: string): Promise<boolean> {
    return this.#parts.queue.discard(id);
  }

  /** Whoever waits is answered with what there is; nothing more is accepted. */
  close(): void {
    this.#ending.abort();
  }

  #nextChange(id: string, remainingMs: () => number, signal: AbortSignal): { promise: Promise<void>; cancel(): void } {
    let cancel = (): void => undefined;
    const promise = new Promise<void>((resolve) => {
      const timer = setTimeout(() => cancel(), Math.max(0, Math.min(remainingMs(), 2 ** 31 - 1)));
      const unwatch = this.#parts.changes.watch(id, () => cancel());
      const onAbort = () => cancel();
      signal.addEventListener('abort', onAbort);
      cancel = () => {
        clearTimeout(timer);
        unwatch();
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
    });
    return { promise, cancel };
  }
}

export function isOver(state: InvocationState): boolean {
  return state !== 'queued' && state !== 'running';
}

/** Of what makes two requests the same: method, target, content type, credentials and body. With other credentials it is somebody else's request. */
function fingerprint({ verb, rawPath, headers, body }: InvocationPayload): string {
  const telling: string[] = [];
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = (headers[index] as string).toLowerCase();
    if (name === 'content-type' || name === 'authorization') telling.push(name, headers[index + 1] as string);
  }
  const hash = createHash('sha256').update(JSON.stringify([verb, rawPath, telling]));
  if (body) hash.update(body);
  return hash.digest('hex');
}

function draining(): HearthError {
  return new HearthError('draining', 'The platform is shutting down and takes no more work. Try again in a few seconds.', { retryAfter: 5 });
}
