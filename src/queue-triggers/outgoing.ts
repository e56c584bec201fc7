import type { ConsumeMessage, Options } from 'amqplib';
import type { OutgoingMessage } from '../amqp/exchange-publisher.ts';
import type { ErrorCode } from '../errors.ts';
import type { StoredReply } from '../queue/durable-queue.ts';
import type { ExchangeDestination } from '../schemas/destination.ts';
import { RETRY_HEADERS, type RetryState } from './queue-message.ts';

const SHORTEST_RETRY_MS = 125;
/** Nobody has used a queue for retries for so long after its last message has gone: the broker deletes it. */
const RETRY_QUEUE_GRACE_MS = 60_000;
const MAX_DETAIL_CHARS = 1000;

/** Why a function did not work off a message. */
export interface Death {
  functionName: string;
  versionNumber: number | null;
  /** The last attempt's; null when there was none. */
  invocationId: string | null;
  attempts: number;
  /** As `dead_reason` of asynchronous invocations. */
  reason: string;
  code: ErrorCode;
  detail: string;
}

export function deadLetterQueue(queue: string): string {
  return `${queue}.dead`;
}

/** Where the queue is made when there is none of that name: what is taken too often without being acknowledged, since the platform dies of it, dies too. */
export function queueArguments(queue: string): Options.AssertQueue {
  return {
    durable: true,
    arguments: {
      'x-queue-type': 'quorum',
      'x-delivery-limit': 20,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': deadLetterQueue(queue),
      'x-dead-letter-strategy': 'at-least-once',
      'x-overflow': 'reject-publish',
    },
  };
}

export const DEAD_LETTER_QUEUE_OPTIONS: Options.AssertQueue = { durable: true, arguments: { 'x-queue-type': 'quorum' } };

/**
 * The message, to come back to its queue after that time. It waits in one of some twenty queues, the one whose bound is the next power of two: the head of a
 * queue is what the broker looks at, so that what waits short must not stand behind what waits long.
 */
export function retryMessage(
  queue: string,
  message: ConsumeMessage,
  delayMs: number,
  { functionName, failures, firstAt }: RetryState,
): OutgoingMessage {
  const wait = Math.max(1, Math.round(delayMs));
  const boundMs = SHORTEST_RETRY_MS * 2 ** Math.max(0, Math.ceil(Math.log2(wait / SHORTEST_RETRY_MS)));
  const name = `${queue}.retry.${boundMs}`;
  const state = { [RETRY_HEADERS.functionName]: functionName, [RETRY_HEADERS.failures]: failures, [RETRY_HEADERS.firstAt]: firstAt };
  return {
    exchange: '',
    routingKey: name,
    body: message.content,
    options: { ...propertiesOf(message), headers: { ...headersOf(message), ...state }, expiration: String(wait) },
    prepare: (channel) =>
      channel.assertQueue(name, {
        durable: true,
        // Declaring it anew, before each message, starts its time anew.
        arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': queue, 'x-expires': boundMs + RETRY_QUEUE_GRACE_MS },
      }),
  };
}

/** The message as it came, with headers that say why it was given up. */
export function deadLetter(queue: string, message: ConsumeMessage, death: Death, to: ExchangeDestination | null, now: number): OutgoingMessage {
  return {
    exchange: to?.exchange ?? '',
    routingKey: to?.routingKey ?? deadLetterQueue(queue),
    body: message.content,
    options: {
      ...propertiesOf(message),
      headers: {
        ...headersOf(message),
        'x-hearth-queue': queue,
        'x-hearth-function': death.functionName,
        ...(death.versionNumber === null ? {} : { 'x-hearth-version': death.versionNumber }),
        ...(death.invocationId === null ? {} : { 'x-hearth-invocation': death.invocationId }),
        'x-hearth-attempts': death.attempts,
        'x-hearth-reason': death.reason,
        'x-hearth-error': death.code,
        'x-hearth-detail': death.detail.slice(0, MAX_DETAIL_CHARS).toWellFormed(),
        'x-hearth-died-at': new Date(now).toISOString(),
      },
    },
  };
}

/** What a function answered, for whoever waits at the message's reply_to; null when nobody does. */
export function answerMessage(queue: string, message: ConsumeMessage, invocationId: string, reply: StoredReply): OutgoingMessage | null {
  const contentType = reply.headers.find((_, at, all) => at % 2 === 1 && (all[at - 1] as string).toLowerCase() === 'content-type');
  return replyMessage(queue, message, invocationId, Buffer.from(reply.body ?? []), {
    ...(contentType === undefined ? {} : { contentType }),
    headers: { 'x-hearth-status': reply.status, 'x-hearth-invocation': invocationId },
  });
}

/** That there will be no answer, for whoever waits for one: problem details (RFC 9457); null when nobody does. */
export function failureMessage(queue: string, message: ConsumeMessage, problem: object, { code, invocationId }: Death): OutgoingMessage | null {
  return replyMessage(queue, message, invocationId, Buffer.from(JSON.stringify(problem)), {
    contentType: 'application/problem+json',
    headers: { 'x-hearth-error': code, ...(invocationId === null ? {} : { 'x-hearth-invocation': invocationId }) },
  });
}

function replyMessage(
  queue: string,
  { properties }: ConsumeMessage,
  invocationId: string | null,
  body: Buffer,
  options: Options.Publish,
): OutgoingMessage | null {
  const { replyTo, correlationId } = properties;
  // An answer to its own queue would be a question, without end.
  if (typeof replyTo !== 'string' || replyTo === '' || replyTo === queue || typeof correlationId !== 'string' || correlationId === '') return null;
  return {
    exchange: '',
    routingKey: replyTo,
    body,
    options: { ...options, correlationId, persistent: true, appId: 'hearth', ...(invocationId === null ? {} : { messageId: invocationId }) },
  };
}

/** All but its time to live, which was for the way here, and the sender's name, under which only the sender may publish. */
function propertiesOf({ properties }: ConsumeMessage): Options.Publish {
  const { contentType, contentEncoding, priority, correlationId, replyTo, messageId, timestamp, type, appId } = properties;
  const given = { contentType, contentEncoding, priority, correlationId, replyTo, messageId, timestamp, type, appId };
  return { ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)), persistent: true };
}

/** Without those by which the broker itself would do something: CC and BCC send copies, x-death and its kin count the ways of a message. */
function headersOf({ properties }: ConsumeMessage): Record<string, unknown> {
  const brokersOwn = /^(cc|bcc|x-death|x-first-death-.*|x-last-death-.*|x-delivery-count|x-hearth-retry-.*)$/i;
  return Object.fromEntries(Object.entries(properties.headers ?? {}).filter(([name]) => !brokersOwn.test(name)));
}
