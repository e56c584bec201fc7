import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AmqpError } from './amqp-error.ts';
import { ByteCollector } from './byte-collector.ts';
import { parseContentHeader } from './content-header.ts';
import { decodeMethod } from './decode-method.ts';
import { FieldReader } from './field-reader.ts';
import { type FieldTable, readTable } from './field-table.ts';
import { FieldWriter } from './field-writer.ts';
import { FrameParser } from './frame-parser.ts';
import { methodFrame } from './server-frames.ts';

const fields = (): FieldWriter => new FieldWriter();

/** Runs it; whatever it throws but an AmqpError fails the test. */
function survives(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof AmqpError)) throw error;
  }
}

/** A table of the given, already encoded, fields. */
function table(...encoded: [name: string, tag: string, value: Buffer][]): FieldTable {
  const content = Buffer.concat(encoded.map(([name, tag, value]) => Buffer.concat([fields().shortstr(name).toBuffer(), Buffer.from(tag), value])));
  return readTable(new FieldReader(Buffer.concat([fields().long(content.length).toBuffer(), content])));
}

describe('frames', () => {
  it('come out the same however the bytes are cut', () => {
    const frameOf = fc.record({ channel: fc.nat(0xffff), args: fc.uint8Array({ maxLength: 600 }) });
    fc.assert(
      fc.property(
        fc.array(frameOf, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 20 }),
        (frames, cuts) => {
          const bytes = Buffer.concat(frames.map(({ channel, args }) => methodFrame(channel, 60, 40, Buffer.from(args))));
          const parser = new FrameParser(4096);
          const seen: { channel: number; args: number[] }[] = [];
          for (let offset = 0, turn = 0; offset < bytes.length; turn += 1) {
            const cut = cuts[turn % cuts.length] ?? 1;
            parser.push(bytes.subarray(offset, offset + cut), (_type, channel, payload) => seen.push({ channel, args: [...payload.subarray(4)] }));
            offset += cut;
          }
          expect(seen).toEqual(frames.map(({ channel, args }) => ({ channel, args: [...args] })));
        },
      ),
    );
  });

  it('are refused as soon as their length is known to be too large', () => {
    const parser = new FrameParser(4096);
    expect(() => parser.push(Buffer.of(1, 0, 1, 0xff, 0xff, 0xff), () => undefined)).not.toThrow();
    expect(() => parser.push(Buffer.of(0xff), () => undefined)).toThrow(AmqpError);
  });

  it('never make the parser throw anything but its own error', () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(fc.array(bytes), (chunks) =>
        survives(() => chunks.map((chunk) => new FrameParser(4096).push(Buffer.from(chunk), () => undefined))),
      ),
    );
  });
});

describe('gathered bytes', () => {
  it('take memory for what came, not for what was announced', () => {
    const collector = new ByteCollector();
    collector.append(Buffer.alloc(10), 1_000_000_000);
    expect(collector.bytes.buffer.byteLength).toBeLessThan(100_000);
  });

  it('are whole, however small the pieces', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 500 })), (pieces) => {
        const whole = Buffer.concat(pieces);
        const collector = new ByteCollector();
        for (const piece of pieces) collector.append(Buffer.from(piece), whole.length);
        expect(collector.take().equals(whole)).toBe(true);
        expect(collector.length).toBe(0);
      }),
    );
  });
});

