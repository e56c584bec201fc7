import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isForeignOrigin, isOwnHost } from './own-host.ts';

const policy = { host: '127.0.0.1', allowedHosts: ['hearth.example', 'other.example:81'] };
const OWN = ['127.0.0.1:8000', 'localhost:8000', '[::1]:8000'];

describe('whose host it is', () => {
  it('is ours without a port only where ours is the one of HTTP', () => {
    expect(isOwnHost('localhost', 80, policy)).toBe(true);
    expect(isOwnHost('localhost', 8000, policy)).toBe(false);
  });

  it('is the address that is listened on', () => {
    const elsewhere = { host: 'FD00::1', allowedHosts: [] };
    expect(isOwnHost('[fd00::1]:8000', 8000, elsewhere)).toBe(true);
    expect(isOwnHost('[fd00::2]:8000', 8000, elsewhere)).toBe(false);
  });

  it('is any address, and no name, where all are listened on', () => {
    for (const host of ['0.0.0.0', '::', '[::]']) {
      expect(isOwnHost('192.0.2.7:1234', 8000, { host, allowedHosts: [] })).toBe(true);
      expect(isOwnHost('localhost:1234', 8000, { host, allowedHosts: [] })).toBe(true);
      expect(isOwnHost('rebound.example:8000', 8000, { host, allowedHosts: [] })).toBe(false);
    }
  });

  it('is nobody else’s, whatever they are called', () => {
    const label = fc.stringMatching(/^[a-z0-9-]{1,12}$/);
    const name = fc.array(label, { minLength: 2, maxLength: 5 }).map((labels) => labels.join('.'));
    fc.assert(
      fc.property(name, fc.constantFrom('', ':80', ':81', ':8000'), (host, port) => {
        fc.pre(!/^127(\.\d+){3}$/.test(host) && host !== 'hearth.example' && `${host}${port}` !== 'other.example:81');
        expect(isOwnHost(`${host}${port}`, 8000, policy)).toBe(false);
      }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...OWN), fc.string({ minLength: 1 }), fc.boolean(), (own, more, before) => {
        const host = (before ? more + own : own + more).toLowerCase();
        // More zeros before the port number change nothing, nor does another loopback address.
        fc.pre(!/^(localhost|\[::1\]|127(\.\d+){3}):0*8000$/.test(host));
        expect(isOwnHost(host, 8000, policy)).toBe(false);
      }),
    );
  });
});

describe('whose origin it is', () => {
  it('is that of the host that was asked, by http or https, or one that is listed', () => {
    expect(isForeignOrigin('http://localhost:8000', undefined, 'localhost:8000', [])).toBe(false);
    expect(isForeignOrigin('https://hearth.example', 'same-origin', 'hearth.example', [])).toBe(false);
    expect(isForeignOrigin('https://hearth.example', undefined, 'hearth.example:443', [])).toBe(false);
    expect(isForeignOrigin('https://hearth.example', undefined, '10.0.0.1:8000', ['hearth.example'])).toBe(false);
    expect(isForeignOrigin('http://hearth.example:81', undefined, '10.0.0.1:8000', ['hearth.example'])).toBe(true);
  });

  it('is a stranger’s for every other text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.webUrl(),
          fc.string().map((text) => `http://localhost:8000${text}`),
        ),
        (origin) => {
          fc.pre(origin !== 'http://localhost:8000');
          expect(isForeignOrigin(origin, undefined, 'localhost:8000', [])).toBe(true);
        },
      ),
    );
  });
});
