import type { ConsumeMessage, MessagePropertyHeaders } from 'amqplib';
import type { InvocationInput } from '../scheduler/invocation.ts';

/** What the platform itself has noted on a message that is to be tried again. */
export interface RetryState {
  /** The one function that it is for; null: it came from outside, for all functions of the queue. */
  functionName: string | null;
  /** Attempts that failed. */
  failures: number;
  /** When it came first; milliseconds since the epoch. */
  firstAt: number;
}

export const RETRY_HEADERS = {
  functionName: 'x-hearth-retry-function',
  failures: 'x-hearth-retry-failures',
  firstAt: 'x-hearth-retry-first-at',
} as const;

/** Names and values of AMQP headers together, in characters: more is left out, as a gateway's caller could not send it either. */
const MAX_HEADER_CHARS = 16 * 1024;
/** RFC 9110 §5.6.2 token, which a header's name is. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What the platform vouches for, under names that a message can't give itself. */
const PLATFORMS_OWN = /^(x-hearth-|x-amqp-|x-correlation-id$|content-type$|content-encoding$)/i;
const MAX_REQUEST_ID_CHARS = 200;

export function retryStateOf({ properties }: ConsumeMessage, now: number): RetryState {
  const headers = properties.headers ?? {};
  const { [RETRY_HEADERS.functionName]: name, [RETRY_HEADERS.failures]: failures, [RETRY_HEADERS.firstAt]: firstAt } = headers;
  if (typeof name !== 'string' || name === '') return { functionName: null, failures: 0, firstAt: now };
  return { functionName: name, failures: whole(failures) ?? 0, firstAt: Math.min(now, whole(firstAt) ?? now) };
}

/** What a function sees of a message: a POST of its body, with the properties and headers of AMQP as headers. */
export function inputOf(queue: string, message: ConsumeMessage, id: string, attempt: number): InvocationInput {
  const { properties, content } = message;
  const path = `/queues/${encodeURIComponent(queue)}`;
  return {
    id,
    correlationId: id,
    trigger: 'queue',
    messageType: 'queue',
    verb: 'POST',
    path,
    rawPath: path,
    query: '',
    params: {},
    headers: [...headersOf(queue, message), 'X-Correlation-Id', id, 'X-Hearth-Attempt', String(attempt)],
    body: content.length === 0 ? null : content,
    scriptBody: null,
    requestId: requestIdOf(properties.correlationId) ?? requestIdOf(properties.messageId),
    patient: true,
  };
}

/** Names and values in turn. */
function headersOf(queue: string, { properties, fields }: ConsumeMessage): string[] {
  const headers: string[] = [];
  const add = (name: string, value: unknown): void => {
    if (value !== undefined && value !== null && value !== '') headers.push(name, textOf(value));
  };
  add('Content-Type', properties.contentType);
  add('Content-Encoding', properties.contentEncoding);
  add('X-Hearth-Queue', queue);
  add('X-Amqp-Exchange', fields.exchange);
  add('X-Amqp-Routing-Key', fields.routingKey);
  add('X-Amqp-Redelivered', fields.redelivered);
  add('X-Amqp-Message-Id', properties.messageId);
  add('X-Amqp-Correlation-Id', properties.correlationId);
  add('X-Amqp-Reply-To', properties.replyTo);
  add('X-Amqp-Type', properties.type);
  add('X-Amqp-App-Id', properties.appId);
  add('X-Amqp-User-Id', properties.userId);
  add('X-Amqp-Priority', properties.priority);
  add('X-Amqp-Timestamp', properties.timestamp);
  let chars = 0;
  for (const [name, value] of Object.entries((properties.headers ?? {}) as MessagePropertyHeaders)) {
    if (!TOKEN.test(name) || PLATFORMS_OWN.test(name) || value === undefined || value === null) continue;
    const text = textOf(value);
    chars += name.length + text.length;
    if (chars > MAX_HEADER_CHARS) break;
    headers.push(name, text);
  }
  return headers;
}

/** Tables, lists and the like as JSON; on one line, since a script finds headers line by line. */
function textOf(value: unknown): string {
  const text = typeof value === 'object' ? JSON.stringify(value, (_key, one) => (typeof one === 'bigint' ? String(one) : one)) : String(value);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they would end a header's line, or do worse
  return text.toWellFormed().replace(/[\u0000-\u001f\u007f\u0085\u2028\u2029]+/g, ' ');
}

function requestIdOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? textOf(value).slice(0, MAX_REQUEST_ID_CHARS) : null;
}

function whole(value: unknown): number | undefined {
  const number = typeof value === 'bigint' ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}
