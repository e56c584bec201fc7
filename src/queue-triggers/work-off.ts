import type { ConsumeMessage } from 'amqplib';
import { type OutgoingMessage, Unroutable } from '../amqp/exchange-publisher.ts';
import { type ErrorCode, HearthError } from '../errors.ts';
import type { StoredReply, Verdict } from '../queue/durable-queue.ts';
import { ResultSink } from '../queue/result-sink.ts';
import { judge } from '../queue/retry-policy.ts';
import type { InvocationInput, ReplySink } from '../scheduler/invocation.ts';
import { newInvocationId } from '../scheduler/invocation-id.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import type { InvocationRecord } from '../schemas/records.ts';
import { answerMessage, DEAD_LETTER_QUEUE_OPTIONS, type Death, deadLetter, deadLetterQueue, failureMessage, retryMessage } from './outgoing.ts';
import { inputOf, type RetryState, retryStateOf } from './queue-message.ts';

export interface WorkParts {
  submit(input: InvocationInput, version: FunctionVersion, sink: ReplySink): unknown;
  /** The version that a message gets; undefined when there is no such function. */
  choose(functionName: string): FunctionVersion | undefined;
  /** @throws Unroutable; Error when the broker did not confirm it */
  send(message: OutgoingMessage, ending: AbortSignal): Promise<void>;
  record(record: InvocationRecord): void;
  /** Largest body of a message, and of an answer. Bytes. */
  maxBodyBytes: number;
  maxReplyBytes: number;
  /** Milliseconds since the epoch. */
  clock: () => number;
  /** 0 to below 1. */
  random: () => number;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

/** What a message's broker is to be told: done with it, or somebody else may have it. */
export type Settlement = 'ack' | 'requeue';

export interface Tally {
  succeeded: number;
  retried: number;
  deadLettered: number;
}

/** Between tries to publish what must be on the broker before the message may go. Milliseconds. */
const PUBLISH_WAITS_MS = [250, 500, 1000, 2000, 5000, 10_000];

/**
 * One message that is in hand: run by every function of its queue, or by the one that it is tried again for. It may be acknowledged when each of them has
 * succeeded, or when the broker has confirmed what stands for the function that has not: the message itself, in a queue for retries or dead letters. The order
 * is that of safety: if the platform dies in between, something is done twice, and nothing never.
 */
export class WorkOff {
  readonly #parts: WorkParts;
  readonly #queue: string;
  readonly #message: ConsumeMessage;
  readonly #tally: Tally;
  /** Aborted when the message is ours no more, or when the platform ends. */
  readonly #ending: AbortSignal;
  /** Is told why nothing can be published; null: it can. */
  readonly #onTrouble: (reason: string | null) => void;

  constructor(
    parts: WorkParts,
    queue: string,
    message: ConsumeMessage,
    { tally, ending, onTrouble }: { tally: Tally; ending: AbortSignal; onTrouble: (reason: string | null) => void },
  ) {
    this.#parts = parts;
    this.#queue = queue;
    this.#message = message;
    this.#tally = tally;
    this.#ending = ending;
    this.#onTrouble = onTrouble;
  }

  /** @param functionNames of the queue */
  async run(functionNames: readonly string[]): Promise<Settlement> {
    const state = retryStateOf(this.#message, this.#parts.clock());
    if (functionNames.length === 0) return 'requeue';
    const { functionName } = state;
    if (functionName !== null && !functionNames.includes(functionName)) {
      return this.#bury(state, null, {
        functionName,
        invocationId: null,
        reason: 'function_gone',
        code: 'no_function',
        detail: `The function "${functionName}", for which it was to be tried again, is not on the queue "${this.#queue}" any more.`,
      });
    }
    const names = functionName === null ? functionNames : [functionName];
    const settlements = await Promise.all(names.map((name) => this.#runOne({ ...state, functionName: name })));
    return settlements.includes('requeue') ? 'requeue' : 'ack';
  }

  async #runOne(state: RetryState & { functionName: string }): Promise<Settlement> {
    const { choose, maxBodyBytes, clock, random } = this.#parts;
    for (;;) {
      const version = choose(state.functionName);
      // Deleted since it came: what the queue has left is not for us to throw away.
      if (!version || this.#ending.aborted) return 'requeue';
      const { length } = this.#message.content;
      if (length > maxBodyBytes) {
        const detail = `The message has ${length} bytes; functions are given ${maxBodyBytes} at most (the setting gateway.max_body_bytes).`;
        return this.#bury(state, version, {
          functionName: state.functionName,
          invocationId: null,
          reason: 'not_retriable',
          code: 'body_too_large',
          detail,
        });
      }
      const { record, reply, clock: passed } = await this.#attempt(version, state.failures + 1);
      const taken = { mode: 'async', failures: state.failures, ageFrom: state.firstAt } as const;
      const verdict = judge({ taken, record, reply, policy: version.retry, now: clock(), random, clock: passed });
      if (verdict.kind === 'done') return this.#done(state, version, record, reply, verdict);
      if (verdict.counts) return this.#retry(state, verdict.delayMs);
      if (record.errorCode === 'draining') return 'requeue';
      // There was room for it when it was taken, and others were quicker.
      await pause(verdict.delayMs, this.#ending);
    }
  }

