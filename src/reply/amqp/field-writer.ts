/** Values that our own server properties need. */
export type WritableTable = { readonly [name: string]: string | boolean | WritableTable };

/** Gathers the fields of one method (section 4.2.5). */
export class FieldWriter {
  readonly #parts: Buffer[] = [];

  octet(value: number): this {
    return this.#add(Buffer.of(value));
  }

  short(value: number): this {
    const bytes = Buffer.allocUnsafe(2);
    bytes.writeUInt16BE(value);
    return this.#add(bytes);
  }

  long(value: number): this {
    const bytes = Buffer.allocUnsafe(4);
    bytes.writeUInt32BE(value);
    return this.#add(bytes);
  }

  longlong(value: number): this {
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeBigUInt64BE(BigInt(value));
    return this.#add(bytes);
  }

  /** Text beyond 255 bytes of UTF-8 is cut, between characters. */
  shortstr(text: string): this {
    const bytes = Buffer.allocUnsafe(256);
    const length = bytes.write(text, 1, 255, 'utf8');
    bytes[0] = length;
    return this.#add(bytes.subarray(0, length + 1));
  }

  longstr(text: string): this {
    return this.#addLong(Buffer.from(text, 'utf8'));
  }

  table(fields: WritableTable): this {
    const writer = new FieldWriter();
    for (const [name, value] of Object.entries(fields)) {
      writer.shortstr(name);
      if (typeof value === 'string') writer.octet('S'.charCodeAt(0)).longstr(value);
      else if (typeof value === 'boolean') writer.octet('t'.charCodeAt(0)).octet(value ? 1 : 0);
      else writer.octet('F'.charCodeAt(0)).table(value);
    }
    return this.#addLong(writer.toBuffer());
  }

  toBuffer(): Buffer {
    const [only] = this.#parts;
    return this.#parts.length === 1 && only !== undefined ? only : Buffer.concat(this.#parts);
  }

  #addLong(bytes: Buffer): this {
    return this.long(bytes.length).#add(bytes);
  }

  #add(bytes: Buffer): this {
    this.#parts.push(bytes);
    return this;
  }
}
