/** The client's side of WebSocket frames (RFC 6455), for tests that speak to a runtime without a gateway between them. */

export const Opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface Frame {
  opcode: number;
  payload: Buffer;
}

const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

/** One masked frame. */
export function clientFrame(opcode: number, payload: Buffer | string = '', options: { fin?: boolean } = {}): Buffer {
  const data = Buffer.from(payload);
  const length = data.length < 126 ? Buffer.alloc(0) : Buffer.alloc(data.length < 65_536 ? 2 : 8);
  if (length.length === 2) length.writeUInt16BE(data.length);
  else if (length.length === 8) length.writeBigUInt64BE(BigInt(data.length));
  const short = length.length === 0 ? data.length : length.length === 2 ? 126 : 127;
  const head = Buffer.from([(options.fin === false ? 0 : 0x80) | opcode, 0x80 | short]);
  return Buffer.concat([head, length, MASK, data.map((byte, i) => byte ^ (MASK[i % 4] as number))]);
}

export function closeFrame(code: number, reason = ''): Buffer {
  return clientFrame(Opcode.close, Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]));
}

/** The whole frames of a server in what it has sent so far. */
export function serverFrames(data: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at + 2 <= data.length; ) {
    const short = (data[at + 1] as number) & 0x7f;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (at + head > data.length) break;
    const length = short < 126 ? short : short === 126 ? data.readUInt16BE(at + 2) : Number(data.readBigUInt64BE(at + 2));
    const end = at + head + length;
    if (end > data.length) break;
    frames.push({ opcode: (data[at] as number) & 0x0f, payload: data.subarray(at + head, end) });
    at = end;
  }
  return frames;
}

/** `"text"`, `<binary>`, `ping …`, `pong …` or `close 1000 …`. */
export function describeFrame({ opcode, payload }: Frame): string {
  if (opcode === Opcode.text) return JSON.stringify(payload.toString());
  if (opcode === Opcode.binary) return `<${payload.toString('latin1')}>`;
  if (opcode === Opcode.close) return `close ${payload.length === 0 ? '' : payload.readUInt16BE(0)} ${payload.subarray(2).toString()}`.trim();
  return `${opcode === Opcode.ping ? 'ping' : 'pong'} ${payload.toString()}`.trim();
}
