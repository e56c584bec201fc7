import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame, FrameDecoder, MAX_PAYLOAD_BYTES, ProtocolError } from '../../../src/protocol/frame.ts';
import { parseExited, parseHello, parseReady, parseReplyHead, parseRuntimeError } from '../../../src/protocol/parse-message.ts';
import { AmqpError } from '../../../src/reply/amqp/amqp-error.ts';
import { FrameParser } from '../../../src/reply/amqp/frame-parser.ts';

/** fast-check prints the seed of a run that fails, and what it shrank the bytes to; those are kept here and tried first. */
const CORPUS = (JSON.parse(readFileSync(new URL('../../fuzz/corpus/streams.json', import.meta.url), 'utf8')) as string[]).map((hex) =>
  Buffer.from(hex, 'hex'),
);

/** Frames of the one stream, as text, and how it ended: with the parser's own error or without. @throws whatever else the parser throws */
type Reader = (chunks: readonly Buffer[]) => string[];

const ofRuntimes: Reader = (chunks) =>
  outcome(ProtocolError, chunks, (onFrame) => {
    const decoder = new FrameDecoder((type, id, payload) => onFrame(`${type} ${id} ${payload.toString('hex')}`));
    return (chunk) => decoder.push(chunk);
  });

const ofAmqp: Reader = (chunks) =>
  outcome(AmqpError, chunks, (onFrame) => {
    const parser = new FrameParser(4096);
    return (chunk) => parser.push(chunk, (type, channel, payload) => onFrame(`${type} ${channel} ${payload.toString('hex')}`));
  });

function outcome(
  own: typeof ProtocolError | typeof AmqpError,
  chunks: readonly Buffer[],
  open: (onFrame: (text: string) => void) => (chunk: Buffer) => void,
): string[] {
  const seen: string[] = [];
  const push = open((text) => seen.push(text));
  try {
    for (const chunk of chunks) push(chunk);
  } catch (error) {
    if (!(error instanceof own)) throw error;
    seen.push(error.name);
  }
  return seen;
}

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let offset = 0, turn = 0; offset < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] as number;
    chunks.push(bytes.subarray(offset, offset + size));
    offset += size;
  }
  return chunks;
}

/** Well-formed frames of both protocols, damaged in places, and noise. */
const stream = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc.tuple(fc.nat(255), fc.nat(5), fc.uint8Array({ maxLength: 60 })).map(([type, id, payload]) => encodeFrame(type, id, payload)),
      fc.tuple(fc.nat(9), fc.nat(3), fc.nat(80), fc.uint8Array({ maxLength: 60 })).map(([type, channel, claimed, payload]) => {
        const length = claimed > 70 ? claimed : payload.length;
        return Buffer.from([type, 0, channel, 0, 0, 0, length, ...payload, 0xce]);
      }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => Buffer.concat(parts));
const cuts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 10 });

describe.each<[string, Reader]>([
  ['frames of runtimes', ofRuntimes],
  ['AMQP frames', ofAmqp],
])('%s', (_name, read) => {
  it('mean the same however the stream is cut, and are refused by nothing but the error of their own', () => {
    fc.assert(
      fc.property(stream, cuts, (bytes, sizes) => {
        expect(read(cut(bytes, sizes))).toEqual(read([bytes]));
      }),
      { numRuns: 2000, examples: CORPUS.map((bytes) => [bytes, [1]] as [Buffer, number[]]) },
    );
  });
});

describe('messages of runtimes', () => {
  const parsers = [parseHello, parseReady, parseReplyHead, parseRuntimeError, parseExited];
  const members = fc.constantFrom(
    'protocol',
    'runtime',
    'version',
    'concurrency',
    'preloaded',
    'excluded',
    'status',
    'headers',
    'streaming',
    'type',
    'message',
    'code',
    'signal',
    '__proto__',
    'constructor',
  );

  it('are parsed, or refused by a ProtocolError', () => {
    const payload = fc.oneof(
      fc.string(),
      fc.json(),
      fc.dictionary(members, fc.jsonValue()).map((value) => JSON.stringify(value)),
      fc.constant('['.repeat(5_000)),
    );
    fc.assert(
      fc.property(payload, fc.constantFrom(...parsers), (text, parse) => {
        try {
          parse(Buffer.from(text));
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
        }
        expect(({} as Record<string, unknown>).polluted).toBeUndefined();
      }),
      { numRuns: 800 },
    );
  });
});

it('a frame that announces more than it may is refused before anything is kept for it', () => {
  const decoder = new FrameDecoder(() => undefined);
  const head = Buffer.alloc(9);
  head.writeUInt32BE(MAX_PAYLOAD_BYTES + 1);
  expect(() => decoder.push(head)).toThrow(ProtocolError);
});
