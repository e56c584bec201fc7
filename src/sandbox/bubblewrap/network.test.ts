import { describe, expect, it } from 'vitest';
import { closingBatch, nameFiles, shutDestinations } from './network.ts';

describe('closingBatch', () => {
  it('shuts every address of the host and the metadata services of clouds', () => {
    const lines = closingBatch(shutDestinations(['192.0.2.7', '198.51.100.1'])).split('\n');
    for (const shut of ['192.0.2.7/32', '198.51.100.1/32', '169.254.0.0/16', '100.100.100.200/32', '168.63.129.16/32', '192.0.0.192/32']) {
      expect(lines).toContain(`route add unreachable ${shut}`);
    }
  });

  it('adds no route twice, where the host has an address of a metadata service', () => {
    const lines = closingBatch(shutDestinations(['168.63.129.16'])).split('\n');
    expect(lines.filter((line) => line.includes('168.63.129.16'))).toHaveLength(1);
  });

  it('looks at the ports of the resolver before it refuses the rest', () => {
    const preferences = closingBatch([]).match(/pref \d+/g);
    expect(preferences).toEqual(['pref 100', 'pref 101', 'pref 102']);
    expect(closingBatch([])).toContain('rule add pref 102 to 10.0.2.3 unreachable');
  });
});

describe('nameFiles', () => {
  it("gives a sandbox without a network names of its own and nothing of the host's", () => {
    expect(nameFiles('none', [{ name: 'message_queue', host: '127.0.0.1' }])).toEqual({
      hosts: '127.0.0.1 localhost\n127.0.0.1 fn\n127.0.0.1 message_queue\n',
      resolvConf: '',
    });
  });

  it("asks the egress network's resolver", () => {
    expect(nameFiles('egress', []).resolvConf).toBe('nameserver 10.0.2.3\n');
  });

  it("adds the reply endpoint to the host's own names", () => {
    const { hosts } = nameFiles('host', [{ name: 'message_queue', host: '127.70.1.2' }]);
    expect(hosts).toContain('127.70.1.2 message_queue\n');
    expect(hosts).toContain('localhost');
  });
});