  #attempt(version: FunctionVersion, attempt: number): Promise<{ record: InvocationRecord; reply: StoredReply | null; clock: unknown }> {
    const input = inputOf(this.#queue, this.#message, newInvocationId(), attempt);
    return new Promise((resolve) => {
      const sink = new ResultSink(this.#isAsked ? this.#parts.maxReplyBytes : 0, (record, reply, clock) => {
        this.#parts.record(record);
        resolve({ record, reply, clock });
      });
      this.#parts.submit(input, version, sink);
    });
  }

  /** Somebody waits for the answer. */
  get #isAsked(): boolean {
    const { replyTo, correlationId } = this.#message.properties;
    return Boolean(replyTo && correlationId);
  }

  async #done(
    state: RetryState & { functionName: string },
    version: FunctionVersion,
    record: InvocationRecord,
    reply: StoredReply | null,
    verdict: Extract<Verdict, { kind: 'done' }>,
  ): Promise<Settlement> {
    const { functionName } = state;
    if (verdict.state === 'cancelled') return 'ack';
    if (verdict.state === 'succeeded') {
      if (this.#isAsked && reply?.body === null) {
        const detail = `The answer has ${reply.bytes} bytes; ${this.#parts.maxReplyBytes} are sent at most (the setting gateway.max_reply_bytes).`;
        return this.#bury(state, version, { functionName, invocationId: record.id, reason: 'not_retriable', code: 'reply_too_large', detail });
      }
      const answer = reply && answerMessage(this.#queue, this.#message, record.id, reply);
      if (answer && !(await this.#publish(answer, 'drop'))) return 'requeue';
      this.#tally.succeeded++;
      return 'ack';
    }
    return this.#bury(state, version, {
      functionName,
      invocationId: record.id,
      reason: verdict.deadReason ?? 'attempts_exhausted',
      code: (verdict.error?.code ?? 'function_failed') as ErrorCode,
      detail: verdict.error?.message ?? 'It failed.',
    });
  }

  async #retry(state: RetryState, delayMs: number): Promise<Settlement> {
    const again = retryMessage(this.#queue, this.#message, delayMs, { ...state, failures: state.failures + 1 });
    if (!(await this.#publish(again, 'insist'))) return 'requeue';
    this.#tally.retried++;
    return 'ack';
  }

  async #bury(state: RetryState, version: FunctionVersion | null, why: Omit<Death, 'attempts' | 'versionNumber'>): Promise<Settlement> {
    const { clock, log } = this.#parts;
    const death: Death = { ...why, versionNumber: version?.number ?? null, attempts: state.failures + (why.invocationId === null ? 0 : 1) };
    const failure = version?.destinations?.onFailure;
    const to = failure?.kind === 'exchange' ? failure : null;
    if (!(await this.#publish(deadLetter(this.#queue, this.#message, death, to, clock()), to ? 'insist' : 'declare'))) return 'requeue';
    this.#tally.deadLettered++;
    const where = to ?? { exchange: '', routingKey: deadLetterQueue(this.#queue) };
    log.warn({ queue: this.#queue, ...death, exchange: where.exchange, routingKey: where.routingKey }, 'a message has become a dead letter');
    const told = failureMessage(this.#queue, this.#message, problemOf(death), death);
    if (told && !(await this.#publish(told, 'drop'))) return 'requeue';
    return 'ack';
  }

  /**
   * Tries until the broker has confirmed it, or until the message is ours no more.
   * @param unroutable what to do when no queue is there for it: let it be, go on trying, or declare the queue of dead letters and go on
   * @returns whether it is there, or was let be
   */
  async #publish(outgoing: OutgoingMessage, unroutable: 'drop' | 'insist' | 'declare'): Promise<boolean> {
    const { send, log } = this.#parts;
    for (let tries = 0; !this.#ending.aborted; tries++) {
      try {
        await send(outgoing, this.#ending);
        if (tries > 0) this.#onTrouble(null);
        return true;
      } catch (error) {
        if (this.#ending.aborted) break;
        const isUnroutable = error instanceof Unroutable;
        if (isUnroutable && unroutable === 'drop') {
          log.info({ queue: this.#queue, replyTo: outgoing.routingKey }, 'whoever asked for an answer is there no more');
          return true;
        }
        if (isUnroutable && unroutable === 'declare' && !outgoing.prepare) {
          outgoing.prepare = (channel) => channel.assertQueue(outgoing.routingKey, DEAD_LETTER_QUEUE_OPTIONS);
          continue;
        }
        const reason = (error as Error).message;
        if (tries === 0) log.warn({ queue: this.#queue, to: outgoing.routingKey, exchange: outgoing.exchange, reason }, UNPUBLISHED);
        this.#onTrouble(reason);
        await pause(PUBLISH_WAITS_MS[Math.min(tries, PUBLISH_WAITS_MS.length - 1)] as number, this.#ending);
      }
    }
    return false;
  }
}

const UNPUBLISHED = 'what follows from a message can not be published; it is tried again, and the message is kept meanwhile';

function problemOf({ code, detail }: Death): object {
  return new HearthError(code, detail).toProblem();
}

/** Ends early when the signal is given. */
function pause(milliseconds: number, ending: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      ending.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    ending.addEventListener('abort', end);
    if (ending.aborted) end();
  });
}
