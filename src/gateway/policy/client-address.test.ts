import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clientBucket } from './client-address.ts';

describe('clientBucket', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:0002::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['2001:db8:1:2:3:4:192.0.2.7', '2001:db8:1:2::/64'],
    ['2001:db8::192.0.2.7', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', ''],
  ])('takes %j for %j', (address, bucket) => {
    expect(clientBucket(address)).toBe(bucket);
  });

  it('tells IPv6 addresses apart by their first half only, however they are written', () => {
    const half = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(half, half, (network, host) => {
        // The URL parser writes an address in its shortest form (RFC 5952).
        const full = [...network, ...host].map((group) => group.toString(16)).join(':');
        const short = new URL(`http://[${full}]/`).hostname.slice(1, -1);
        const expected = `${network.map((group) => group.toString(16)).join(':')}::/64`;
        expect(clientBucket(full)).toBe(expected);
        expect(clientBucket(short)).toBe(expected);
      }),
    );
  });
});
