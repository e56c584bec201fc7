import { createMask, type Mask } from '../../secrets/mask.ts';

/**
 * Masks values in a text that comes in pieces: what may be the beginning of one is held back until it is known what it is. A value of several lines is found
 * too, since lines are made afterwards.
 */
export class StreamingMask {
  readonly #mask: Mask;
  readonly #values: readonly { text: string; borders: Int32Array }[];
  #held = '';

  /** @param values each of the length that `createMask` looks for @param mask of these values */
  constructor(values: readonly string[], mask: Mask) {
    this.#mask = mask;
    this.#values = values.map((text) => ({ text, borders: bordersOf(text) }));
  }

  /** @returns what can be shown by now */
  push(piece: string): string {
    const text = this.#held + piece;
    let cut = text.length;
    for (const { text: value, borders } of this.#values) cut = Math.min(cut, text.length - overlap(text, value, borders));
    cut = this.#beforeStraddling(text, cut);
    this.#held = text.slice(cut);
    return this.#mask(text.slice(0, cut));
  }

  /** What was held back and has come to nothing. */
  end(): string {
    const held = this.#mask(this.#held);
    this.#held = '';
    return held;
  }

  /** A whole value that the cut would part is held back too. */
  #beforeStraddling(text: string, cut: number): number {
    if (cut === text.length) return cut;
    for (const { text: value } of this.#values) {
      const at = text.indexOf(value, Math.max(0, cut - value.length + 1));
      if (at >= 0 && at < cut) return this.#beforeStraddling(text, at);
    }
    return cut;
  }
}

/** Undefined when no value is to be masked. */
export function maskOf(secrets: readonly string[]): { mask: Mask; values: readonly string[] } | undefined {
  const values = secrets.filter((value) => createMask([value]) !== undefined);
  const mask = createMask(values);
  return mask && { mask, values };
}

/** For each length of a beginning of the text, how much of its end is a shorter beginning: the failure function of Knuth, Morris and Pratt (1977). */
function bordersOf(text: string): Int32Array {
  const borders = new Int32Array(text.length + 1);
  for (let i = 1, length = 0; i < text.length; i++) {
    while (length > 0 && text[i] !== text[length]) length = borders[length] as number;
    if (text[i] === text[length]) length++;
    borders[i + 1] = length;
  }
  return borders;
}

/** How many characters at the end of a text are the beginning of a value, which isn't in it as a whole. */
function overlap(text: string, value: string, borders: Int32Array): number {
  let length = 0;
  for (let i = Math.max(0, text.length - value.length + 1); i < text.length; i++) {
    while (length > 0 && text[i] !== value[length]) length = borders[length] as number;
    if (text[i] === value[length]) length++;
  }
  return length;
}
