import { createCipheriv, createDecipheriv, createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import type { StoredSecret } from '../schemas/secret.ts';

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
/** 96 bits, random: safe for 2³² encryptions with one key (NIST SP 800-38D §8.3). */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export interface SecretKey {
  /** 16 hexadecimal digits. */
  readonly id: string;
  readonly key: KeyObject;
}

/** @param text 32 bytes in base64 @returns undefined when it is something else */
export function parseKey(text: string): SecretKey | undefined {
  const bytes = Buffer.from(text, 'base64');
  // What isn't base64 is skipped by the decoder, so it is compared with what it should have been.
  if (bytes.length !== KEY_BYTES || bytes.toString('base64') !== text.trim()) return undefined;
  return { id: createHmac('sha256', bytes).update('hearth secrets key id').digest('hex').slice(0, 16), key: createSecretKey(bytes) };
}

/** A new one, as `parseKey` takes it. */
export function generateKey(): string {
  return randomBytes(KEY_BYTES).toString('base64');
}

export function seal(
  { id, key }: SecretKey,
  { name, version, updatedAt }: Omit<StoredSecret, 'keyId' | 'nonce' | 'sealed'>,
  value: string,
): StoredSecret {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(associatedData(name, version, id));
  const sealed = Buffer.concat([cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return { name, version, keyId: id, nonce, sealed, updatedAt };
}

/** @throws Error when it was changed, belongs to another name or version, or was encrypted with another key */
export function open({ id, key }: SecretKey, { name, version, nonce, sealed }: StoredSecret): string {
  const end = sealed.length - TAG_BYTES;
  if (end < 0) throw new Error('the ciphertext is too short');
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(associatedData(name, version, id));
  decipher.setAuthTag(sealed.subarray(end));
  return Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]).toString('utf8');
}

/** Binds a ciphertext to its row: one that is put into another's place doesn't open. */
function associatedData(name: string, version: number, keyId: string): Buffer {
  return Buffer.from(JSON.stringify(['hearth secret', name, version, keyId]));
}
