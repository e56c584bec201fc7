import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * A token is `hearth_<id>_<secret>`: a prefix by which scanners of repositories know it, an id by which its record is found without trying all, and
 * 256 random bits. Hexadecimal, so that a double click selects all of it.
 */
const ID_BYTES = 8;
const SECRET_BYTES = 32;
const FORM = /^hearth_([0-9a-f]{16})_[0-9a-f]{64}$/;

export interface NewToken {
  id: string;
  /** Shown once, kept nowhere. */
  text: string;
  hash: string;
}

export function makeToken(): NewToken {
  const id = randomBytes(ID_BYTES).toString('hex');
  const text = `hearth_${id}_${randomBytes(SECRET_BYTES).toString('hex')}`;
  return { id, text, hash: hashToken(text) };
}

/** The id in a token's text; undefined when it is none of ours. */
export function idOfToken(text: string): string | undefined {
  return FORM.exec(text)?.[1];
}

/** SHA-256, hex. No slow hash is needed: nobody guesses 256 random bits, and one check must cost little. */
export function hashToken(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** In a time that tells nothing about where two hashes differ. */
export function sameHash(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(a, 'hex'), Buffer.from(b, 'hex'));
}
