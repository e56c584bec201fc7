import { AmqpError } from './amqp-error.ts';
import { FieldReader } from './field-reader.ts';
import { type FieldTable, readTable } from './field-table.ts';

/** The properties of the basic class (section 1.8.1 of the generated documentation); those that weren't set are absent. */
export interface BasicProperties {
  contentType?: string;
  contentEncoding?: string;
  headers?: FieldTable;
  deliveryMode?: number;
  priority?: number;
  correlationId?: string;
  replyTo?: string;
  expiration?: string;
  messageId?: string;
  /** Seconds since 1970-01-01 UTC. */
  timestamp?: bigint;
  type?: string;
  userId?: string;
  appId?: string;
  clusterId?: string;
}

export interface ContentHeader {
  classId: number;
  /** Bytes of all body frames together. */
  bodySize: bigint;
  properties: BasicProperties;
}

/** Parses the payload of a content header frame (section 4.2.6.1). @throws AmqpError SYNTAX_ERROR, FRAME_ERROR */
export function parseContentHeader(payload: Buffer): ContentHeader {
  const reader = new FieldReader(payload);
  const classId = reader.short();
  if (reader.short() !== 0) throw new AmqpError('FRAME_ERROR', 'the weight of a content header is not zero');
  const bodySize = reader.longlong();
  const flags = reader.short();
  // Bit 0 announces another word of flags, bit 1 a fifteenth property: basic has neither.
  if ((flags & 0b11) !== 0) throw new AmqpError('SYNTAX_ERROR', 'a content header has flags that the basic class does not define');
  const properties = readProperties(reader, flags);
  reader.finish();
  return { classId, bodySize, properties };
}

function readProperties(reader: FieldReader, flags: number): BasicProperties {
  const properties: BasicProperties = {};
  if (flags & 0x8000) properties.contentType = reader.shortstr();
  if (flags & 0x4000) properties.contentEncoding = reader.shortstr();
  if (flags & 0x2000) properties.headers = readTable(reader);
  if (flags & 0x1000) properties.deliveryMode = reader.octet();
  if (flags & 0x0800) properties.priority = reader.octet();
  if (flags & 0x0400) properties.correlationId = reader.shortstr();
  if (flags & 0x0200) properties.replyTo = reader.shortstr();
  if (flags & 0x0100) properties.expiration = reader.shortstr();
  if (flags & 0x0080) properties.messageId = reader.shortstr();
  if (flags & 0x0040) properties.timestamp = reader.longlong();
  if (flags & 0x0020) properties.type = reader.shortstr();
  if (flags & 0x0010) properties.userId = reader.shortstr();
  if (flags & 0x0008) properties.appId = reader.shortstr();
  if (flags & 0x0004) properties.clusterId = reader.shortstr();
  return properties;
}
