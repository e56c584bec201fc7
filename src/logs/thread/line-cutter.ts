import { StringDecoder } from 'node:string_decoder';
import type { StreamingMask } from './streaming-mask.ts';

/** From the bytes of one stream to its lines, without their ends; empty ones are left out. Holds one line at most, of a bounded length. */
export class LineCutter {
  readonly #maxChars: number;
  readonly #mask: StreamingMask | undefined;
  readonly #onLine: (text: string) => void;
  readonly #decoder = new StringDecoder('utf8');
  #line = '';
  /** Characters of the line that were left out for its length. */
  #cut = 0;

  constructor(maxChars: number, mask: StreamingMask | undefined, onLine: (text: string) => void) {
    this.#maxChars = maxChars;
    this.#mask = mask;
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    const text = this.#decoder.write(chunk);
    this.#take(this.#mask ? this.#mask.push(text) : text);
  }

  /** Nothing more comes: what has no end yet is a line. */
  end(): void {
    const text = this.#decoder.end();
    if (this.#mask) {
      this.#take(this.#mask.push(text));
      this.#take(this.#mask.end());
    } else this.#take(text);
    this.#finish();
  }

  #take(text: string): void {
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      this.#add(text.slice(start, end));
      this.#finish();
      start = end + 1;
    }
    this.#add(start === 0 ? text : text.slice(start));
  }

  #add(part: string): void {
    const room = this.#maxChars - this.#line.length;
    this.#line += part.length > room ? part.slice(0, room) : part;
    this.#cut += Math.max(0, part.length - room);
  }

  #finish(): void {
    const line = this.#cut > 0 ? `${this.#line} … ${this.#cut} characters more` : this.#line.replace(/\r$/, '');
    this.#line = '';
    this.#cut = 0;
    if (line !== '') this.#onLine(line);
  }
}
