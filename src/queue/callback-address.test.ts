import { describe, expect, test } from 'vitest';
import { CallbackAddresses } from './callback-address.ts';

type Found = { error: Error | null; addresses: unknown };

function lookup(addresses: CallbackAddresses, text: string, hostname = new URL(text).hostname): Promise<Found> {
  return new Promise((resolve) => {
    addresses.lookupFor(new URL(text))(hostname, { all: true }, (error, found) => resolve({ error, addresses: found }));
  });
}

describe('where results may be sent', () => {
  test.for([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://2130706433/',
    'http://0x7f.0.0.1/',
    'http://0.0.0.0/',
    'http://10.1.2.3/',
    'http://100.64.0.1/',
    'http://172.31.255.255/',
    'http://192.168.1.1/',
    'http://169.254.169.254/latest/meta-data',
    'http://[::1]/',
    'http://[::]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[fd00::1]/',
    'http://[fe80::1]/',
    'http://LOCALHOST:9/',
    'http://a.localhost/',
    'ftp://example.com/',
    'http://user:secret@example.com/',
    'no url',
    `http://example.com/${'x'.repeat(3000)}`,
  ])('not to %s', (url) => {
    expect(() => new CallbackAddresses([]).check(url)).toThrow(/The callback URL/);
  });

  test.for(['https://example.com/done?a=1', 'http://93.184.216.34:8080/', 'https://[2606:2800:220:1::1]/'])('but to %s', (url) => {
    expect(() => new CallbackAddresses([]).check(url)).not.toThrow();
  });

  test('a name that leads inside is refused when it is looked up', async () => {
    // Whatever the name in the URL: what counts is where it leads.
    const { error } = await lookup(new CallbackAddresses([]), 'http://innocent.example/', 'localhost');
    expect(error?.message).toMatch(/inside the platform's own network/);
  });

  test('the operator may allow a host, or a host at one port', async () => {
    const addresses = new CallbackAddresses(['hooks.internal', '127.0.0.1:9000']);
    expect(() => addresses.check('http://127.0.0.1:9000/')).not.toThrow();
    expect(() => addresses.check('http://127.0.0.1:9001/')).toThrow();
    expect(() => addresses.check('http://hooks.internal:1234/')).not.toThrow();
    expect((await lookup(addresses, 'http://127.0.0.1:9000/')).error).toBeNull();
  });
});
