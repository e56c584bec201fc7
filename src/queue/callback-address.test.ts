import type { LookupAddress } from 'node:dns';
import { describe, expect, test } from 'vitest';
import { CallbackAddresses } from './callback-address.ts';

function look(addresses: CallbackAddresses, text: string): Promise<LookupAddress[]> {
  const url = new URL(text);
  return new Promise((resolve, reject) => {
    addresses.lookupFor(url)(url.hostname, { all: true }, (error, found) => {
      if (error) reject(error);
      else resolve(found as LookupAddress[]);
    });
  });
}

describe('where results may be sent', () => {
  test.for(['http://93.184.216.34/', 'https://example.com/a?b', 'http://[2606:2800:220:1::1]/', 'http://11.0.0.1/'])('%s is outside', (url) => {
    expect(() => new CallbackAddresses([]).check(url)).not.toThrow();
  });

  test.for(['ftp://example.com/', 'example.com', 'http://u@example.com/', `http://example.com/${'a'.repeat(2048)}`, 'http://a.localhost/'])(
    '%s is refused',
    (url) => {
      expect(() => new CallbackAddresses([]).check(url)).toThrow();
    },
  );

  test.for(['http://169.254.169.254/', 'http://168.63.129.16/', 'http://100.100.100.200/', 'http://[fd00:ec2::254]/', 'http://10.1.2.3/'])(
    '%s is inside',
    (url) => {
      expect(() => new CallbackAddresses([]).check(url)).toThrow('inside');
    },
  );

  test('a name that resolves to an address inside leads nowhere, even if its text was looked at before', async () => {
    await expect(look(new CallbackAddresses([]), 'http://localhost/')).rejects.toThrow('inside');
  });

  test('a host that the operator has named is reached wherever it is, with that port only if one is named', async () => {
    const addresses = new CallbackAddresses(['localhost', '127.0.0.1:81']);
    expect(() => addresses.check('http://localhost:1234/')).not.toThrow();
    expect(await look(addresses, 'http://localhost:1234/')).not.toEqual([]);
    expect(() => addresses.check('http://127.0.0.1:81/')).not.toThrow();
    expect(() => addresses.check('http://127.0.0.1:82/')).toThrow('inside');
  });
});
