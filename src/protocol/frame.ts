/**
 * Frames between the platform and the runtimes: u32 length, u8 type, u32 id, payload; big-endian.
 * docs/protocol.md is the specification, docs/protocol-vectors.json its golden examples.
 */

export const PROTOCOL_VERSION = 1;
const FRAME_HEADER_BYTES = 9;
export const MAX_PAYLOAD_BYTES = 1024 * 1024;
/** What a sender may have on the way on one connection to a service, of one request's body or of one WebSocket, before it is credited for it. */
export const STREAM_WINDOW_BYTES = 256 * 1024;

/** What the platform sends. */
export const ToRuntime = {
  Load: 0x01,
  LoadCode: 0x02,
  Invoke: 0x03,
  InvokeBody: 0x04,
  Cancel: 0x05,
  Shutdown: 0x06,
  StreamData: 0x07,
  StreamClose: 0x08,
  CallReply: 0x09,
  CallReplyBody: 0x0a,
  CallFailed: 0x0b,
  StreamEnd: 0x0c,
  StreamCredit: 0x0d,
  LoadBundle: 0x0e,
  InvokeEnd: 0x0f,
  ReplyCredit: 0x10,
} as const;

/** What a runtime sends. */
export const FromRuntime = {
  Hello: 0x81,
  Ready: 0x82,
  LoadFailed: 0x83,
  LogOut: 0x84,
  LogErr: 0x85,
  ReplyHead: 0x86,
  ReplyBody: 0x87,
  ReplyEnd: 0x88,
  Failed: 0x89,
  Exited: 0x8a,
  StreamOpen: 0x8b,
  StreamData: 0x8c,
  StreamClose: 0x8d,
  Call: 0x8e,
  CallBody: 0x8f,
  StreamEnd: 0x90,
  StreamCredit: 0x91,
  InvokeCredit: 0x92,
} as const;

/** The payload is a view into the bytes received, or a buffer of its own: copy it to keep it past the handler's return. */
export type FrameHandler = (type: number, id: number, payload: Buffer) => void;

/** A peer broke the protocol; its sandbox can't be trusted any further. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

const EMPTY = Buffer.alloc(0);

/** One frame as one buffer. @throws ProtocolError when the payload is above MAX_PAYLOAD_BYTES */
export function encodeFrame(type: number, id: number, payload: Uint8Array | string = EMPTY): Buffer {
  const length = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength;
  if (length > MAX_PAYLOAD_BYTES) throw new ProtocolError(`frame payload of ${length} bytes is above ${MAX_PAYLOAD_BYTES}`);
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + length);
  frame.writeUInt32BE(length, 0);
  frame[4] = type;
  frame.writeUInt32BE(id, 5);
  if (typeof payload === 'string') frame.write(payload, FRAME_HEADER_BYTES);
  else frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

/** A frame of text and one of bytes with the same id, as one buffer. Neither may be above MAX_PAYLOAD_BYTES. */
export function encodeFramePair(headType: number, bodyType: number, id: number, head: string, body: Uint8Array): Buffer {
  const headBytes = Buffer.byteLength(head);
  if (headBytes > MAX_PAYLOAD_BYTES) throw new ProtocolError(`frame payload of ${headBytes} bytes is above ${MAX_PAYLOAD_BYTES}`);
  const bodyAt = FRAME_HEADER_BYTES + headBytes;
  const frames = Buffer.allocUnsafe(bodyAt + FRAME_HEADER_BYTES + body.byteLength);
  frames.writeUInt32BE(headBytes, 0);
  frames[4] = headType;
  frames.writeUInt32BE(id, 5);
  frames.write(head, FRAME_HEADER_BYTES);
  frames.writeUInt32BE(body.byteLength, bodyAt);
  frames[bodyAt + 4] = bodyType;
  frames.writeUInt32BE(id, bodyAt + 5);
  frames.set(body, bodyAt + FRAME_HEADER_BYTES);
  return frames;
}

/** A raw body as as many frames as it takes; none for an empty body. */
export function* encodeBody(type: number, id: number, body: Uint8Array): Generator<Buffer> {
  for (let offset = 0; offset < body.byteLength; offset += MAX_PAYLOAD_BYTES) {
    yield encodeFrame(type, id, body.subarray(offset, offset + MAX_PAYLOAD_BYTES));
  }
}

/**
 * Cuts a byte stream into frames. Holds at most one incomplete frame, in one buffer, however small the pieces are in which it comes: its memory is
 * bounded by MAX_PAYLOAD_BYTES. `onFrame` is called synchronously from `push`, in order.
 */
export class FrameDecoder {
  readonly #onFrame: FrameHandler;
  /** Of a frame whose header has not come in whole. */
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES);
  #headerBytes = 0;
  /** Of a frame whose payload has not come in whole; null between frames. */
  #payload: Buffer | null = null;
  #payloadBytes = 0;
  #type = 0;
  #id = 0;

  constructor(onFrame: FrameHandler) {
    this.#onFrame = onFrame;
  }

  /** @throws ProtocolError when a frame announces more than MAX_PAYLOAD_BYTES */
  push(chunk: Buffer): void {
    let offset = this.#payload === null ? 0 : this.#continuePayload(this.#payload, chunk, 0);
    if (this.#headerBytes > 0) offset = this.#continueHeader(chunk);
    while (chunk.length - offset >= FRAME_HEADER_BYTES) {
      const length = lengthAt(chunk, offset);
      const type = chunk[offset + 4] as number;
      const id = chunk.readUInt32BE(offset + 5);
      offset += FRAME_HEADER_BYTES;
      if (offset + length > chunk.length) {
        this.#beginPayload(length, type, id, chunk, offset);
        return;
      }
      this.#onFrame(type, id, chunk.subarray(offset, offset + length));
      offset += length;
    }
    if (offset < chunk.length) this.#headerBytes = chunk.copy(this.#header, 0, offset);
  }

  /** @returns where the chunk goes on */
  #continueHeader(chunk: Buffer): number {
    const taken = chunk.copy(this.#header, this.#headerBytes);
    this.#headerBytes += taken;
    if (this.#headerBytes < FRAME_HEADER_BYTES) return taken;
    this.#headerBytes = 0;
    const header = this.#header;
    return this.#beginPayload(lengthAt(header, 0), header[4] as number, header.readUInt32BE(5), chunk, taken);
  }

  #beginPayload(length: number, type: number, id: number, chunk: Buffer, offset: number): number {
    this.#type = type;
    this.#id = id;
    this.#payloadBytes = 0;
    this.#payload = Buffer.allocUnsafe(length);
    return this.#continuePayload(this.#payload, chunk, offset);
  }

  #continuePayload(payload: Buffer, chunk: Buffer, offset: number): number {
    const taken = chunk.copy(payload, this.#payloadBytes, offset);
    this.#payloadBytes += taken;
    if (this.#payloadBytes === payload.length) {
      this.#payload = null;
      this.#onFrame(this.#type, this.#id, payload);
    }
    return offset + taken;
  }
}

/** @throws ProtocolError */
function lengthAt(bytes: Buffer, offset: number): number {
  const length = bytes.readUInt32BE(offset);
  if (length > MAX_PAYLOAD_BYTES) throw new ProtocolError(`frame announces ${length} bytes, above ${MAX_PAYLOAD_BYTES}`);
  return length;
}
