// Frames of docs/protocol.md: u32 length, u8 type, u32 id, payload; all numbers big-endian.

export const HEADER_BYTES = 9;
export const MAX_PAYLOAD = 1024 * 1024;

export const FRAME = Object.freeze({
  load: 0x01,
  loadCode: 0x02,
  invoke: 0x03,
  invokeBody: 0x04,
  cancel: 0x05,
  shutdown: 0x06,
  streamData: 0x07,
  streamClose: 0x08,
  callReply: 0x09,
  callReplyBody: 0x0a,
  callFailed: 0x0b,
  streamEnd: 0x0c,
  streamCredit: 0x0d,
  loadBundle: 0x0e,
  invokeEnd: 0x0f,
  replyCredit: 0x10,
  hello: 0x81,
  ready: 0x82,
  loadFailed: 0x83,
  logOut: 0x84,
  logErr: 0x85,
  replyHead: 0x86,
  replyBody: 0x87,
  replyEnd: 0x88,
  failed: 0x89,
  exited: 0x8a,
  streamOpen: 0x8b,
  runtimeStreamData: 0x8c,
  runtimeStreamClose: 0x8d,
  call: 0x8e,
  callBody: 0x8f,
  runtimeStreamEnd: 0x90,
  runtimeStreamCredit: 0x91,
  invokeCredit: 0x92,
});

const PLATFORM_TYPES = new Set(Object.values(FRAME).filter((type) => type < 0x80));

export class ProtocolError extends Error {}

const NOTHING = Buffer.alloc(0);

/** One frame. @param payload bytes, at most MAX_PAYLOAD */
export function encode(type, id, payload = NOTHING) {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt32BE(payload.length, 0);
  frame[4] = type;
  frame.writeUInt32BE(id, 5);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

export function encodeJson(type, id, value) {
  return encode(type, id, Buffer.from(JSON.stringify(value)));
}

/** A body of any length as frames; none when it is empty. */
export function encodeBody(type, id, body) {
  const frames = [];
  for (let at = 0; at < body.length; at += MAX_PAYLOAD) frames.push(encode(type, id, body.subarray(at, at + MAX_PAYLOAD)));
  return frames;
}

/** Takes bytes as they come and gives `onFrame(type, id, payload)` whole frames. A payload may share memory with what came. */
export class FrameReader {
  #rest = NOTHING;
  #onFrame;

  constructor(onFrame) {
    this.#onFrame = onFrame;
  }

  /** @throws ProtocolError */
  push(chunk) {
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (data.length >= HEADER_BYTES) {
      const length = data.readUInt32BE(0);
      const type = data[4];
      if (length > MAX_PAYLOAD) throw new ProtocolError(`a frame of ${length} bytes is too long`);
      if (!PLATFORM_TYPES.has(type)) throw new ProtocolError(`there is no type 0x${type.toString(16).padStart(2, '0')}`);
      const end = HEADER_BYTES + length;
      if (data.length < end) break;
      const id = data.readUInt32BE(5);
      const payload = data.subarray(HEADER_BYTES, end);
      data = data.subarray(end);
      this.#onFrame(type, id, payload);
    }
    this.#rest = data;
  }
}

/** @throws ProtocolError when it is no JSON object */
export function parseObject(payload) {
  let value;
  try {
    value = JSON.parse(payload.toString());
  } catch (error) {
    throw new ProtocolError(`a payload is no JSON: ${error.message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ProtocolError('a payload is no JSON object');
  return value;
}
