import { isUtf8 } from 'node:buffer';
import { AmqpError } from './amqp-error.ts';
import { FieldReader } from './field-reader.ts';

/** Names and values in the order in which they came; names may repeat. */
export interface FieldTable {
  readonly fields: readonly (readonly [name: string, value: FieldValue])[];
}

type FieldValue = string | number | bigint | boolean | null | Buffer | Date | readonly FieldValue[] | FieldTable;

/** Tables within tables: far more than messages have, and far less than a stack takes. */
const MAX_DEPTH = 16;

/** A field table (section 4.2.5.5). @throws AmqpError SYNTAX_ERROR */
export function readTable(reader: FieldReader, depth = 0): FieldTable {
  const inner = within(reader, depth);
  const fields: [string, FieldValue][] = [];
  while (inner.remaining > 0) fields.push([inner.shortstr(), readValue(inner, depth)]);
  return { fields };
}

function readArray(reader: FieldReader, depth: number): FieldValue[] {
  const inner = within(reader, depth);
  const values: FieldValue[] = [];
  while (inner.remaining > 0) values.push(readValue(inner, depth));
  return values;
}

function within(reader: FieldReader, depth: number): FieldReader {
  if (depth > MAX_DEPTH) throw new AmqpError('SYNTAX_ERROR', `tables are nested deeper than ${MAX_DEPTH}`);
  return new FieldReader(reader.longstr());
}

/**
 * Type tags as RabbitMQ and its clients use them, which differ from the specification's table in `s` (a 16-bit integer), `l` (signed) and `x` (bytes):
 * https://www.rabbitmq.com/amqp-0-9-1-errata, section 3.
 */
function readValue(reader: FieldReader, depth: number): FieldValue {
  const tag = String.fromCharCode(reader.octet());
  switch (tag) {
    case 't':
      return reader.octet() !== 0;
    case 'b':
      return reader.take(1).readInt8();
    case 'B':
      return reader.octet();
    case 's':
    case 'U':
      return reader.take(2).readInt16BE();
    case 'u':
      return reader.short();
    case 'I':
      return reader.take(4).readInt32BE();
    case 'i':
      return reader.long();
    case 'l':
    case 'L':
      return reader.take(8).readBigInt64BE();
    case 'f':
      return reader.take(4).readFloatBE();
    case 'd':
      return reader.take(8).readDoubleBE();
    case 'D': {
      const scale = reader.octet();
      return reader.take(4).readInt32BE() / 10 ** scale;
    }
    case 'S': {
      const text = reader.longstr();
      return isUtf8(text) ? text.toString('utf8') : Buffer.from(text);
    }
    case 'x':
      return Buffer.from(reader.longstr());
    case 'A':
      return readArray(reader, depth + 1);
    case 'T':
      return new Date(Number(reader.longlong()) * 1000);
    case 'F':
      return readTable(reader, depth + 1);
    case 'V':
      return null;
    default:
      throw new AmqpError('SYNTAX_ERROR', 'a table has a value of an unknown type');
  }
}
