import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { CallbackAddresses } from './callback-address.ts';
import type { DueCallback, DurableQueue, InvocationDetail } from './durable-queue.ts';
import { backoffMs } from './retry-policy.ts';

export interface CallbackParts {
  queue: DurableQueue;
  addresses: CallbackAddresses;
  /** What is sent, as JSON. */
  describe(detail: InvocationDetail): unknown;
  random: () => number;
  log: { warn(fields: object, message: string): void };
}

/** Deliveries at a time. */
const PARALLEL = 8;
const TIMEOUT_MS = 10_000;
const POLICY = { attempts: 8, minBackoffMs: 10_000, maxBackoffMs: 10 * 60_000, maxAgeMs: Number.POSITIVE_INFINITY };
/** Whatever nobody told of. Milliseconds. */
const LOOK_MS = 30_000;

/** Sends results to the callback URLs of their invocations, at least once each: what isn't answered by a status of 200 to 299 is tried again, eight times in all. */
export class Callbacks {
  readonly #parts: CallbackParts;
  readonly #ending = new AbortController();
  #timer: NodeJS.Timeout | null = null;
  #round: Promise<void> | null = null;
  #again = false;

  constructor(parts: CallbackParts) {
    this.#parts = parts;
  }

  /** There may be something to deliver. */
  poke(): void {
    if (this.#ending.signal.aborted) return;
    this.#again = true;
    this.#round ??= this.#rounds().finally(() => {
      this.#round = null;
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
        const page = await queue.dueCallbacks(PARALLEL);
        nextDueAt = page.nextDueAt;
        await Promise.all(page.due.map((due) => this.#deliver(due)));
        if (page.due.length === PARALLEL) this.#again = true;
      }
    } catch (error) {
      if (!this.#ending.signal.aborted) log.warn({ err: error }, 'results could not be sent to their callback URLs; it is tried again');
    }
    if (this.#ending.signal.aborted) return;
    if (this.#timer) clearTimeout(this.#timer);
    const waitMs = nextDueAt === null ? LOOK_MS : Math.min(LOOK_MS, Math.max(1, nextDueAt - queue.now()));
    this.#timer = setTimeout(() => this.poke(), waitMs);
  }

  async #deliver({ id, url, attempts }: DueCallback): Promise<void> {
    const { queue, random, log } = this.#parts;
    const detail = await queue.get(id);
    if (!detail) return;
    try {
      const status = await this.#post(url, Buffer.from(JSON.stringify(this.#parts.describe(detail))), id, attempts + 1);
      if (status < 200 || status > 299) throw new Error(`it answered ${status}`);
      await queue.settleCallback(id, true, null);
    } catch (error) {
      if (this.#ending.signal.aborted) return;
      const tries = attempts + 1;
      const last = tries >= POLICY.attempts;
      log.warn(
        { id, url, tries, reason: (error as Error).message },
        last ? 'a callback URL did not take its result; given up' : 'a callback URL did not take its result',
      );
      // When it is due again is asked for then.
      this.#again = true;
      await queue.settleCallback(id, false, last ? null : backoffMs(tries, POLICY, random()));
    }
  }

  /** @returns the status; redirects are not followed */
  #post(text: string, body: Buffer, id: string, attempt: number): Promise<number> {
    const { addresses } = this.#parts;
    addresses.check(text);
    const url = new URL(text);
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const sent = request(
        url,
        {
          method: 'POST',
          lookup: addresses.lookupFor(url),
          agent: false,
          signal: AbortSignal.any([this.#ending.signal, AbortSignal.timeout(TIMEOUT_MS)]),
          headers: {
            'Content-Type': 'application/json',
            'Content-Length': body.length,
            'User-Agent': 'hearth',
            'X-Correlation-Id': id,
            'X-Hearth-Attempt': String(attempt),
          },
        },
        (response) => {
          // The answer's body is of no interest, and of any length.
          response.destroy();
          resolve(response.statusCode ?? 0);
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
  }
}
