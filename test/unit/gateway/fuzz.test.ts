import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HearthError } from '../../../src/errors.ts';
import { checkRequest } from '../../../src/gateway/check-request.ts';
import { ClientAddresses } from '../../../src/gateway/client-address.ts';
import { clientBucket } from '../../../src/gateway/policy/client-address.ts';
import { presentedKey } from '../../../src/gateway/policy/credentials.ts';
import { callerRequestId, parseTarget, passedHeaders } from '../../../src/gateway/request.ts';
import { queuedMode } from '../../../src/gateway/respond-async.ts';
import { canonicalPath } from '../../../src/router/canonical-path.ts';

/** Targets that once broke a promise, or might have: tried first. The failing run prints those that do. */
const CORPUS = JSON.parse(readFileSync(new URL('../../fuzz/corpus/targets.json', import.meta.url), 'utf8')) as string[];

/** What `act` gives; undefined when it refuses by an error of ours. @throws whatever else it throws */
function unlessRefused<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof HearthError) || error.status < 400 || error.status > 599 || error.code === 'internal') throw error;
    return undefined;
  }
}

const part = fc.oneof(
  fc.constantFrom(
    '/',
    '//',
    '.',
    '..',
    '%2e',
    '%2E',
    '%2f',
    '%5C',
    '\\',
    '%',
    '%0',
    '%00',
    '%25',
    ';',
    '?',
    '#',
    ':',
    '@',
    '[',
    ']',
    'http://',
    'a',
    'é',
    '~',
    '%7e',
  ),
  fc.string({ maxLength: 4 }),
);
const target = fc
  .tuple(fc.constantFrom('/', '', 'http://a', 'HTTPS://a:1/'), fc.array(part, { maxLength: 8 }))
  .map(([head, parts]) => head + parts.join(''));
const name = fc.constantFrom(
  'X-Forwarded-For',
  'x-forwarded-proto',
  'FORWARDED',
  'X-Real-IP',
  'X-Correlation-Id',
  'x-hearth-attempt',
  'Host',
  'Cookie',
  'X-Other',
);
const text = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.constantFrom('203.0.113.9', '10.0.0.1, 6.6.6.6', '[::1]:80', 'for=1.2.3.4', ',,', '::ffff:1.2.3.4', 'unknown'),
);
const headers = fc.array(fc.tuple(name, text), { maxLength: 12 }).map((pairs) => pairs.flat());

function requestOf(rawHeaders: string[], remoteAddress = '10.0.0.1'): IncomingMessage {
  const joined: Record<string, string> = {};
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const key = (rawHeaders[index] as string).toLowerCase();
    joined[key] = key in joined ? `${joined[key]}, ${rawHeaders[index + 1]}` : (rawHeaders[index + 1] as string);
  }
  return { rawHeaders, headers: joined, httpVersion: '1.1', socket: { remoteAddress } } as unknown as IncomingMessage;
}

describe('a request target', () => {
  it('is refused, or has one path, which climbs nowhere and is its own canonical form', () => {
    fc.assert(
      fc.property(target, (url) => {
        const parsed = unlessRefused(() => parseTarget(url));
        if (!parsed) return;
        expect(parsed.path).toMatch(/^\/[!-"$->@-[\]-~]*$/);
        expect(parsed.path).not.toMatch(/%00|%(?![0-9A-F]{2})|[?#\\]/);
        expect(canonicalPath(parsed.path)).toBe(parsed.path);
        // As a proxy that decodes everything once would resolve it.
        const decoded = parsed.path.replace(/%[0-9A-F]{2}/g, (triplet) => String.fromCharCode(Number.parseInt(triplet.slice(1), 16)));
        expect(decoded.split(/[/\\]/)).not.toContain('..');
        expect(parsed.rawPath.startsWith('/')).toBe(true);
      }),
      { numRuns: 5000, examples: CORPUS.map((url) => [url] as [string]) },
    );
  });
});

describe('the head of a request', () => {
  it('is taken or refused, whatever stands in it', () => {
    const any = fc.array(fc.tuple(fc.constantFrom('Host', 'Transfer-Encoding', 'Expect', 'Upgrade', 'X'), text), { maxLength: 8 });
    fc.assert(
      fc.property(any, (pairs) => {
        const request = requestOf(pairs.flat());
        if (unlessRefused(() => checkRequest(request, 5)) === undefined) return;
        expect(pairs.filter(([key]) => key === 'Host')).toHaveLength(1);
        expect(pairs.length).toBeLessThanOrEqual(5);
      }),
      { numRuns: 2000 },
    );
  });

  it('tells the function an address that is one, and no id of the caller for ours', () => {
    const clients = [new ClientAddresses([]), new ClientAddresses(['10.0.0.0/8', '::1'])];
    fc.assert(
      fc.property(
        headers,
        fc.constantFrom(...clients),
        fc.constantFrom('10.0.0.1', '192.0.2.1', '::1', '::ffff:10.0.0.1'),
        (raw, addresses, peer) => {
          const request = requestOf(raw, peer);
          const client = addresses.of(request);
          expect(isIP(client.address)).not.toBe(0);
          expect(clientBucket(client.address)).toBe(clientBucket(clientBucket(client.address).replace('::/64', '::')));
          const passed = passedHeaders(raw, client, null);
          const names = passed.filter((_, index) => index % 2 === 0).map((one) => one.toLowerCase());
          for (const ours of ['x-correlation-id', 'x-hearth-attempt', 'forwarded', 'x-real-ip']) expect(names).not.toContain(ours);
          expect(names.filter((one) => one === 'x-forwarded-for')).toHaveLength(1);
          expect(names.filter((one) => one === 'x-forwarded-proto')).toHaveLength(1);
          expect(callerRequestId(request) ?? 'none').toMatch(/^[!-~]+$/);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('asks for a key or the queue in any words without an error', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (authorization, prefer) => {
        expect(presentedKey({ authorization }) ?? '').not.toMatch(/\s/);
        expect([null, 'async']).toContain(queuedMode({ prefer }, []));
      }),
    );
  });
});
