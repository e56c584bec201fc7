/**
 * The control channel between the platform and a zygote, hearth_zygote/wire.py on the other side: messages of u32 payload length
 * (big-endian), u8 kind, 16 bytes token (zeros where none is meant), payload.
 */

export const KIND = {
  /** JSON: entry, layers, exclude, seccomp (base64). */
  start: 0x01,
  /** u64 bytes of /tmp, then rtnetlink messages for the sandbox's network namespace. */
  fork: 0x02,
  kill: 0x03,
  booted: 0x81,
  /** JSON: imported, rehearsed, excluded, sharesMemory. */
  ready: 0x82,
  /** u32 process id as the zygote sees it, u64 inode of the network namespace (0: not asked for). */
  forked: 0x83,
  /** u32 wait status. */
  exited: 0x84,
  /** JSON: reason, exclude. */
  unusable: 0x85,
  /** Text. */
  refused: 0x86,
} as const;

export const TOKEN_BYTES = 16;
const NO_TOKEN = Buffer.alloc(TOKEN_BYTES);
const HEADER_BYTES = 5 + TOKEN_BYTES;
const MAX_PAYLOAD = 1024 * 1024;

export interface ControlMessage {
  kind: number;
  /** As hexadecimal digits. */
  token: string;
  payload: Buffer;
}

export function encodeControl(kind: number, token: Buffer = NO_TOKEN, payload: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(payload.length, 0);
  header.writeUInt8(kind, 4);
  token.copy(header, 5);
  return Buffer.concat([header, payload]);
}

export function forkPayload(tmpBytes: number, routes: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeBigUInt64BE(BigInt(tmpBytes));
  return Buffer.concat([head, routes]);
}

/** Cuts the stream into messages. */
export class ControlDecoder {
  #pending: Buffer = Buffer.alloc(0);

  /** The messages complete with `chunk`. @throws Error when one announces too much: the zygote can't be trusted any more */
  feed(chunk: Buffer): ControlMessage[] {
    const data = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const found: ControlMessage[] = [];
    let offset = 0;
    while (data.length - offset >= HEADER_BYTES) {
      const length = data.readUInt32BE(offset);
      if (length > MAX_PAYLOAD) throw new Error(`The zygote announced a control message of ${length} bytes.`);
      const end = offset + HEADER_BYTES + length;
      if (end > data.length) break;
      found.push({
        kind: data.readUInt8(offset + 4),
        token: data.toString('hex', offset + 5, offset + HEADER_BYTES),
        payload: data.subarray(offset + HEADER_BYTES, end),
      });
      offset = end;
    }
    this.#pending = data.subarray(offset);
    return found;
  }
}
