import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Invocation, type InvocationInput } from '../../scheduler/invocation.ts';
import type { FunctionVersion } from '../../schemas/function.ts';
import { decodeFrame, encodeFrame, requestHead } from './frame.ts';
import { inputOf, requestFrame } from './request-frame.ts';

const SINK = { reply() {}, start() {}, write: () => true, onceDrained() {}, end() {}, fail() {} };
const VERSION = { functionName: 'hello', number: 3, timeoutMs: 60_000 } as FunctionVersion;
const INPUT: InvocationInput = {
  id: 'id-1',
  correlationId: 'id-1',
  trigger: 'gateway',
  verb: 'POST',
  path: '/a b',
  rawPath: '/a%20b',
  query: 'x=ü',
  params: { name: 'ä' },
  headers: ['X-Latin', 'é\u00ff', 'X-Twice', '1', 'X-Twice', '2'],
  body: Buffer.from([0, 255, 10, 13]),
  scriptBody: null,
  requestId: null,
  timeoutMs: 5000,
};

function sent(input: InvocationInput, waitMs = 80) {
  const frame = decodeFrame(requestFrame(new Invocation(input, VERSION, SINK, 'warm'), { id: 'a', queue: 'qa' }, waitMs));
  if (!frame || !requestHead.Check(frame.head)) throw new Error('it is no request');
  return { head: frame.head, input: inputOf('id-1', frame.head, frame.body) };
}

test('whatever head and body are, they come out as they went in', () => {
  fc.assert(
    fc.property(fc.option(fc.dictionary(fc.string(), fc.string())), fc.uint8Array(), (head, bytes) => {
      const body = Buffer.from(bytes);
      expect(decodeFrame(encodeFrame(head, body))).toEqual({ head, body });
    }),
  );
});

test('what is no frame is not taken for one', () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void decodeFrame(Buffer.from(bytes))));
  for (const bytes of [[], [0, 0, 0], [0, 0, 0, 2, 123], [0, 0, 0, 1, 123], [255, 255, 255, 255]])
    expect(decodeFrame(Buffer.from(bytes))).toBeUndefined();
});

test('a call is the same at the other node, with what is left of its time', () => {
  const { head, input } = sent(INPUT);
  expect(input).toEqual({ ...INPUT, depth: 0 });
  expect(head).toMatchObject({ functionName: 'hello', versionNumber: 3, waitMs: 80, timeoutMs: 5000, asker: { id: 'a', queue: 'qa' } });
  expect(sent({ ...INPUT, timeoutMs: 90_000 }).head.timeoutMs).toBe(60_000);
  expect(sent(INPUT, Number.POSITIVE_INFINITY).head.waitMs).toBeNull();
});

test('no body and an empty one are two things', () => {
  expect(sent({ ...INPUT, body: null }).input.body).toBeNull();
  expect(sent({ ...INPUT, body: Buffer.alloc(0) }).input.body).toEqual(Buffer.alloc(0));
});

test('its trace goes on at the other node, below the span of the request', () => {
  const scope = { traceId: 't', spanId: 's', parentSpanId: null, flags: 1, tracestate: null, sampled: true };
  expect(sent({ ...INPUT, trace: { scope, isEntry: true, runSpanId: 'r' } }).input.trace).toEqual({ scope, isEntry: false, runSpanId: 'r' });
  expect(sent({ ...INPUT, trace: null }).input.trace).toBeNull();
  expect('trace' in sent(INPUT).input).toBe(false);
});
