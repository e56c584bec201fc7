import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HearthError } from '../../../src/errors.ts';
import { AmqpError } from '../../../src/reply/amqp/amqp-error.ts';
import { parseContentHeader } from '../../../src/reply/amqp/content-header.ts';
import { decodeMethod } from '../../../src/reply/amqp/decode-method.ts';
import { FieldReader } from '../../../src/reply/amqp/field-reader.ts';
import { readTable } from '../../../src/reply/amqp/field-table.ts';
import { FieldWriter } from '../../../src/reply/amqp/field-writer.ts';
import { toReplyMessage } from '../../../src/reply/amqp/reply-message.ts';
import { headOfMessage } from '../../../src/scheduler/reply-head.ts';

/** Content headers, as hex, that once broke a promise, or might have: tried first. The failing run prints those that do. */
const CORPUS = (JSON.parse(readFileSync(new URL('../../fuzz/corpus/content-headers.json', import.meta.url), 'utf8')) as string[]).map((hex) =>
  Buffer.from(hex, 'hex'),
);

/** What `act` gives; undefined when it refuses by its own error. @throws whatever else it throws */
function unlessRefused<T>(own: typeof AmqpError | typeof HearthError, act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof own)) throw error;
    return undefined;
  }
}

const longstr = (bytes: Uint8Array) => Buffer.concat([new FieldWriter().long(bytes.length).toBuffer(), bytes]);
const shortstr = (text: string) => new FieldWriter().shortstr(text).toBuffer();
const short = fc.string({ unit: 'binary', maxLength: 20 });
const ofLength = (tag: string, bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((value) => Buffer.concat([Buffer.from(tag), value]));

/** A value of a table with its tag, well-formed, tables within tables. */
const { table } = fc.letrec<{ table: Buffer; value: Buffer }>((tie) => ({
  table: fc
    .array(fc.tuple(fc.oneof(short, fc.constantFrom('Status', 'content-type', '__proto__', 'X-A', 'Set-Cookie')), tie('value')), { maxLength: 5 })
    .map((fields) => longstr(Buffer.concat(fields.map(([name, value]) => Buffer.concat([shortstr(name), value]))))),
  value: fc.oneof(
    { depthSize: 'small' },
    fc.oneof(
      ...Object.entries({ t: 1, b: 1, B: 1, s: 2, U: 2, u: 2, I: 4, i: 4, l: 8, L: 8, f: 4, d: 8, D: 5, T: 8, V: 0 }).map(([tag, bytes]) =>
        ofLength(tag, bytes),
      ),
    ),
    fc
      .oneof(fc.string(), fc.constantFrom('200', '302 Found', '99', 'a\r\nb: c', 'x\0'))
      .map((text) => Buffer.concat([Buffer.from('S'), longstr(Buffer.from(text))])),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.concat([Buffer.from('x'), longstr(bytes)])),
    fc.array(tie('value'), { maxLength: 4 }).map((values) => Buffer.concat([Buffer.from('A'), longstr(Buffer.concat(values))])),
    tie('table').map((inner) => Buffer.concat([Buffer.from('F'), inner])),
  ),
}));

/** The payload of a well-formed content header with a content type and a table of headers. */
const contentHeader = fc
  .tuple(short, table)
  .map(([type, headers]) => Buffer.concat([new FieldWriter().short(60).short(0).longlong(3).short(0xa000).toBuffer(), shortstr(type), headers]));

/** Bytes put over others, or taken out, here and there. */
const damaged = (bytes: fc.Arbitrary<Buffer>) =>
  fc.tuple(bytes, fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.boolean()), { maxLength: 4 })).map(([whole, edits]) => {
    let result = Buffer.from(whole);
    for (const [at, value, takesOut] of edits) {
      const index = at % Math.max(1, result.length);
      if (takesOut) result = Buffer.concat([result.subarray(0, index), result.subarray(index + 1)]);
      else if (result.length > 0) result[index] = value;
    }
    return result;
  });

describe('tables', () => {
  it('are read to their last byte when they are well-formed', () => {
    fc.assert(
      fc.property(table, (bytes) => {
        const reader = new FieldReader(bytes);
        readTable(reader);
        expect(reader.remaining).toBe(0);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the message that a content header makes', () => {
  it('is refused in words of ours, or has a head that a response may have, however the header is damaged', () => {
    fc.assert(
      fc.property(fc.oneof(contentHeader, damaged(contentHeader)), (payload) => {
        const parsed = unlessRefused(AmqpError, () => parseContentHeader(payload));
        if (!parsed) return;
        const head = unlessRefused(HearthError, () => headOfMessage(toReplyMessage(parsed.properties, Buffer.from('abc'))));
        if (!head) return;
        expect(head.status).toBeGreaterThanOrEqual(200);
        expect(head.status).toBeLessThan(600);
        for (const [index, text] of head.headers.entries())
          expect(text).toMatch(index % 2 === 0 ? /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/ : /^[\t\x20-\x7e\x80-\xff]*$/);
        expect(({} as Record<string, unknown>).polluted).toBeUndefined();
      }),
      { numRuns: 5000, examples: CORPUS.map((bytes) => [bytes] as [Buffer]) },
    );
  });
});

describe('the arguments of a method', () => {
  const ids = fc.constantFrom<[number, number]>(
    [10, 11],
    [10, 31],
    [10, 40],
    [10, 50],
    [20, 10],
    [20, 40],
    [40, 10],
    [50, 10],
    [50, 20],
    [60, 20],
    [60, 40],
    [60, 80],
  );
  /** In the order in which most methods have them: ticket, names, bits, table. */
  const args = fc
    .tuple(fc.constantFrom('', 'ticket'), fc.array(short, { maxLength: 4 }), fc.nat(255), fc.option(table, { nil: Buffer.alloc(0) }))
    .map(([ticket, names, bits, last]) =>
      Buffer.concat([ticket === '' ? Buffer.alloc(0) : Buffer.alloc(2), ...names.map(shortstr), Buffer.of(bits), last]),
    );

  it('are decoded or refused in words of ours, however they are damaged', () => {
    let decoded = 0;
    fc.assert(
      fc.property(ids, fc.oneof(args, damaged(args)), ([classId, methodId], bytes) => {
        if (unlessRefused(AmqpError, () => decodeMethod(classId, methodId, bytes))) decoded++;
      }),
      { numRuns: 5000 },
    );
    // The arguments are such that it gets beyond the first field.
    expect(decoded).toBeGreaterThan(50);
  });
});
