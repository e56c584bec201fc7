import { isUtf8 } from 'node:buffer';
import { AmqpError } from './amqp-error.ts';

/** Reads the elementary data types of section 4.2.5 from one payload. Every method throws AmqpError SYNTAX_ERROR when the bytes run out. */
export class FieldReader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  octet(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  short(): number {
    return this.#bytes.readUInt16BE(this.#advance(2));
  }

  long(): number {
    return this.#bytes.readUInt32BE(this.#advance(4));
  }

  longlong(): bigint {
    return this.#bytes.readBigUInt64BE(this.#advance(8));
  }

  /** At most 255 bytes of UTF-8. Others are refused rather than mended: what we echo must fit into 255 bytes again. */
  shortstr(): string {
    const text = this.take(this.octet());
    if (!isUtf8(text)) throw new AmqpError('SYNTAX_ERROR', 'a short string is not UTF-8');
    return text.toString('utf8');
  }

  /** A view. */
  longstr(): Buffer {
    return this.take(this.long());
  }

  /** Bits are packed into octets, the first in the lowest (section 4.2.5.2); no method has more than eight in a row. */
  bits(): (index: number) => boolean {
    const octet = this.octet();
    return (index) => (octet & (1 << index)) !== 0;
  }

  /** A view. */
  take(length: number): Buffer {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** @throws AmqpError SYNTAX_ERROR when bytes are left over */
  finish(): void {
    if (this.remaining > 0) throw new AmqpError('SYNTAX_ERROR', `${this.remaining} bytes too many in a frame`);
  }

  #advance(length: number): number {
    const start = this.#offset;
    if (length > this.#bytes.length - start) throw new AmqpError('SYNTAX_ERROR', 'a field is longer than its frame');
    this.#offset = start + length;
    return start;
  }
}
