import { describe, expect, it } from 'vitest';
import { FailureLimiter } from './failure-limiter.ts';

function limiter(maxAddresses = 100) {
  let now = 0;
  const subject = new FailureLimiter({ burst: 3, refillMs: 6000, maxAddresses }, () => now);
  return {
    subject,
    fail: (address: string, times = 1) => Array.from({ length: times }, () => subject.count(address)),
    pass: (ms: number) => (now += ms),
  };
}

describe('the limiter of failures', () => {
  it('lets an address fail so many times, and tells when it may again', () => {
    const { subject, fail, pass } = limiter();
    fail('10.0.0.1', 2);
    expect(subject.retryAfter('10.0.0.1')).toBe(0);
    fail('10.0.0.1');
    expect(subject.retryAfter('10.0.0.1')).toBe(6);
    expect(subject.retryAfter('10.0.0.2')).toBe(0);
    pass(4500);
    expect(subject.retryAfter('10.0.0.1')).toBe(2);
    pass(1500);
    expect(subject.retryAfter('10.0.0.1')).toBe(0);
    fail('10.0.0.1');
    expect(subject.retryAfter('10.0.0.1')).toBe(6);
  });

  it('takes a failure back, and remembers nothing of who has none', () => {
    const { subject, fail } = limiter();
    fail('10.0.0.1');
    subject.forgive('10.0.0.1');
    expect(subject.size).toBe(0);
  });

  it('counts the addresses of one IPv6 network, and both forms of an IPv4 address, as one', () => {
    const { subject, fail } = limiter();
    for (const address of ['2001:db8:0:1::1', '2001:db8:0:1:ffff::2', '2001:db8:0:1:1:2:3:4']) fail(address);
    expect(subject.retryAfter('2001:db8:0:1::9')).toBe(6);
    expect(subject.retryAfter('2001:db8:0:2::1')).toBe(0);
    expect(subject.size).toBe(1);
    fail('::ffff:10.0.0.1', 3);
    expect(subject.retryAfter('10.0.0.1')).toBe(6);
    fail('fe80::1%eth0', 3);
    expect(subject.retryAfter('fe80::2%eth1')).toBe(6);
  });

  it('remembers a bounded number of addresses, those that failed last', () => {
    const { subject, fail } = limiter(2);
    fail('10.0.0.1', 3);
    fail('10.0.0.2', 3);
    fail('10.0.0.1');
    fail('10.0.0.3');
    expect(subject.size).toBe(2);
    expect(subject.retryAfter('10.0.0.1')).toBeGreaterThan(0);
    expect(subject.retryAfter('10.0.0.2')).toBe(0);
  });
});
