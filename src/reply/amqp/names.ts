import { randomUUID } from 'node:crypto';
import type { ReplyInbox } from '../endpoint.ts';
import { AmqpError } from './amqp-error.ts';

/** Server-named queues of one connection; nothing is ever in them, but their names are remembered. */
const MAX_PRIVATE_QUEUES = 256;

/** Section 3.1.3 of the specification: what every server has from the start, as RabbitMQ has it. All are durable. */
const PREDEFINED_EXCHANGES: ReadonlyMap<string, string> = new Map([
  ['amq.direct', 'direct'],
  ['amq.fanout', 'fanout'],
  ['amq.topic', 'topic'],
  ['amq.headers', 'headers'],
  ['amq.match', 'headers'],
]);

/** Which queues and exchanges one connection may speak of: its sandbox's running invocations, and queues of its own. */
export class Names {
  readonly #inbox: ReplyInbox;
  readonly #private = new Set<string>();

  constructor(inbox: ReplyInbox) {
    this.#inbox = inbox;
  }

  /** A new queue of the connection's own. @throws AmqpError RESOURCE_ERROR */
  createPrivateQueue(): string {
    if (this.#private.size >= MAX_PRIVATE_QUEUES) throw new AmqpError('RESOURCE_ERROR', `more than ${MAX_PRIVATE_QUEUES} server-named queues`);
    const queue = `amq.gen-${randomUUID()}`;
    this.#private.add(queue);
    return queue;
  }

  deletePrivateQueue(queue: string): void {
    this.#private.delete(queue);
  }

  /** @throws AmqpError ACCESS_REFUSED: whether others have such a queue is not told */
  requireDeclarable(queue: string): void {
    if (!this.#exists(queue)) throw new AmqpError('ACCESS_REFUSED', `queue '${queue}' is not the reply queue of an invocation that runs here`);
  }

  /** @throws AmqpError NOT_FOUND */
  requireQueue(queue: string): void {
    if (!this.#exists(queue)) throw new AmqpError('NOT_FOUND', `no queue '${queue}' in vhost '/'`);
  }

  /** What a publisher names. @throws AmqpError NOT_FOUND, ACCESS_REFUSED */
  requireDestination(exchange: string, routingKey: string): void {
    if (exchange !== '') throw new AmqpError('NOT_FOUND', `no exchange '${exchange}' takes messages here: publish to the default exchange`);
    if (this.#inbox.accepts(routingKey)) return;
    throw new AmqpError('ACCESS_REFUSED', `routing key '${routingKey}' is not the correlation id of an invocation that runs here`);
  }

  /** @throws AmqpError ACCESS_REFUSED, NOT_FOUND unless it is one that is there already, declared as it is */
  requireExchange(exchange: string, declared: { passive: true } | { passive: false; type: string; durable: boolean }): void {
    if (exchange === '') throw new AmqpError('ACCESS_REFUSED', 'operation not permitted on the default exchange');
    const type = PREDEFINED_EXCHANGES.get(exchange);
    if (declared.passive) {
      if (type === undefined) throw new AmqpError('NOT_FOUND', `no exchange '${exchange}' in vhost '/'`);
    } else if (type !== declared.type || !declared.durable) {
      throw new AmqpError('ACCESS_REFUSED', `exchange '${exchange}' can't be declared so: there are the predefined ones only`);
    }
  }

  #exists(queue: string): boolean {
    return this.#private.has(queue) || this.#inbox.accepts(queue);
  }
}
