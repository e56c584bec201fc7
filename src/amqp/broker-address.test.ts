import { describe, expect, it } from 'vitest';
import { brokerAddress } from './broker-address.ts';

describe('the address of a broker', () => {
  it('has defaults for everything but the host', () => {
    expect(brokerAddress('amqp://broker')).toEqual({
      protocol: 'amqp',
      hostname: 'broker',
      port: 5672,
      username: 'guest',
      password: 'guest',
      vhost: '/',
      shown: 'amqp://broker:5672/',
    });
    expect(brokerAddress('amqps://broker').port).toBe(5671);
  });

  it('is decoded, and shown without user and password', () => {
    expect(brokerAddress('amqp://u%40:p%2F%C3%A4@[::1]:99/my%2Fhost')).toMatchObject({
      hostname: '::1',
      port: 99,
      username: 'u@',
      password: 'p/ä',
      vhost: 'my%2Fhost',
      shown: 'amqp://[::1]:99/my%2Fhost',
    });
  });

  it.each([
    'http://u:hidden@broker',
    'amqp://',
    'hidden',
    'amqp://u:hidden@broker/?heartbeat=1',
    'amqp://u:hidden%zz@broker',
    'amqp://u:#hidden@broker',
  ])('that is none is refused without being repeated: %s', (text) => {
    expect(() => brokerAddress(text)).toThrow(expect.objectContaining({ code: 'invalid_config', message: expect.not.stringContaining('hidden') }));
  });
});
