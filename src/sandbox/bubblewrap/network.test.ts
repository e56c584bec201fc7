import { describe, expect, it } from 'vitest';
import { closingBatch, nameFiles } from './network.ts';

describe('closingBatch', () => {
  it('shuts every address of the host and the link-local ones', () => {
    const lines = closingBatch(['192.0.2.7', '198.51.100.1']).split('\n');
    expect(lines).toEqual(expect.arrayContaining(['route add unreachable 192.0.2.7/32', 'route add unreachable 198.51.100.1/32']));
    expect(lines).toContain('route add unreachable 169.254.0.0/16');
  });

  it('looks at the ports of the resolver before it refuses the rest', () => {
    const preferences = closingBatch([]).match(/pref \d+/g);
    expect(preferences).toEqual(['pref 100', 'pref 101', 'pref 102']);
    expect(closingBatch([])).toContain('rule add pref 102 to 10.0.2.3 unreachable');
  });
});

describe('nameFiles', () => {
  it("gives a sandbox without a network names of its own and nothing of the host's", () => {
    expect(nameFiles('none', '127.0.0.1')).toEqual({ hosts: '127.0.0.1 localhost\n127.0.0.1 fn\n127.0.0.1 message_queue\n', resolvConf: '' });
  });

  it("asks the egress network's resolver", () => {
    expect(nameFiles('egress', '127.0.0.1').resolvConf).toBe('nameserver 10.0.2.3\n');
  });

  it("adds the reply endpoint to the host's own names", () => {
    const { hosts } = nameFiles('host', '127.70.1.2');
    expect(hosts).toContain('127.70.1.2 message_queue\n');
    expect(hosts).toContain('localhost');
  });
});
