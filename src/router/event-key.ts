import { HearthError } from '../errors.ts';
import { canonicalPath } from './canonical-path.ts';

export type EventKey = HttpKey | CronKey | QueueKey;

/** `cron|EXPRESSION` or `cron|TZ=ZONE EXPRESSION`. What the expression means is not looked at here. */
export interface CronKey {
  kind: 'cron';
  /** With single spaces. */
  expression: string;
  /** `UTC` when none is named. */
  timezone: string;
}

/** `queue|NAME`: the messages of that queue of the operator's RabbitMQ. */
export interface QueueKey {
  kind: 'queue';
  /** As it stands; names of queues may hold anything. */
  queue: string;
}

/** `http|VERB|/path`, parsed. */
export interface HttpKey {
  kind: 'http';
  /** A method in capitals, or `*`. */
  verb: string;
  /** Canonical; segments may be `:name`, the last one may be `*`. */
  path: string;
  segments: readonly Segment[];
}

export type Segment = { kind: 'literal'; text: string } | { kind: 'param'; name: string } | { kind: 'rest' };

/** RFC 9110 §5.6.2 token, which a method is. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** @throws HearthError invalid_request that says which part doesn't fit */
export function parseEventKey(text: string): EventKey {
  const [kind, verb, ...rest] = text.split('|');
  const path = rest.join('|');
  if (kind === 'cron') return parseCronKey(text.slice('cron|'.length));
  if (kind === 'queue') return parseQueueKey(text);
  if (kind !== 'http') {
    throw new HearthError(
      'invalid_request',
      `The event key ${quote(text)} is of the kind ${quote(kind ?? '')}; this version knows \`http|VERB|/path\`, \`cron|EXPRESSION\` and \`queue|NAME\`.`,
    );
  }
  if (verb === undefined || !TOKEN.test(verb)) {
    throw new HearthError(
      'invalid_request',
      `The event key ${quote(text)} has no HTTP method in its second part; write \`http|GET|/path\`, or \`http|*|/path\` for all methods.`,
    );
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (!path.startsWith('/') || /[?#\s\u0000-\u001f\u007f]/.test(path)) {
    throw new HearthError(
      'invalid_request',
      `The path of the event key ${quote(text)} must begin with / and hold no ?, #, white space or control characters.`,
    );
  }
  const canonical = canonicalPath(encodeNonAscii(path));
  if (canonical === undefined) {
    throw new HearthError('invalid_request', `The path of the event key ${quote(text)} has a dot segment or a broken percent-encoding.`);
  }
  return { kind: 'http', verb: verb.toUpperCase(), path: canonical, segments: parseSegments(canonical, text) };
}

function parseCronKey(text: string): CronKey {
  const [, timezone = 'UTC', expression = ''] = /^(?:TZ=(\S*)\s+)?(.*)$/s.exec(text.trim()) ?? [];
  return { kind: 'cron', timezone, expression: expression.trim().replace(/\s+/g, ' ') };
}

/** Room for what is appended to the names of queues that belong to it; AMQP 0-9-1 §4.2.5.3 lets a name have 255 bytes. */
const MAX_QUEUE_NAME_BYTES = 230;

function parseQueueKey(text: string): QueueKey {
  const queue = text.slice('queue|'.length);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (queue === '' || Buffer.byteLength(queue) > MAX_QUEUE_NAME_BYTES || /[\u0000-\u001f\u007f]/.test(queue)) {
    throw new HearthError(
      'invalid_request',
      `The event key ${quote(text)} names no queue: write \`queue|NAME\`, a name of 1 to ${MAX_QUEUE_NAME_BYTES} bytes without control characters.`,
    );
  }
  if (queue.startsWith('amq.')) {
    throw new HearthError(
      'invalid_request',
      `The event key ${quote(text)} names a queue that begins with \`amq.\`; such names are the broker's own.`,
    );
  }
  return { kind: 'queue', queue };
}

function parseSegments(path: string, key: string): Segment[] {
  const parts = path.slice(1).split('/');
  const names = new Set<string>();
  return parts.map((part, index): Segment => {
    if (part === '*') {
      if (index !== parts.length - 1) throw new HearthError('invalid_request', `The event key ${quote(key)} has a * that isn't its last segment.`);
      return { kind: 'rest' };
    }
    if (!part.startsWith(':')) return { kind: 'literal', text: part };
    const name = part.slice(1);
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || names.has(name)) {
      throw new HearthError('invalid_request', `The event key ${quote(key)} has the parameter ${quote(part)}, which is no name or stands twice.`);
    }
    names.add(name);
    return { kind: 'param', name };
  });
}

function encodeNonAscii(path: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: everything outside of printable ASCII is to be encoded
  return path.replace(/[^\u0000-\u007f]+/gu, (run) => encodeURIComponent(run.toWellFormed()));
}

function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text);
}
