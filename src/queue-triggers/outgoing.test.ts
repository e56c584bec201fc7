import type { ConsumeMessage } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { answerMessage, deadLetter, retryMessage } from './outgoing.ts';

function message(properties: object): ConsumeMessage {
  return {
    properties,
    content: Buffer.from('x'),
    fields: { exchange: '', routingKey: 'q', consumerTag: 't', deliveryTag: 1, redelivered: false },
  } as ConsumeMessage;
}
const state = { functionName: 'f', failures: 1, firstAt: 5 };
const death = { functionName: 'f', versionNumber: 1, invocationId: 'i', attempts: 1, reason: 'r', code: 'function_failed', detail: 'd' } as const;
const reply = { status: 200, headers: [], body: Buffer.from('y'), bytes: 1 };

describe('what is published for a message', () => {
  it('waits in a queue whose bound is the next power of two, so that nothing waits behind what waits much longer', () => {
    const queueOf = (delayMs: number) => retryMessage('q', message({}), delayMs, state).routingKey;
    expect([0, 125, 126, 250, 1000, 60_000, 24 * 3600_000].map(queueOf)).toEqual([
      'q.retry.125',
      'q.retry.125',
      'q.retry.250',
      'q.retry.250',
      'q.retry.1000',
      'q.retry.64000',
      'q.retry.131072000',
    ]);
    expect(retryMessage('q', message({}), 130.4, state).options).toMatchObject({ expiration: '130', persistent: true });
  });

  it('keeps properties and headers, but for those by which the broker would do something', () => {
    const headers = { kept: 1, CC: ['other'], BCC: ['third'], 'x-death': [{}], 'x-first-death-queue': 'q', 'x-hearth-retry-failures': 9 };
    const came = message({ messageId: 'm', userId: 'somebody', expiration: '5', priority: 3, headers });
    const { options } = deadLetter('q', came, death, null, 0);
    expect(options).toMatchObject({ messageId: 'm', priority: 3, headers: { kept: 1, 'x-hearth-error': 'function_failed' } });
    expect(Object.keys(options)).not.toEqual(expect.arrayContaining(['userId']));
    expect(options.expiration).toBeUndefined();
    for (const name of ['CC', 'BCC', 'x-death', 'x-first-death-queue', 'x-hearth-retry-failures']) expect(options.headers).not.toHaveProperty(name);
  });

  it('answers those who asked, and never the queue itself', () => {
    expect(answerMessage('q', message({ replyTo: 'r', correlationId: 'c' }), 'i', reply)).toMatchObject({
      routingKey: 'r',
      options: { correlationId: 'c' },
    });
    expect(answerMessage('q', message({ replyTo: 'r' }), 'i', reply)).toBeNull();
    expect(answerMessage('q', message({ replyTo: 'q', correlationId: 'c' }), 'i', reply)).toBeNull();
  });
});
