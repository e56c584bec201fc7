import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { FieldReader } from '../../../src/reply/amqp/field-reader.ts';
import { FieldWriter } from '../../../src/reply/amqp/field-writer.ts';
import { FRAME_END, FRAME_HEARTBEAT, FRAME_METHOD, FrameParser } from '../../../src/reply/amqp/frame-parser.ts';
import { methodFrame, PROTOCOL_HEADER } from '../../../src/reply/amqp/server-frames.ts';
import type { ReplyEndpoint, ReplyInbox } from '../../../src/reply/endpoint.ts';

export interface Received {
  /** `10.50` for connection.close and so on; `heartbeat`; `raw` for bytes that are no frame. */
  method: string;
  channel: number;
  args: Buffer;
}

export const fields = (): FieldWriter => new FieldWriter();

export function frame(type: number, channel: number, payload: Buffer): Buffer {
  const bytes = Buffer.alloc(payload.length + 8);
  bytes[0] = type;
  bytes.writeUInt16BE(channel, 1);
  bytes.writeUInt32BE(payload.length, 3);
  payload.copy(bytes, 7);
  bytes[bytes.length - 1] = FRAME_END;
  return bytes;
}

export const START_OK = methodFrame(0, 10, 11, fields().table({}).shortstr('PLAIN').longstr('\0a\0b').shortstr('en_US').toBuffer());
export const tuneOk = (channelMax: number, frameMax: number, heartbeat: number): Buffer =>
  methodFrame(0, 10, 31, fields().short(channelMax).long(frameMax).short(heartbeat).toBuffer());
export const open = (virtualHost = '/'): Buffer => methodFrame(0, 10, 40, fields().shortstr(virtualHost).shortstr('').octet(0).toBuffer());
export const openChannel = (channel: number): Buffer => methodFrame(channel, 20, 10, fields().shortstr('').toBuffer());
export const publish = (channel: number, routingKey: string, exchange = '', bits = 0): Buffer =>
  methodFrame(channel, 60, 40, fields().short(0).shortstr(exchange).shortstr(routingKey).octet(bits).toBuffer());
export const header = (channel: number, bodySize: number, classId = 60): Buffer =>
  frame(2, channel, fields().short(classId).short(0).longlong(bodySize).short(0).toBuffer());
export const body = (channel: number, bytes: Buffer | string): Buffer => frame(3, channel, Buffer.from(bytes));
export const declare = (channel: number, queue: string, bits = 0): Buffer =>
  methodFrame(channel, 50, 10, fields().short(0).shortstr(queue).octet(bits).table({}).toBuffer());
export const confirmSelect = (channel: number): Buffer => methodFrame(channel, 85, 10, fields().octet(0).toBuffer());

/** The client's end of a connection, byte by byte: for what real clients never do. */
export class RawClient {
  readonly stream: Duplex;
  readonly received: Received[] = [];
  ended = false;
  readonly #parser = new FrameParser(1 << 20);

  constructor(endpoint: ReplyEndpoint, inbox: ReplyInbox) {
    const [ours, theirs] = duplexPair();
    this.stream = ours;
    ours.on('error', () => undefined);
    ours.on('end', () => {
      this.ended = true;
    });
    ours.on('data', (chunk: Buffer) => this.#take(chunk));
    endpoint.accept(theirs, inbox);
  }

  /** Sends, and waits until the answers have come. */
  async send(...pieces: Buffer[]): Promise<Received[]> {
    const before = this.received.length;
    for (const piece of pieces) this.stream.write(piece);
    await settle();
    return this.received.slice(before);
  }

  /** The whole handshake. */
  async connect(options: { heartbeat?: number; channels?: readonly number[] } = {}): Promise<this> {
    await this.send(PROTOCOL_HEADER);
    await this.send(START_OK);
    await this.send(tuneOk(64, 131_072, options.heartbeat ?? 0), open());
    for (const channel of options.channels ?? [1]) await this.send(openChannel(channel));
    return this;
  }

  #take(chunk: Buffer): void {
    if (chunk.subarray(0, 4).toString() === 'AMQP') {
      this.received.push({ method: 'raw', channel: 0, args: chunk });
      return;
    }
    this.#parser.push(chunk, (type, channel, payload) => {
      if (type === FRAME_HEARTBEAT) this.received.push({ method: 'heartbeat', channel, args: payload });
      else if (type === FRAME_METHOD) {
        this.received.push({ method: `${payload.readUInt16BE(0)}.${payload.readUInt16BE(2)}`, channel, args: payload.subarray(4) });
      }
    });
  }
}

/** Reads the arguments of connection.close or channel.close. */
export function readClose(received: Received | undefined): { code: number; text: string; classId: number; methodId: number } {
  if (received === undefined) throw new Error('nothing was received');
  const reader = new FieldReader(received.args);
  return { code: reader.short(), text: reader.shortstr(), classId: reader.short(), methodId: reader.short() };
}

/** Lets streams in memory pass on what they hold. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await setImmediate();
}
