import type { ExchangeMessage } from '../../amqp/exchange-publisher.ts';
import type { Destination } from '../../schemas/destination.ts';
import { traceRecord } from '../../schemas/trace-headers.ts';
import { type DueDelivery, type DurableQueue, type InvocationDetail, type InvocationPayload, outcomeName } from '../durable-queue.ts';
import { backoffMs } from '../retry-policy.ts';
import { DeliveryRefused } from './delivery-refused.ts';
import { outcomeEvent } from './outcome-event.ts';
import type { WebhookMessage } from './post-webhook.ts';

export interface DeliveryParts {
  queue: Pick<DurableQueue, 'dueDeliveries' | 'settleDelivery' | 'get' | 'input' | 'now'>;
  /** What a callback URL is sent, as JSON. */
  describe(detail: InvocationDetail): unknown;
  /** The value of a secret; undefined when there is no such secret. @throws HearthError secret_unreadable */
  revealSecret(name: string): string | undefined;
  /** @throws Error when it didn't arrive; DeliveryRefused when it never will */
  post(message: WebhookMessage, ending: AbortSignal): Promise<void>;
  /** @throws Error when it was not accepted; DeliveryRefused when it never will be */
  toFunction(functionName: string, delivery: DueDelivery, source: InvocationPayload, body: Buffer): Promise<void>;
  /** Left out when the platform has no broker. @throws Error when the broker did not take it, or nobody is there to get it */
  publish?(message: ExchangeMessage, ending: AbortSignal): Promise<void>;
  random: () => number;
  log: { warn(fields: object, message: string): void };
  /** Called at each named point of a delivery's way: where a test lets the process die. */
  at?(point: 'before-delivery' | 'after-delivery', id: string): void;
}

/** Deliveries at a time. */
const PARALLEL = 8;
const POLICY = { attempts: 8, minBackoffMs: 2000, maxBackoffMs: 10 * 60_000, maxAgeMs: Number.POSITIVE_INFINITY };
/** Whatever nobody told of. Milliseconds. */
const LOOK_MS = 30_000;

/**
 * Tells outcomes to callback URLs and destinations, at least once each: what fails is tried again, eight times in all, with waits that grow. A delivery is a
 * row of the queue, written with the outcome; this takes those that are due, and one that was under way when the platform was killed is due still.
 */
export class Deliveries {
  readonly #parts: DeliveryParts;
  readonly #ending = new AbortController();
  #timer: NodeJS.Timeout | null = null;
  #round: Promise<void> | null = null;
  #again = false;

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
  }

  /** There may be something to deliver. */
  poke(): void {
    if (this.#ending.signal.aborted) return;
    this.#again = true;
    this.#round ??= this.#rounds().finally(() => {
      this.#round = null;
      // Whoever poked while the round was being ended.
      if (this.#again) this.poke();
    });
  }

  /** Breaks off what is under way; it is delivered after the next start. */
  async close(): Promise<void> {
    this.#ending.abort();
    if (this.#timer) clearTimeout(this.#timer);
    await this.#round;
  }

  async #rounds(): Promise<void> {
    const { queue, log } = this.#parts;
    let nextDueAt: number | null = null;
    try {
      while (this.#again && !this.#ending.signal.aborted) {
        this.#again = false;
        const page = await queue.dueDeliveries(PARALLEL);
        nextDueAt = page.nextDueAt;
        await Promise.all(page.due.map((due) => this.#deliver(due)));
        if (page.due.length === PARALLEL) this.#again = true;
      }
    } catch (error) {
      this.#again = false;
      nextDueAt = queue.now() + LOOK_MS / 10;
      if (!this.#ending.signal.aborted) log.warn({ err: error }, 'outcomes could not be delivered; it is tried again');
    }
    if (this.#ending.signal.aborted) return;
    if (this.#timer) clearTimeout(this.#timer);
    const waitMs = nextDueAt === null ? LOOK_MS : Math.min(LOOK_MS, Math.max(1, nextDueAt - queue.now()));
    this.#timer = setTimeout(() => this.poke(), waitMs);
  }

  async #deliver(due: DueDelivery): Promise<void> {
    const { queue, random, log } = this.#parts;
    const { id, kind } = due;
    const [detail, input] = await Promise.all([queue.get(id), queue.input(id)]);
    // Deleted, or redriven, since.
    if (!detail || !input || detail.endedAt === null) return;
    try {
      this.#parts.at?.('before-delivery', id);
      await this.#send(due, detail, input);
      this.#parts.at?.('after-delivery', id);
      await queue.settleDelivery(due, { kind: 'delivered' });
    } catch (error) {
      if (this.#ending.signal.aborted) return;
      const tries = due.attempts + 1;
      const reason = (error as Error).message;
      const last = tries >= POLICY.attempts || error instanceof DeliveryRefused;
      log.warn(
        { id, kind, to: nameOf(due.target), tries, reason },
        last ? 'an outcome could not be delivered; given up' : 'an outcome could not be delivered',
      );
      // When it is due again is asked for then.
      this.#again = true;
      await queue.settleDelivery(due, { kind: 'failed', error: reason, retryInMs: last ? null : backoffMs(tries, POLICY, random()) });
    }
  }

  async #send(due: DueDelivery, detail: InvocationDetail, input: InvocationPayload): Promise<void> {
    const { target, kind, id } = due;
    const body = Buffer.from(JSON.stringify(kind === 'callback' ? this.#parts.describe(detail) : outcomeEvent(detail, input)));
    if (target.kind === 'function') {
      await this.#parts.toFunction(target.name, due, input, body);
      return;
    }
    const message = {
      id: outcomeName(due),
      sentAt: Date.now(),
      body,
      headers: { 'X-Correlation-Id': id, 'X-Hearth-Attempt': String(due.attempts + 1), ...traceRecord(input.headers) },
    };
    if (target.kind === 'url') {
      const secret = target.secret === null ? null : this.#secret(target.secret);
      await this.#parts.post({ ...message, url: target.url, secret }, this.#ending.signal);
      return;
    }
    if (!this.#parts.publish) throw new Error('the platform was started without a broker; set amqp.url (HEARTH_AMQP_URL)');
    const { exchange, routingKey } = target;
    const type = `invocation.${detail.state === 'succeeded' ? 'succeeded' : 'failed'}`;
    await this.#parts.publish({ ...message, exchange, routingKey, correlationId: id, type }, this.#ending.signal);
  }

  #secret(name: string): string {
    const value = this.#parts.revealSecret(name);
    if (value === undefined) throw new Error(`the secret ${name}, which signs it, does not exist any more`);
    return value;
  }
}

function nameOf(target: Destination): string {
  if (target.kind === 'exchange') return `exchange ${target.exchange}, routing key ${target.routingKey}`;
  return target.kind === 'function' ? target.name : target.url;
}
