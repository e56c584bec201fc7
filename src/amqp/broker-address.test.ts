import { describe, expect, it } from 'vitest';
import { brokerAddress, brokerAddresses } from './broker-address.ts';

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

describe('the addresses of the nodes of one broker', () => {
  const shown = (text: string) => brokerAddresses(text).map((address) => address.shown);

  it('stand in one list, with commas between them', () => {
    expect(shown('amqp://u:p@a/v')).toEqual(['amqp://a:5672/v']);
    expect(shown('amqp://u:p@a/v,amqps://u:p@b/v , AMQP://u:p@[::1]:99/v')).toEqual(['amqp://a:5672/v', 'amqps://b:5671/v', 'amqp://[::1]:99/v']);
    expect(brokerAddresses('amqp://u:p,q@a,amqp://u:p,q@b')).toMatchObject([{ password: 'p,q' }, { password: 'p,q' }]);
  });

  it.each([
    ['amqp://u:hidden@a,amqp://v:hidden@b', 'usernames that differ'],
    ['amqp://u:hidden@a,amqp://u:hidden2@b', 'passwords that differ'],
    ['amqp://u:hidden@a/v,amqp://u:hidden@b/w', 'vhosts that differ'],
    ['amqp://u:hidden@a,amqp://u:hidden@a:5672', 'same node twice'],
    ['amqp://u:hidden@a,b', 'whole URL'],
    ['amqp://u:hidden@a,', 'whole URL'],
    ['amqp://u:hidden@a:5672,b:5672', 'of the form'],
    ['amqp://u:hidden@a,amqp://', 'of the form'],
  ])('are refused without being repeated, when they make no sense together: %s', (text, reason) => {
    expect(() => brokerAddresses(text)).toThrow(expect.objectContaining({ code: 'invalid_config', message: expect.stringContaining(reason) }));
    expect(() => brokerAddresses(text)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('hidden') }));
  });
});
