import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';

/**
 * What nodes say to one another about a call that was handed over. A frame is the content of one AMQP message: u32 length of the head, the head as JSON, the
 * body's bytes as they are. Which one it is stands in the message's `type`, the call's id in its `correlation_id`.
 *
 * From who asks to who runs, by the queue of that node: `request`, then `credit` as a streamed answer is read, `cancel`; `probe` asks nothing but that its queue be there.
 * Back, by direct reply-to: `refused` alone (it was not begun), or `reply` with `chunk`s until it is whole, or `start`, `chunk`s, `end`; or `fail` at any time.
 */
export const ASKER_FRAMES = ['request', 'credit', 'cancel', 'probe'] as const;
export type AskerFrame = (typeof ASKER_FRAMES)[number];
export const RUNNER_FRAMES = ['refused', 'reply', 'start', 'chunk', 'end', 'fail'] as const;
export type RunnerFrame = (typeof RUNNER_FRAMES)[number];

/** Bytes of a streamed answer that may be under way. */
export const STREAM_WINDOW_BYTES = 256 * 1024;

const Text = Type.String();
const Milliseconds = Type.Number();
/** Names and values in turn. */
const Headers = Type.Array(Text);

const Trace = Type.Object({
  scope: Type.Object({
    traceId: Text,
    spanId: Text,
    parentSpanId: Type.Union([Text, Type.Null()]),
    flags: Type.Integer(),
    tracestate: Type.Union([Text, Type.Null()]),
    sampled: Type.Boolean(),
  }),
  runSpanId: Text,
});

/** Behind it the body of the call. */
export const RequestHead = Type.Object({
  asker: Type.Object({ id: Text, queue: Text }),
  functionName: Text,
  versionNumber: Type.Integer(),
  /** What the asker thinks that its caller would wait for a turn there; null: nobody can say. */
  waitMs: Type.Union([Milliseconds, Type.Null()]),
  /** What is left of the call's time. */
  timeoutMs: Milliseconds,
  hasBody: Type.Boolean(),
  correlationId: Text,
  trigger: Type.Union([Type.Literal('gateway'), Type.Literal('api'), Type.Literal('function')]),
  verb: Text,
  path: Text,
  rawPath: Text,
  query: Text,
  params: Type.Record(Text, Text),
  headers: Headers,
  requestId: Type.Union([Text, Type.Null()]),
  depth: Type.Integer(),
  /** Null: it was decided that the call is part of none; left out: nobody has decided. */
  trace: Type.Optional(Type.Union([Trace, Type.Null()])),
});
export type RequestHead = Static<typeof RequestHead>;

const CreditHead = Type.Object({ bytes: Type.Integer({ minimum: 1 }) });

const RefusedHead = Type.Object({ reason: Text });

/** What ran, as it is told to the caller. */
const Run = Type.Object({
  instanceId: Type.Union([Text, Type.Null()]),
  start: Type.Union([Type.Literal('cold'), Type.Literal('warm')]),
  bootMs: Milliseconds,
  initMs: Milliseconds,
  runMs: Milliseconds,
  /** From taking the request to this frame. */
  heldMs: Milliseconds,
});
export type Run = Static<typeof Run>;

const StartHead = Type.Object({ run: Run, status: Type.Integer(), headers: Headers });
const ReplyHead = Type.Object({ run: Run, status: Type.Integer(), headers: Headers, length: Type.Integer({ minimum: 0 }) });
const FailHead = Type.Object({
  run: Run,
  code: Text,
  message: Text,
  extra: Type.Record(Text, Type.Unknown()),
  retryAfter: Type.Optional(Type.Number()),
});

export const requestHead = Compile(RequestHead);
export const creditHead = Compile(CreditHead);
export const refusedHead = Compile(RefusedHead);
export const startHead = Compile(StartHead);
export const replyHead = Compile(ReplyHead);
export const failHead = Compile(FailHead);

const LENGTH_BYTES = 4;
const NONE = Buffer.alloc(0);

/** The body is copied: it may be a view of memory that is used again. */
export function encodeFrame(head: object | null, body: Buffer = NONE): Buffer {
  const text = head === null ? '' : JSON.stringify(head);
  const headBytes = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + headBytes + body.length);
  frame.writeUInt32BE(headBytes);
  frame.write(text, LENGTH_BYTES);
  body.copy(frame, LENGTH_BYTES + headBytes);
  return frame;
}

/** The body is a view. Undefined when it is no frame. */
export function decodeFrame(frame: Buffer): { head: unknown; body: Buffer } | undefined {
  if (frame.length < LENGTH_BYTES) return undefined;
  const end = LENGTH_BYTES + frame.readUInt32BE();
  if (end > frame.length) return undefined;
  try {
    return { head: end === LENGTH_BYTES ? null : JSON.parse(frame.toString('utf8', LENGTH_BYTES, end)), body: frame.subarray(end) };
  } catch {
    return undefined;
  }
}
