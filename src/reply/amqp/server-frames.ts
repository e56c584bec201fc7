import type { AmqpError } from './amqp-error.ts';
import { FieldWriter } from './field-writer.ts';
import { FRAME_END, FRAME_HEARTBEAT, FRAME_METHOD, FRAME_OVERHEAD_BYTES } from './frame-parser.ts';

/** What we offer in connection.tune. */
export const CHANNEL_MAX = 64;
/** Bytes of a frame, its overhead included. */
export const FRAME_MAX = 131_072;
/** Section 4.2.3: what both sides may send before they have agreed on more. */
export const FRAME_MIN = 4096;
/** Seconds. */
const HEARTBEAT_SECONDS = 60;

/** A method frame as one buffer. */
export function methodFrame(channel: number, classId: number, methodId: number, args?: Buffer): Buffer {
  const size = 4 + (args?.length ?? 0);
  const frame = Buffer.allocUnsafe(FRAME_OVERHEAD_BYTES + size);
  frame[0] = FRAME_METHOD;
  frame.writeUInt16BE(channel, 1);
  frame.writeUInt32BE(size, 3);
  frame.writeUInt16BE(classId, 7);
  frame.writeUInt16BE(methodId, 9);
  if (args !== undefined) args.copy(frame, 11);
  frame[frame.length - 1] = FRAME_END;
  return frame;
}

const fields = (): FieldWriter => new FieldWriter();

/** Section 4.2.2. */
export const PROTOCOL_HEADER: Buffer = Buffer.from('AMQP\x00\x00\x09\x01', 'latin1');

// The same bytes for every connection, made once: a script connects anew for each invocation.
export const START: Buffer = methodFrame(
  0,
  10,
  10,
  fields()
    .octet(0)
    .octet(9)
    .table({
      product: 'Hearth',
      version: '1',
      platform: 'Node.js',
      information: 'The reply endpoint of a serverless platform: it takes answers, it is no message broker',
      capabilities: {
        publisher_confirms: true,
        'basic.nack': true,
        consumer_cancel_notify: true,
        'connection.blocked': true,
        authentication_failure_close: true,
        exchange_exchange_bindings: false,
        per_consumer_qos: false,
      },
    })
    .longstr('PLAIN AMQPLAIN')
    .longstr('en_US')
    .toBuffer(),
);
export const TUNE: Buffer = methodFrame(0, 10, 30, fields().short(CHANNEL_MAX).long(FRAME_MAX).short(HEARTBEAT_SECONDS).toBuffer());
export const OPEN_OK: Buffer = methodFrame(0, 10, 41, fields().shortstr('').toBuffer());
export const CONNECTION_CLOSE_OK: Buffer = methodFrame(0, 10, 51);
export const UPDATE_SECRET_OK: Buffer = methodFrame(0, 10, 71);
export const HEARTBEAT: Buffer = Buffer.of(FRAME_HEARTBEAT, 0, 0, 0, 0, 0, 0, FRAME_END);

const EMPTY_LONGSTR = fields().long(0).toBuffer();
const EMPTY_SHORTSTR = fields().octet(0).toBuffer();
const ZERO_MESSAGES = fields().long(0).toBuffer();

const closeArguments = (error: AmqpError, classId: number, methodId: number): Buffer =>
  fields().short(error.code).shortstr(error.message).short(classId).short(methodId).toBuffer();

/** @param classId with methodId, the method that failed; 0 when none did */
export const connectionClose = (error: AmqpError, classId: number, methodId: number): Buffer =>
  methodFrame(0, 10, 50, closeArguments(error, classId, methodId));
export const channelClose = (channel: number, error: AmqpError, classId: number, methodId: number): Buffer =>
  methodFrame(channel, 20, 40, closeArguments(error, classId, methodId));

export const channelOpenOk = (channel: number): Buffer => methodFrame(channel, 20, 11, EMPTY_LONGSTR);
export const channelFlowOk = (channel: number, active: boolean): Buffer =>
  methodFrame(
    channel,
    20,
    21,
    fields()
      .octet(active ? 1 : 0)
      .toBuffer(),
  );
export const channelCloseOk = (channel: number): Buffer => methodFrame(channel, 20, 41);
export const exchangeDeclareOk = (channel: number): Buffer => methodFrame(channel, 40, 11);
export const queueDeclareOk = (channel: number, queue: string): Buffer =>
  methodFrame(channel, 50, 11, fields().shortstr(queue).long(0).long(0).toBuffer());
export const queueBindOk = (channel: number): Buffer => methodFrame(channel, 50, 21);
export const queuePurgeOk = (channel: number): Buffer => methodFrame(channel, 50, 31, ZERO_MESSAGES);
export const queueDeleteOk = (channel: number): Buffer => methodFrame(channel, 50, 41, ZERO_MESSAGES);
export const queueUnbindOk = (channel: number): Buffer => methodFrame(channel, 50, 51);
export const basicQosOk = (channel: number): Buffer => methodFrame(channel, 60, 11);
export const basicConsumeOk = (channel: number, tag: string): Buffer => methodFrame(channel, 60, 21, fields().shortstr(tag).toBuffer());
export const basicCancelOk = (channel: number, tag: string): Buffer => methodFrame(channel, 60, 31, fields().shortstr(tag).toBuffer());
export const basicGetEmpty = (channel: number): Buffer => methodFrame(channel, 60, 72, EMPTY_SHORTSTR);
export const basicAck = (channel: number, tag: number): Buffer => methodFrame(channel, 60, 80, fields().longlong(tag).octet(0).toBuffer());
export const basicNack = (channel: number, tag: number): Buffer => methodFrame(channel, 60, 120, fields().longlong(tag).octet(0).toBuffer());
export const basicRecoverOk = (channel: number): Buffer => methodFrame(channel, 60, 111);
export const confirmSelectOk = (channel: number): Buffer => methodFrame(channel, 85, 11);
