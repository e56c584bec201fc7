import type { ReplyInbox } from '../endpoint.ts';
import { AmqpError } from './amqp-error.ts';
import type { ClientMethod } from './client-methods.ts';
import { ContentAssembly, type ContentBudget } from './content-assembly.ts';
import type { Names } from './names.ts';
import { toReplyMessage } from './reply-message.ts';
import * as answer from './server-frames.ts';

/** What a channel needs of its connection. */
export interface ChannelHost {
  readonly inbox: ReplyInbox;
  readonly names: Names;
  readonly budget: ContentBudget;
  readonly maxMessageBytes: number;
  send(frame: Buffer): void;
}

/**
 * One open channel. Its states: idle → (basic.publish) → content → idle. A channel that failed is no longer this object's
 * business: the connection drops it and waits for close-ok. Whatever it throws is an AmqpError for the connection to tell.
 */
export class Channel {
  readonly #number: number;
  readonly #host: ChannelHost;
  #content: ContentAssembly | undefined;
  #confirms = false;
  #published = 0;
  #lastQueue = '';
  #lastTag = 0;

  constructor(number: number, host: ChannelHost) {
    this.#number = number;
    this.#host = host;
  }

  /** Lets go of a half-received message. */
  dispose(): void {
    this.#content?.abandon();
    this.#content = undefined;
  }

  header(payload: Buffer): void {
    const content = this.#requireContent();
    content.header(payload);
    if (content.complete) this.#publish(content);
  }

  body(payload: Buffer): void {
    const content = this.#requireContent();
    content.body(payload);
    if (content.complete) this.#publish(content);
  }

  method(method: ClientMethod): void {
    if (this.#content !== undefined) throw new AmqpError('UNEXPECTED_FRAME', 'a method came where the content of a message was due');
    const frame = this.#carryOut(method);
    if (frame !== undefined && !('noWait' in method && method.noWait)) this.#host.send(frame);
  }

  /** @returns the answer, when the method has one */
  #carryOut(method: ClientMethod): Buffer | undefined {
    const { names } = this.#host;
    const number = this.#number;
    switch (method.name) {
      case 'basic.publish':
        this.#begin(method);
        return undefined;
      case 'queue.declare':
        return answer.queueDeclareOk(number, this.#declareQueue(method));
      case 'queue.bind':
        names.requireQueue(this.#queue(method.queue));
        names.requireExchange(method.exchange, { passive: true });
        return answer.queueBindOk(number);
      case 'queue.unbind':
        names.requireQueue(this.#queue(method.queue));
        names.requireExchange(method.exchange, { passive: true });
        return answer.queueUnbindOk(number);
      case 'queue.purge':
        names.requireQueue(this.#queue(method.queue));
        return answer.queuePurgeOk(number);
      case 'queue.delete': {
        const queue = this.#queue(method.queue);
        names.requireQueue(queue);
        names.deletePrivateQueue(queue);
        return answer.queueDeleteOk(number);
      }
      case 'exchange.declare':
        names.requireExchange(method.exchange, method.passive ? { passive: true } : { ...method, passive: false });
        return answer.exchangeDeclareOk(number);
      case 'exchange.delete':
      case 'exchange.bind':
      case 'exchange.unbind':
        throw new AmqpError('ACCESS_REFUSED', 'the exchanges of this server are as they are');
      case 'basic.qos':
        return answer.basicQosOk(number);
      case 'basic.consume':
        names.requireQueue(this.#queue(method.queue));
        return answer.basicConsumeOk(number, method.consumerTag === '' ? this.#newTag() : method.consumerTag);
      case 'basic.cancel':
        return answer.basicCancelOk(number, method.consumerTag);
      case 'basic.get':
        names.requireQueue(this.#queue(method.queue));
        return answer.basicGetEmpty(number);
      case 'basic.ack':
      case 'basic.nack':
      case 'basic.reject':
        // Nothing is ever delivered, so there is nothing to settle.
        throw new AmqpError('PRECONDITION_FAILED', `unknown delivery tag ${method.deliveryTag}`);
      case 'basic.recover':
        return answer.basicRecoverOk(number);
      case 'basic.recover-async':
      case 'channel.flow-ok':
        return undefined;
      case 'channel.flow':
        return answer.channelFlowOk(number, method.active);
      case 'confirm.select':
        this.#confirms = true;
        return answer.confirmSelectOk(number);
      default:
        throw new AmqpError('COMMAND_INVALID', `${method.name} is not a method of a channel`);
    }
  }

  #begin(method: ClientMethod & { name: 'basic.publish' }): void {
    if (method.immediate) throw new AmqpError('NOT_IMPLEMENTED', 'immediate=true');
    this.#host.names.requireDestination(method.exchange, method.routingKey);
    if (this.#confirms) this.#published += 1;
    this.#content = new ContentAssembly(method.routingKey, this.#host.maxMessageBytes, this.#host.budget);
  }

  /** The invocation may have ended while its message was on the way: then nobody gets it, and the publisher is told. */
  #publish(content: ContentAssembly): void {
    this.#content = undefined;
    const { routingKey } = content;
    const { properties, body } = content.finish();
    if (this.#host.inbox.accepts(routingKey)) {
      this.#host.inbox.deliver(routingKey, toReplyMessage(properties, body));
      if (this.#confirms) this.#host.send(answer.basicAck(this.#number, this.#published));
    } else if (this.#confirms) {
      this.#host.send(answer.basicNack(this.#number, this.#published));
    } else {
      throw new AmqpError('NOT_FOUND', `the invocation '${routingKey}' ended before its message was complete`);
    }
  }

  #declareQueue(method: ClientMethod & { name: 'queue.declare' }): string {
    const { names } = this.#host;
    let queue = method.queue;
    if (method.passive) {
      queue = this.#queue(queue);
      names.requireQueue(queue);
    } else if (queue === '') queue = names.createPrivateQueue();
    else names.requireDeclarable(queue);
    this.#lastQueue = queue;
    return queue;
  }

  #newTag(): string {
    this.#lastTag += 1;
    return `amq.ctag-${this.#number}-${this.#lastTag}`;
  }

  /** An empty name means the queue that the channel declared last (1.7.2.1, 1.8.3.3 and others). */
  #queue(name: string): string {
    return name === '' ? this.#lastQueue : name;
  }

  #requireContent(): ContentAssembly {
    if (this.#content === undefined) throw new AmqpError('UNEXPECTED_FRAME', 'content came without a method that announces it');
    return this.#content;
  }
}
