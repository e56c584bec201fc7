import { AmqpError } from './amqp-error.ts';
import { ByteCollector } from './byte-collector.ts';

/** Section 2.3.5 of the specification: octet type, short channel, long size, payload, octet 0xCE. */
export const FRAME_METHOD = 1;
export const FRAME_HEADER = 2;
const FRAME_BODY = 3;
export const FRAME_HEARTBEAT = 8;
export const FRAME_END = 0xce;
const FRAME_PREFIX_BYTES = 7;
export const FRAME_OVERHEAD_BYTES = 8;

/** The payload is a view into the bytes received. */
export type OnFrame = (type: number, channel: number, payload: Buffer) => void;

/** Cuts a stream of bytes into frames. Holds at most one unfinished frame, of at most `maxFrameBytes`. */
export class FrameParser {
  /** The largest frame that may come, its overhead included, in bytes; changes when it has been negotiated. */
  maxFrameBytes: number;
  readonly #partial = new ByteCollector();

  constructor(maxFrameBytes: number) {
    this.maxFrameBytes = maxFrameBytes;
  }

  /** @throws AmqpError FRAME_ERROR; the rest of the stream can't be read then */
  push(chunk: Buffer, onFrame: OnFrame): void {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#partial.length > 0) {
        offset += this.#fillPartial(chunk, offset, onFrame);
        continue;
      }
      const total = this.#frameBytes(chunk, offset);
      if (total === undefined || offset + total > chunk.length) {
        this.#partial.append(chunk.subarray(offset), total ?? FRAME_PREFIX_BYTES);
        return;
      }
      emit(chunk.subarray(offset, offset + total), onFrame);
      offset += total;
    }
  }

  /** @returns how many bytes of the chunk it took */
  #fillPartial(chunk: Buffer, offset: number, onFrame: OnFrame): number {
    const known = this.#frameBytes(this.#partial.bytes, 0);
    const wanted = known ?? FRAME_PREFIX_BYTES;
    const piece = chunk.subarray(offset, offset + wanted - this.#partial.length);
    this.#partial.append(piece, wanted);
    if (known !== undefined && this.#partial.length === known) emit(this.#partial.take(), onFrame);
    else this.#frameBytes(this.#partial.bytes, 0);
    return piece.length;
  }

  /** The length of the frame that starts at the offset; undefined while its prefix is incomplete. */
  #frameBytes(bytes: Buffer, offset: number): number | undefined {
    if (bytes.length - offset < FRAME_PREFIX_BYTES) return undefined;
    const type = bytes[offset];
    if (type !== FRAME_METHOD && type !== FRAME_HEADER && type !== FRAME_BODY && type !== FRAME_HEARTBEAT) {
      throw new AmqpError('FRAME_ERROR', `unknown frame type ${type}`);
    }
    const total = bytes.readUInt32BE(offset + 3) + FRAME_OVERHEAD_BYTES;
    if (total > this.maxFrameBytes) {
      throw new AmqpError('FRAME_ERROR', `a frame of ${total} bytes is larger than the maximum of ${this.maxFrameBytes}`);
    }
    return total;
  }
}

function emit(frame: Buffer, onFrame: OnFrame): void {
  if (frame[frame.length - 1] !== FRAME_END) throw new AmqpError('FRAME_ERROR', 'a frame does not end with the frame-end octet');
  onFrame(frame[0] ?? 0, frame.readUInt16BE(1), frame.subarray(FRAME_PREFIX_BYTES, frame.length - 1));
}
