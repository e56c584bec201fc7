/**
 * What the event loop hands to the log's thread: records one after another in a buffer, which changes hands as it is. A record is a head of 24 bytes (kind,
 * length of the correlation id, number of the source, time, length of the payload, all big-endian), the correlation id, the payload.
 */

const HEAD_BYTES = 24;

/** What a record says. */
export const RecordKind = {
  /** Bytes of standard output. */
  Stdout: 0,
  /** Bytes of standard error. */
  Stderr: 1,
  /** What the platform has to say: JSON `{level, message, fields}`. */
  Said: 2,
  /** Nothing more comes of that call. */
  CallEnd: 3,
  /** Who a source is: JSON of a `SourceDescription`. Comes before everything else of it, and again when that has changed. */
  Source: 4,
  /** Nothing more comes of that source. */
  SourceEnd: 5,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

/** One instance of a function version. */
export interface SourceDescription {
  functionName: string;
  version: number;
  instanceId: string;
  /** Values that are to be masked. */
  secrets: readonly string[];
}

export interface OutputRecord {
  kind: RecordKind;
  source: number;
  /** Milliseconds since the epoch. */
  time: number;
  /** Empty: of no call. */
  correlationId: string;
  /** A view. */
  payload: Buffer;
}

/** Bytes that a record takes, at most. */
export function recordBytes(correlationId: string, payloadBytes: number): number {
  return HEAD_BYTES + 3 * correlationId.length + payloadBytes;
}

/** Writes a record for which there is room. @returns where the next one begins */
export function putRecord(
  buffer: Buffer,
  offset: number,
  kind: RecordKind,
  source: number,
  time: number,
  correlationId: string,
  payload: Uint8Array | null,
): number {
  const idBytes = correlationId === '' ? 0 : buffer.write(correlationId, offset + HEAD_BYTES);
  buffer.writeUInt8(kind, offset);
  buffer.writeUInt16BE(idBytes, offset + 2);
  buffer.writeUInt32BE(source, offset + 4);
  buffer.writeDoubleBE(time, offset + 8);
  buffer.writeUInt32BE(payload?.length ?? 0, offset + 16);
  const end = offset + HEAD_BYTES + idBytes;
  if (payload === null) return end;
  buffer.set(payload, end);
  return end + payload.length;
}

/** The records of a buffer, in the order in which they were written. */
export function* readRecords(buffer: Buffer, length: number): Generator<OutputRecord> {
  for (let offset = 0; offset < length; ) {
    const idBytes = buffer.readUInt16BE(offset + 2);
    const payloadBytes = buffer.readUInt32BE(offset + 16);
    const payloadAt = offset + HEAD_BYTES + idBytes;
    yield {
      kind: buffer.readUInt8(offset) as RecordKind,
      source: buffer.readUInt32BE(offset + 4),
      time: buffer.readDoubleBE(offset + 8),
      correlationId: buffer.toString('utf8', offset + HEAD_BYTES, payloadAt),
      payload: buffer.subarray(payloadAt, payloadAt + payloadBytes),
    };
    offset = payloadAt + payloadBytes;
  }
}
