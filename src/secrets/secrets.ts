/**
 * What functions must know and nobody else: values by name, encrypted at rest. A value leaves by `reveal` only, towards the sandbox of a function that
 * names it.
 */
export interface Secrets {
  /**
   * Sets a value. `changed` is false when it was that already; then nothing happens.
   * @throws HearthError invalid_request, store_unavailable
   */
  put(name: string, value: string): Promise<{ secret: SecretInfo; changed: boolean }>;
  /** Whether there was one. @throws HearthError store_unavailable */
  remove(name: string): Promise<boolean>;
  /** Another node has set, replaced or deleted it: from now on it is what the store has. @throws HearthError store_unavailable */
  refresh(name: string): Promise<void>;
  /** By name, without values. */
  list(): readonly SecretInfo[];
  has(name: string): boolean;
  /** The value; undefined when there is no such secret. @throws HearthError secret_unreadable */
  reveal(name: string): string | undefined;
  /**
   * Makes a new key, and encrypts all secrets anew with it: all or none.
   * @returns how many there are @throws HearthError conflict when the key is not ours to replace; secret_unreadable, store_unavailable
   */
  rotateKey(): Promise<{ keyId: string; secrets: number }>;
}

export interface SecretInfo {
  name: string;
  /** Counts up from 1 with each new value. */
  version: number;
  /** Milliseconds since the epoch. */
  updatedAt: number;
}
