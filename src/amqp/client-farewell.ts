const PROTOCOL_HEADER_BYTES = 8;
const FRAME_HEADER_BYTES = 7;
/** Class and method ids, as a method frame's payload begins with them. */
const CONNECTION_OPEN = 0x000a_0028;
const CONNECTION_CLOSE = 0x000a_0032;
const CONNECTION_CLOSE_OK = 0x000a_0033;

/** connection.close 200 with empty text on channel 0. */
const CLOSE_FRAME = Buffer.from([1, 0, 0, 0, 0, 0, 11, 0, 10, 0, 50, 0, 200, 0, 0, 0, 0, 0, 0xce]);
const NOTHING = Buffer.alloc(0);

/**
 * Follows what an AMQP client sends to a broker, only so far as to say goodbye for one that leaves without it. A broker that sees a connection break off may throw
 * away what it has read and not yet dealt with, a publish that an exiting script sent last for example; one that is told `connection.close` deals with it first.
 */
export class ClientFarewell {
  /** Of the protocol header, a frame's header or the rest of a frame: until the next boundary. */
  #skip = PROTOCOL_HEADER_BYTES;
  #header = Buffer.alloc(FRAME_HEADER_BYTES + 4);
  #headerBytes = 0;
  #opened = false;
  #saidClose = false;

  observe(chunk: Buffer): void {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - offset);
        this.#skip -= skipped;
        offset += skipped;
        continue;
      }
      const wanted = this.#headerBytes < FRAME_HEADER_BYTES ? FRAME_HEADER_BYTES : this.#header.length;
      const taken = chunk.copy(this.#header, this.#headerBytes, offset, offset + wanted - this.#headerBytes);
      this.#headerBytes += taken;
      offset += taken;
      this.#look();
    }
  }

  /** @returns what is to be sent before the broker's end is waited for; null: nothing can be said, and the connection is to be ended */
  farewell(): Buffer | null {
    if (this.#saidClose) return NOTHING;
    return this.#opened && this.#skip === 0 && this.#headerBytes === 0 ? CLOSE_FRAME : null;
  }

  #look(): void {
    if (this.#headerBytes < FRAME_HEADER_BYTES) return;
    const size = this.#header.readUInt32BE(3);
    const isMethodOfConnection = this.#header[0] === 1 && this.#header.readUInt16BE(1) === 0 && size >= 4;
    if (isMethodOfConnection && this.#headerBytes < this.#header.length) return;
    if (isMethodOfConnection) {
      const method = this.#header.readUInt32BE(FRAME_HEADER_BYTES);
      if (method === CONNECTION_OPEN) this.#opened = true;
      if (method === CONNECTION_CLOSE || method === CONNECTION_CLOSE_OK) this.#saidClose = true;
    }
    // The rest of the payload, and the byte at the frame's end.
    this.#skip = size + 1 - (this.#headerBytes - FRAME_HEADER_BYTES);
    this.#headerBytes = 0;
  }
}
