import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HearthError } from '../errors.ts';
import { generateKey, parseKey, type SecretKey } from './cipher.ts';

export interface KeySettings {
  /** Where the key is, or is to be. */
  file: string;
  /** Used instead of the file's; empty: none. */
  key: string;
  /** The key before that one, with which secrets may still be encrypted; empty: none. */
  previousKey: string;
}

/**
 * The keys that secrets may be encrypted with. Changing the key in its file takes three steps: the new key is written beside it (`prepare`), the secrets are encrypted
 * with it in one transaction, it takes the old one's place (`adopt`). After a kill between any two of them, what the secrets are encrypted with tells
 * which key is the right one, and it is there.
 */
export interface KeyRing {
  /** The one to encrypt with. */
  readonly current: SecretKey;
  /** Others that secrets may be encrypted with: one that was prepared before a kill, one that the operator calls the previous. */
  readonly prepared: SecretKey | undefined;
  readonly previous: SecretKey | undefined;
  /** Where the current one is from, in words. */
  readonly source: string;
  /** Writes a new key beside the current one. @throws HearthError conflict when keys are the operator's to change */
  prepare(): Promise<SecretKey>;
  /** The prepared key becomes the current one. */
  adopt(): Promise<void>;
  /** A prepared key is thrown away. */
  discard(): Promise<void>;
}

/** @param mayCreate whether a new key does when there is none @throws HearthError invalid_config */
export async function openKeyRing({ file, key, previousKey }: KeySettings, mayCreate: boolean): Promise<KeyRing> {
  const nextFile = `${file}.next`;
  const previous = previousKey === '' ? undefined : fromSetting('secrets.previous_key', 'HEARTH_SECRETS_PREVIOUS_KEY', previousKey);
  if (key !== '') return fixedRing(fromSetting('secrets.key', 'HEARTH_SECRETS_KEY', key), previous);

  let current = await readKey(file);
  if (current === undefined) {
    if (!mayCreate && previous === undefined) {
      throw new HearthError(
        'invalid_config',
        `The key of the secrets, ${file}, is not there, and secrets are stored that it is needed for. Put it back, or name its place by HEARTH_SECRETS_KEY_FILE; docs/secrets.md says how to go on without it.`,
      );
    }
    await writeKey(nextFile);
    await moveKey(nextFile, file);
    current = (await readKey(file)) as SecretKey;
  }
  // Half-written when we were killed in the middle: then nothing is encrypted with it.
  let prepared = await readKey(nextFile).catch(() => undefined);
  return {
    get current() {
      return current as SecretKey;
    },
    get prepared() {
      return prepared;
    },
    previous,
    source: `the file ${file}`,
    async prepare() {
      await rm(nextFile, { force: true });
      await writeKey(nextFile);
      prepared = (await readKey(nextFile)) as SecretKey;
      return prepared;
    },
    async adopt() {
      await moveKey(nextFile, file);
      current = prepared;
      prepared = undefined;
    },
    async discard() {
      await rm(nextFile, { force: true });
      prepared = undefined;
    },
  };
}

function fixedRing(current: SecretKey, previous: SecretKey | undefined): KeyRing {
  return {
    current,
    prepared: undefined,
    previous,
    source: 'the setting secrets.key (HEARTH_SECRETS_KEY)',
    prepare: async () => {
      throw new HearthError(
        'conflict',
        'The key of the secrets comes from the setting secrets.key (HEARTH_SECRETS_KEY), which the platform can not change. Start it with the new key there and the old one in HEARTH_SECRETS_PREVIOUS_KEY: it encrypts all secrets anew.',
      );
    },
    adopt: async () => {},
    discard: async () => {},
  };
}

function fromSetting(name: string, variable: string, text: string): SecretKey {
  const key = parseKey(text);
  if (key) return key;
  throw new HearthError('invalid_config', `Configuration: ${name} (${variable}) is not 32 bytes in base64. \`openssl rand -base64 32\` makes one.`);
}

/** @returns undefined when there is no such file @throws HearthError invalid_config when it can't be used */
async function readKey(file: string): Promise<SecretKey | undefined> {
  const handle = await open(file, constants.O_RDONLY).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw new HearthError('invalid_config', `The key of the secrets, ${file}, can not be read: ${cause.message}.`, { cause });
  });
  if (handle === undefined) return undefined;
  try {
    const { mode } = await handle.stat();
    if ((mode & 0o077) !== 0) {
      throw new HearthError(
        'invalid_config',
        `The key of the secrets, ${file}, is open to other users (mode ${(mode & 0o777).toString(8).padStart(4, '0')}). If nobody has read it, run \`chmod 600 ${file}\`; if somebody may have, change the key and the secrets afterwards (docs/secrets.md).`,
      );
    }
    const key = parseKey((await handle.readFile('utf8')).trim());
    if (key) return key;
    throw new HearthError(
      'invalid_config',
      `${file} holds no key of secrets: 32 bytes in base64 are needed. Put the right file back; docs/secrets.md says how to go on without it.`,
    );
  } finally {
    await handle.close();
  }
}

/** Durably, for nobody else's eyes, and never into a file that is there. */
async function writeKey(file: string): Promise<void> {
  const handle = await open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600).catch((cause: NodeJS.ErrnoException) => {
    throw new HearthError(
      'invalid_config',
      `The key of the secrets can not be written to ${file}: ${cause.message}. Name another place by HEARTH_SECRETS_KEY_FILE.`,
      {
        cause,
      },
    );
  });
  try {
    await handle.writeFile(`${generateKey()}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function moveKey(from: string, to: string): Promise<void> {
  await rename(from, to);
  const folder = await open(dirname(to), constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
