import { Type } from 'typebox';

/** The name of an environment variable, which is what a secret becomes. */
export const SecretName = Type.String({
  pattern: '^[A-Za-z_][A-Za-z0-9_]{0,127}$',
  description: 'Letters, digits and `_`, not beginning with a digit; at most 128 characters.',
  examples: ['DB_PASSWORD'],
});

/** A secret as it is kept: encrypted with AES-256-GCM (NIST SP 800-38D). */
export interface StoredSecret {
  readonly name: string;
  /** Counts up from 1 with each new value; begins anew after a deletion. */
  readonly version: number;
  /** Tells keys apart, and nothing about them. */
  readonly keyId: string;
  /** 12 bytes, random for each encryption. */
  readonly nonce: Uint8Array;
  /** The ciphertext, and the tag of 16 bytes behind it. */
  readonly sealed: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly updatedAt: number;
}
