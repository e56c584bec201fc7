import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type Case, type Chapter, row } from '../case.ts';
import { describe, type Seen, type Sent } from '../probe.ts';
import { WAYS } from '../ways.ts';
import { sawBytes } from './look.ts';

const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const MULTIPART = Buffer.concat([
  Buffer.from('--cut\r\nContent-Disposition: form-data; name="text"\r\n\r\nhéllo\r\n'),
  Buffer.from('--cut\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\nContent-Type: application/octet-stream\r\n\r\n'),
  ALL_BYTES,
  Buffer.from('\r\n--cut--\r\n'),
]);
const MEBIBYTE = randomBytes(1 << 20);
const LONG_TEXT = 'héllo wörld '.repeat(80_000);

const NOT_UTF8 = 'has a body as text only: what is no UTF-8 in it is U+FFFD. Send such bytes as base64, or write a handler';

/** That the function saw the bytes that were sent, if they are text. */
function bodyCase(name: string, bytes: Buffer | string | undefined, type: string | null, more: Sent = {}): Case {
  const sent = Buffer.from(bytes ?? '');
  const text = Buffer.from(sent.toString());
  return row<Seen>({
    name,
    ask: (probe) =>
      probe.report({ ...(bytes === undefined ? {} : { body: bytes }), headers: type === null ? [] : [['Content-Type', type]], ...more }),
    holds: (seen) => sawBytes(seen, sent),
    ...(text.equals(sent)
      ? {}
      : { differs: [{ ways: ['Node.js script'], reason: NOT_UTF8, holds: ({ body }) => assert.deepEqual(body, describe(text)) }] }),
  });
}

export const bodies: Chapter = {
  title: 'Bodies of requests, byte for byte',
  ways: WAYS,
  cases: [
    bodyCase('none', undefined, null),
    bodyCase('JSON, with its white space', '{ "a" : [1,\n 2.0, "\\u00e9é"] }', 'application/json'),
    bodyCase('text in UTF-8', 'héllo ✓ 𝄞\nsecond line\r\n', 'text/plain; charset=utf-8'),
    bodyCase('text without a type', 'plain', null),
    bodyCase('text with NUL and control characters', 'a\0b\x01\x1b[0m\x7f\u2028', 'text/plain'),
    bodyCase('a form', 'a=1&b=h%C3%A9+llo&a=2', 'application/x-www-form-urlencoded'),
    bodyCase('multipart, with a binary part', MULTIPART, 'multipart/form-data; boundary=cut'),
    bodyCase('all 256 values of a byte', ALL_BYTES, 'application/octet-stream'),
    bodyCase('binary in spite of its type', ALL_BYTES, 'text/plain'),
    bodyCase('1 MiB at random', MEBIBYTE, 'application/octet-stream'),
    bodyCase('1 MiB of text', LONG_TEXT, 'text/plain; charset=utf-8'),
    bodyCase('in chunks, without a length', LONG_TEXT.slice(0, 200_000), 'text/plain', { chunked: true }),
    {
      ...bodyCase('with GET', '{"n":1}', 'application/json', { method: 'GET' }),
      differs: [
        {
          ways: ['Node.js web'],
          reason: 'has none: the Web standard lets no `Request` of GET or HEAD have a body',
          holds: (seen) => sawBytes(seen as Seen, Buffer.alloc(0)),
        },
      ],
    },
    bodyCase('with DELETE', '{"n":1}', 'application/json', { method: 'DELETE' }),
  ],
};