describe('field tables', () => {
  it('keep values of every type', () => {
    const eight = Buffer.alloc(8, 0xff);
    const double = Buffer.alloc(8);
    double.writeDoubleBE(1.5);
    const float = Buffer.alloc(4);
    float.writeFloatBE(0.25);
    const result = table(
      ['t', 't', Buffer.of(1)],
      ['b', 'b', Buffer.of(0xff)],
      ['B', 'B', Buffer.of(0xff)],
      ['s', 's', Buffer.of(0xff, 0xfe)],
      ['u', 'u', Buffer.of(0xff, 0xfe)],
      ['I', 'I', Buffer.of(0xff, 0xff, 0xff, 0xff)],
      ['i', 'i', Buffer.of(0xff, 0xff, 0xff, 0xff)],
      ['l', 'l', eight],
      ['f', 'f', float],
      ['d', 'd', double],
      ['D', 'D', Buffer.of(2, 0, 0, 0, 123)],
      ['S', 'S', fields().longstr('tea').toBuffer()],
      ['x', 'x', Buffer.of(0, 0, 0, 1, 7)],
      ['bytes', 'S', Buffer.of(0, 0, 0, 1, 0xff)],
      ['T', 'T', fields().longlong(1).toBuffer()],
      ['A', 'A', Buffer.of(0, 0, 0, 3, 0x74, 0, 0x56)],
      ['F', 'F', Buffer.of(0, 0, 0, 0)],
      ['V', 'V', Buffer.alloc(0)],
    );
    expect(Object.fromEntries(result.fields)).toEqual({
      t: true,
      b: -1,
      B: 255,
      s: -2,
      u: 65_534,
      I: -1,
      i: 4_294_967_295,
      l: -1n,
      f: 0.25,
      d: 1.5,
      D: 1.23,
      S: 'tea',
      x: Buffer.of(7),
      bytes: Buffer.of(0xff),
      T: new Date(1000),
      A: [false, null],
      F: { fields: [] },
      V: null,
    });
  });

  it('may not be nested without end', () => {
    let nested = Buffer.of(0, 0, 0, 0);
    for (let depth = 0; depth < 5000; depth += 1) {
      const inner = Buffer.concat([Buffer.of(0), Buffer.from('F'), nested]);
      nested = Buffer.concat([fields().long(inner.length).toBuffer(), inner]);
    }
    expect(() => readTable(new FieldReader(nested))).toThrow(/nested deeper/);
  });

  it('may not claim to be longer than they are', () => {
    expect(() => readTable(new FieldReader(Buffer.of(0xff, 0xff, 0xff, 0xff, 1)))).toThrow(AmqpError);
    expect(() => table(['x', 'S', Buffer.of(0xff, 0xff, 0xff, 0xff)])).toThrow(AmqpError);
    expect(() => table(['x', '?', Buffer.of(1)])).toThrow(/unknown type/);
  });
});

describe('content headers', () => {
  it('give every property', () => {
    const everything = fields()
      .short(60)
      .short(0)
      .longlong(12)
      .short(0xfffc)
      .shortstr('text/plain')
      .shortstr('gzip')
      .table({ a: 'b' })
      .octet(2)
      .octet(3)
      .shortstr('correlation')
      .shortstr('reply-to')
      .shortstr('60000')
      .shortstr('message')
      .longlong(1_700_000_000)
      .shortstr('type')
      .shortstr('user')
      .shortstr('app')
      .shortstr('cluster')
      .toBuffer();
    expect(parseContentHeader(everything)).toEqual({
      classId: 60,
      bodySize: 12n,
      properties: {
        contentType: 'text/plain',
        contentEncoding: 'gzip',
        headers: { fields: [['a', 'b']] },
        deliveryMode: 2,
        priority: 3,
        correlationId: 'correlation',
        replyTo: 'reply-to',
        expiration: '60000',
        messageId: 'message',
        timestamp: 1_700_000_000n,
        type: 'type',
        userId: 'user',
        appId: 'app',
        clusterId: 'cluster',
      },
    });
  });

  it('never make the parser throw anything but its own error', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => survives(() => parseContentHeader(Buffer.from(bytes)))));
    fc.assert(
      fc.property(fc.nat(0x3fff), fc.uint8Array({ maxLength: 300 }), (flags, bytes) =>
        survives(() =>
          parseContentHeader(
            Buffer.concat([
              fields()
                .short(60)
                .short(0)
                .longlong(1)
                .short(flags << 2)
                .toBuffer(),
              bytes,
            ]),
          ),
        ),
      ),
    );
  });
});

describe('methods', () => {
  it('never make the decoder throw anything but its own error', () => {
    const classes = fc.constantFrom(10, 20, 40, 50, 60, 85, 90, 999);
    fc.assert(
      fc.property(classes, fc.nat(130), fc.uint8Array({ maxLength: 300 }), (classId, methodId, args) =>
        survives(() => decodeMethod(classId, methodId, Buffer.from(args))),
      ),
      { numRuns: 5000 },
    );
  });

  it('write short strings of at most 255 bytes, cut between characters', () => {
    const bytes = fields().shortstr('é'.repeat(200)).toBuffer();
    expect(bytes[0]).toBe(254);
    expect(new FieldReader(bytes).shortstr()).toBe('é'.repeat(127));
  });
});
