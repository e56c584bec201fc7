import { AmqpError } from './amqp-error.ts';
import type { ClientMethod } from './client-methods.ts';
import { FieldReader } from './field-reader.ts';

type Decoder = (reader: FieldReader) => ClientMethod;

const key = (classId: number, methodId: number): number => classId * 0x10000 + methodId;

/** By class and method id, fields in the order of the specification's XML. `short` at the front is the reserved access ticket. */
const DECODERS: ReadonlyMap<number, Decoder> = new Map<number, Decoder>([
  [
    key(10, 11),
    (r) => {
      r.longstr();
      const mechanism = r.shortstr();
      r.longstr();
      return { name: 'connection.start-ok', mechanism, locale: r.shortstr() };
    },
  ],
  [key(10, 31), (r) => ({ name: 'connection.tune-ok', channelMax: r.short(), frameMax: r.long(), heartbeat: r.short() })],
  [
    key(10, 40),
    (r) => {
      const virtualHost = r.shortstr();
      r.shortstr();
      r.bits();
      return { name: 'connection.open', virtualHost };
    },
  ],
  [
    key(10, 50),
    (r) => {
      const code = r.short();
      const text = r.shortstr();
      r.long();
      return { name: 'connection.close', code, text };
    },
  ],
  [key(10, 51), () => ({ name: 'connection.close-ok' })],
  [
    key(10, 70),
    (r) => {
      r.longstr();
      r.shortstr();
      return { name: 'connection.update-secret' };
    },
  ],
  [
    key(20, 10),
    (r) => {
      r.shortstr();
      return { name: 'channel.open' };
    },
  ],
  [key(20, 20), (r) => ({ name: 'channel.flow', active: r.bits()(0) })],
  [
    key(20, 21),
    (r) => {
      r.bits();
      return { name: 'channel.flow-ok' };
    },
  ],
  [
    key(20, 40),
    (r) => {
      r.short();
      r.shortstr();
      r.long();
      return { name: 'channel.close' };
    },
  ],
  [key(20, 41), () => ({ name: 'channel.close-ok' })],
  [
    key(40, 10),
    (r) => {
      r.short();
      const exchange = r.shortstr();
      const type = r.shortstr();
      const bit = r.bits();
      r.longstr();
      return { name: 'exchange.declare', exchange, type, passive: bit(0), durable: bit(1), autoDelete: bit(2), internal: bit(3), noWait: bit(4) };
    },
  ],
  [
    key(40, 20),
    (r) => {
      r.short();
      return { name: 'exchange.delete', exchange: r.shortstr(), noWait: r.bits()(1) };
    },
  ],
  [key(40, 30), exchangeBinding('exchange.bind')],
  [key(40, 40), exchangeBinding('exchange.unbind')],
  [
    key(50, 10),
    (r) => {
      r.short();
      const queue = r.shortstr();
      const bit = r.bits();
      r.longstr();
      return { name: 'queue.declare', queue, passive: bit(0), noWait: bit(4) };
    },
  ],
  [
    key(50, 20),
    (r) => {
      r.short();
      const queue = r.shortstr();
      const exchange = r.shortstr();
      r.shortstr();
      const noWait = r.bits()(0);
      r.longstr();
      return { name: 'queue.bind', queue, exchange, noWait };
    },
  ],
  [
    key(50, 50),
    (r) => {
      r.short();
      const queue = r.shortstr();
      const exchange = r.shortstr();
      r.shortstr();
      r.longstr();
      return { name: 'queue.unbind', queue, exchange };
    },
  ],
  [
    key(50, 30),
    (r) => {
      r.short();
      return { name: 'queue.purge', queue: r.shortstr(), noWait: r.bits()(0) };
    },
  ],
  [
    key(50, 40),
    (r) => {
      r.short();
      return { name: 'queue.delete', queue: r.shortstr(), noWait: r.bits()(2) };
    },
  ],
  [
    key(60, 10),
    (r) => {
      r.long();
      r.short();
      r.bits();
      return { name: 'basic.qos' };
    },
  ],
  [
    key(60, 20),
    (r) => {
      r.short();
      const queue = r.shortstr();
      const consumerTag = r.shortstr();
      const noWait = r.bits()(3);
      r.longstr();
      return { name: 'basic.consume', queue, consumerTag, noWait };
    },
  ],
  [key(60, 30), (r) => ({ name: 'basic.cancel', consumerTag: r.shortstr(), noWait: r.bits()(0) })],
  [
    key(60, 40),
    (r) => {
      r.short();
      return { name: 'basic.publish', exchange: r.shortstr(), routingKey: r.shortstr(), immediate: r.bits()(1) };
    },
  ],
  [
    key(60, 70),
    (r) => {
      r.short();
      const queue = r.shortstr();
      r.bits();
      return { name: 'basic.get', queue };
    },
  ],
  [key(60, 80), settlement('basic.ack')],
  [key(60, 90), settlement('basic.reject')],
  [key(60, 120), settlement('basic.nack')],
  [
    key(60, 100),
    (r) => {
      r.bits();
      return { name: 'basic.recover-async' };
    },
  ],
  [
    key(60, 110),
    (r) => {
      r.bits();
      return { name: 'basic.recover' };
    },
  ],
  [key(85, 10), (r) => ({ name: 'confirm.select', noWait: r.bits()(0) })],
]);

function exchangeBinding(name: 'exchange.bind' | 'exchange.unbind'): Decoder {
  return (r) => {
    r.short();
    const destination = r.shortstr();
    const source = r.shortstr();
    r.shortstr();
    r.bits();
    r.longstr();
    return { name, destination, source };
  };
}

function settlement(name: 'basic.ack' | 'basic.reject' | 'basic.nack'): Decoder {
  return (r) => {
    const deliveryTag = r.longlong();
    r.bits();
    return { name, deliveryTag };
  };
}

/** Methods that only a server may send, by class: from a client they are out of order (503) rather than unknown (540). */
const SERVER_ONLY: ReadonlyMap<number, readonly number[]> = new Map([
  [10, [10, 20, 30, 41, 71]],
  [20, [11]],
  [40, [11, 21, 31, 51]],
  [50, [11, 21, 31, 41, 51]],
  [60, [11, 21, 31, 50, 60, 71, 72, 111]],
  [85, [11]],
]);

/** Decodes the arguments of a method frame. @throws AmqpError COMMAND_INVALID, NOT_IMPLEMENTED, SYNTAX_ERROR */
export function decodeMethod(classId: number, methodId: number, args: Buffer): ClientMethod {
  const decoder = DECODERS.get(key(classId, methodId));
  if (decoder === undefined) {
    if (SERVER_ONLY.get(classId)?.includes(methodId)) throw new AmqpError('COMMAND_INVALID', `method ${classId}.${methodId} is the server's to send`);
    throw new AmqpError('NOT_IMPLEMENTED', classId === 90 ? 'transactions are not supported' : `method ${classId}.${methodId} is not supported`);
  }
  const reader = new FieldReader(args);
  const method = decoder(reader);
  reader.finish();
  return method;
}
