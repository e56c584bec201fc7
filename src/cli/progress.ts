import { printable } from '../printable.ts';

/** Of a terminal, as far as progress needs one. */
export interface ProgressStream {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

/** What takes less is over before anybody asks. Milliseconds. */
const PATIENCE_MS = 300;
const REDRAW_MS = 200;

/**
 * A line on a terminal's standard error that says what long work is at, rewritten while it lasts and wiped out at its end. Where that is no terminal nothing is
 * written. To be disposed of, also when the work fails.
 */
export class Progress implements Disposable {
  readonly #stream: ProgressStream;
  readonly #clock: () => number;
  readonly #began: number;
  readonly #timer: NodeJS.Timeout | undefined;
  #text: string;
  #isShown = false;

  /** @param text what is done first @param clock in milliseconds */
  constructor(text: string, stream: ProgressStream = process.stderr, clock: () => number = () => performance.now()) {
    this.#text = text;
    this.#stream = stream;
    this.#clock = clock;
    this.#began = clock();
    if (stream.isTTY) this.#timer = setInterval(() => this.draw(), REDRAW_MS);
  }

  /** Whether there is anybody to be shown it: what costs to find out need not be, otherwise. */
  get isSeen(): boolean {
    return this.#stream.isTTY === true;
  }

  say(text: string): void {
    this.#text = text;
  }

  draw(): void {
    const elapsedMs = this.#clock() - this.#began;
    if (!this.isSeen || elapsedMs < PATIENCE_MS) return;
    this.#isShown = true;
    const line = `${this.#text} … ${Math.floor(elapsedMs / 1000)} s`;
    // A longer one would go on in the next row, which is not wiped out.
    this.#stream.write(`\r\u001b[K${printable(line).slice(0, (this.#stream.columns ?? 80) - 1)}`);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    if (this.#isShown) this.#stream.write('\r\u001b[K');
  }
}

/** Bytes as people read them. */
export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(0)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}
