import { describe, expect, it } from 'vitest';
import { checkQueueTrigger } from '../../../src/registry/check-destinations.ts';
import { parseEventKey } from '../../../src/router/event-key.ts';
import type { FunctionDefinition } from '../../../src/schemas/function.ts';
import { definition } from './make-registry.ts';

describe('a function with a queue for its event key', () => {
  const check =
    (members: Partial<FunctionDefinition>, hasBroker = true) =>
    () =>
      checkQueueTrigger(definition({ event_type: 'queue|orders', ...members }), hasBroker);

  it('needs a broker, unlike the others', () => {
    expect(check({}, false)).toThrow(expect.objectContaining({ code: 'invalid_request', message: expect.stringContaining('HEARTH_AMQP_URL') }));
    expect(check({})).not.toThrow();
    expect(check({ event_type: 'http|GET|/' }, false)).not.toThrow();
  });

  it('sends its dead letters to an exchange, and has no other destinations', () => {
    expect(check({ destinations: { on_failure: { exchange: 'dead' } } })).not.toThrow();
    expect(check({ destinations: { on_failure: { function: 'f' } } })).toThrow('destinations.on_failure');
    expect(check({ destinations: { on_success: { exchange: 'e' } } })).toThrow('destinations.on_success');
    expect(check({ destinations: { callback_secret: 'S' } })).toThrow('destinations.callback_secret');
  });

  it('names a queue by any name that leaves room for those that belong to it', () => {
    expect(parseEventKey('queue|a|b ä')).toEqual({ kind: 'queue', queue: 'a|b ä' });
    for (const key of ['queue', 'queue|', 'queue|amq.gen', 'queue|a\n', `queue|${'ä'.repeat(116)}`])
      expect(() => parseEventKey(key), key).toThrow(/queue/);
  });
});
