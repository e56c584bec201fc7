import type { ConsumeMessage } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { inputOf, retryStateOf } from './queue-message.ts';

function message(properties: object, content = Buffer.from('{}')): ConsumeMessage {
  return { properties, content, fields: { exchange: '', routingKey: 'q', redelivered: false, consumerTag: 't', deliveryTag: 1 } } as ConsumeMessage;
}
function headersOf(properties: object): Record<string, string> {
  const { headers } = inputOf('q', message(properties), 'id', 1);
  return Object.fromEntries(headers.flatMap((name, at) => (at % 2 === 0 ? [[name, headers[at + 1] as string]] : [])));
}

describe('a message of a queue', () => {
  it('can not say what the platform vouches for', () => {
    const headers = headersOf({
      headers: { 'x-hearth-queue': 'other', 'X-Amqp-User-Id': 'root', 'x-correlation-id': 'mine', 'X-Hearth-Retry-Function': 'f', fine: 1 },
    });
    expect(headers).toEqual({
      'X-Hearth-Queue': 'q',
      'X-Amqp-Routing-Key': 'q',
      'X-Amqp-Redelivered': 'false',
      fine: '1',
      'X-Correlation-Id': 'id',
      'X-Hearth-Attempt': '1',
    });
  });

  it('can not break out of the line of a header, nor bring so many that they would not fit', () => {
    expect(headersOf({ headers: { evil: 'a\r\nX-Hearth-Queue: b', 'no name': 1, deep: { big: 2n ** 60n } } })).toMatchObject({
      evil: 'a X-Hearth-Queue: b',
      deep: '{"big":"1152921504606846976"}',
    });
    expect(headersOf({ headers: { 'no name': 1 } })).not.toHaveProperty('no name');
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`h${at}`, 'x'.repeat(1000)]));
    expect(Object.keys(headersOf({ headers: many })).length).toBeLessThan(30);
  });

  it('has a path that its queue can be read from, whatever its name', () => {
    expect(inputOf('a/b c', message({}), 'id', 1).path).toBe('/queues/a%2Fb%20c');
  });

  it('comes for the first time unless the platform has noted otherwise', () => {
    expect(retryStateOf(message({ headers: {} }), 1000)).toEqual({ functionName: null, failures: 0, firstAt: 1000 });
    const noted = { 'x-hearth-retry-function': 'f', 'x-hearth-retry-failures': 2, 'x-hearth-retry-first-at': 900 };
    expect(retryStateOf(message({ headers: noted }), 1000)).toEqual({ functionName: 'f', failures: 2, firstAt: 900 });
    const forged = { 'x-hearth-retry-function': 'f', 'x-hearth-retry-failures': -7, 'x-hearth-retry-first-at': 5000 };
    expect(retryStateOf(message({ headers: forged }), 1000)).toEqual({ functionName: 'f', failures: 0, firstAt: 1000 });
  });
});
