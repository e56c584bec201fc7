import { HearthError } from '../errors.ts';
import { Sequence } from '../registry/sequence.ts';
import type { StoredSecret } from '../schemas/secret.ts';
import type { Store } from '../store/store.ts';
import { open, type SecretKey, seal } from './cipher.ts';
import { type KeyRing, type KeySettings, openKeyRing } from './key-ring.ts';
import type { SecretInfo, Secrets } from './secrets.ts';

const MAX_VALUE_BYTES = 64 * 1024;

export interface VaultParts {
  store: Pick<Store, 'secrets' | 'secret' | 'putSecret' | 'deleteSecret' | 'replaceSecrets'>;
  keys: KeySettings;
  /** Of nodes that share the store; when left out, nobody else has it. */
  sharing?: KeySharing | undefined;
  /** A value was set, replaced or deleted. Must not throw. */
  onChanged(name: string): void;
  /** Milliseconds since the epoch. */
  clock: () => number;
  log: { info(fields: object, message: string): void; error(fields: object, message: string): void };
}

/** How nodes see to it that they have the same key. */
export interface KeySharing {
  /**
   * Notes with which key the nodes' secrets are encrypted, or compares. Called before any secret is encrypted.
   * @param previousId of the key that the operator says was the one before @throws HearthError invalid_config when it is another; store_unavailable
   */
  agree(keyId: string, previousId: string | undefined, source: string): Promise<void>;
}

/**
 * Opens what the store has. In memory as on disk, secrets are ciphertexts; each value is decrypted when a function is loaded with it.
 * @throws HearthError invalid_config when the key is missing, open to others, or not the one that the secrets are encrypted with; store_unavailable
 */
export async function openVault({ store, keys, sharing, onChanged, clock, log }: VaultParts): Promise<Secrets> {
  const stored = await store.secrets();
  // A key that this node made by itself would be nobody else's.
  const ring = await openKeyRing(keys, stored.length === 0 && sharing === undefined);
  await sharing?.agree(ring.current.id, ring.previous?.id, ring.source);
  const secrets = new Map((await settle(ring, stored, store, log)).map((secret) => [secret.name, secret]));
  /** Changes of all secrets one after another: a value that is set while the key changes would be left with the old one. */
  const sequence = new Sequence();
  const inTurn = <T>(task: () => Promise<T>): Promise<T> => sequence.run('', task);

  for (const secret of secrets.values()) {
    try {
      unseal(ring.current, secret);
    } catch (error) {
      log.error({ err: error }, 'a secret can not be read; functions that name it can not be started');
    }
  }

  function reveal(name: string): string | undefined {
    const secret = secrets.get(name);
    return secret && unseal(ring.current, secret);
  }

  async function refresh(name: string): Promise<void> {
    const stored = await store.secret(name);
    const before = secrets.get(name);
    if (stored === undefined) {
      if (secrets.delete(name)) onChanged(name);
      return;
    }
    const isSame = before !== undefined && before.version === stored.version && before.updatedAt === stored.updatedAt;
    const { current, previous } = ring;
    if (stored.keyId === current.id) secrets.set(name, stored);
    else if (stored.keyId === previous?.id) secrets.set(name, seal(current, stored, unseal(previous, stored)));
    else if (!isSame) throw ofAnotherKey(stored, ring);
    // A node that was started with the next key has encrypted it anew; the value that is here is the same.
    if (!isSame) onChanged(name);
  }

  async function put(name: string, value: string): Promise<{ secret: SecretInfo; changed: boolean }> {
    if (sharing !== undefined) await refresh(name);
    const before = secrets.get(name);
    if (before && readable(ring.current, before) === value) return { secret: infoOf(before), changed: false };
    const secret = seal(ring.current, { name, version: (before?.version ?? 0) + 1, updatedAt: clock() }, value);
    await store.putSecret(secret);
    secrets.set(name, secret);
    onChanged(name);
    return { secret: infoOf(secret), changed: true };
  }

  async function rotateKey(): Promise<{ keyId: string; secrets: number }> {
    if (sharing !== undefined) throw notByOneNode();
    // Before a new key is there: one that can't be read would be lost with the old one.
    const values = [...secrets.values()].map((secret) => [secret, unseal(ring.current, secret)] as const);
    const key = await ring.prepare();
    const renewed = values.map(([secret, value]) => seal(key, secret, value));
    await store.replaceSecrets(renewed);
    await ring.adopt();
    for (const secret of renewed) secrets.set(secret.name, secret);
    log.info({ key: key.id, secrets: renewed.length }, 'the key of the secrets was changed');
    return { keyId: key.id, secrets: renewed.length };
  }

  return {
    async put(name, value) {
      checkValue(value);
      return inTurn(() => put(name, value));
    },
    remove: (name) =>
      inTurn(async () => {
        const existed = await store.deleteSecret(name);
        if (secrets.delete(name)) onChanged(name);
        return existed;
      }),
    refresh: (name) => inTurn(() => refresh(name)),
    list: () => [...secrets.values()].map(infoOf).sort((a, b) => (a.name < b.name ? -1 : 1)),
    has: (name) => secrets.has(name),
    reveal,
    rotateKey: () => inTurn(rotateKey),
  };
}

/** Finds out which key the secrets are encrypted with, and sees to it that it is the current one. @returns the secrets under that key */
async function settle(
  ring: KeyRing,
  stored: StoredSecret[],
  store: Pick<VaultParts['store'], 'replaceSecrets'>,
  log: VaultParts['log'],
): Promise<StoredSecret[]> {
  const { current, prepared, previous } = ring;
  if (prepared && stored.length > 0 && stored.every(({ keyId }) => keyId === prepared.id)) {
    await ring.adopt();
    log.info({ key: prepared.id }, 'a change of the key of the secrets, which was cut off, is completed');
    return stored;
  }
  const byId = new Map([previous, prepared, current].filter((key) => key !== undefined).map((key) => [key.id, key]));
  const strangers = stored.filter(({ keyId }) => !byId.has(keyId));
  if (strangers.length > 0) {
    throw new HearthError(
      'invalid_config',
      `The key of the secrets from ${ring.source} (id ${current.id}) is not the one that they are encrypted with: ${namesOf(strangers)} ${strangers.length === 1 ? 'needs' : 'need'} the key with the id ${strangers[0]?.keyId}. Give the right key; docs/secrets.md says how to change it, and how to go on without it.`,
    );
  }
  const outdated = stored.filter(({ keyId }) => keyId !== current.id);
  const renewed = outdated.map((secret) => seal(current, secret, unseal(byId.get(secret.keyId) as SecretKey, secret)));
  if (renewed.length > 0) {
    await store.replaceSecrets(renewed);
    log.info({ key: current.id, secrets: renewed.length }, 'secrets that were encrypted with another key are encrypted with the current one');
  }
  await ring.discard();
  return [...stored.filter(({ keyId }) => keyId === current.id), ...renewed];
}

function ofAnotherKey({ name, keyId }: StoredSecret, { current, source }: KeyRing): HearthError {
  return new HearthError(
    'secret_unreadable',
    `The secret ${name} was set by a node that has another key (id ${keyId}) than this one (id ${current.id}, from ${source}). Restart this node with that key; docs/cluster.md says how keys of a cluster are changed.`,
  );
}

function notByOneNode(): HearthError {
  return new HearthError(
    'conflict',
    'One node of a cluster can not change the key of the secrets for the others. Restart the nodes, one after another, with the new key in HEARTH_SECRETS_KEY and the old one in HEARTH_SECRETS_PREVIOUS_KEY: the first of them encrypts all secrets anew.',
  );
}

/** @throws HearthError secret_unreadable */
function unseal(key: SecretKey, secret: StoredSecret): string {
  try {
    return open(key, secret);
  } catch (cause) {
    throw new HearthError(
      'secret_unreadable',
      `The secret ${secret.name} can not be decrypted: it was damaged or changed outside the platform. Set it again: \`hearth secrets set ${secret.name}\`.`,
      { cause },
    );
  }
}

/** Undefined when it can't be read, which a new value mends. */
function readable(key: SecretKey, secret: StoredSecret): string | undefined {
  try {
    return open(key, secret);
  } catch {
    return undefined;
  }
}

/** As every function can have it in its environment. The value itself stands in no message. @throws HearthError invalid_request */
function checkValue(value: string): void {
  const message =
    Buffer.byteLength(value) > MAX_VALUE_BYTES
      ? `a secret has at most ${MAX_VALUE_BYTES} bytes as UTF-8.`
      : value.includes('\0') || !value.isWellFormed()
        ? 'a secret is a text without NUL characters and lone surrogates; encode other data as base64.'
        : undefined;
  if (message !== undefined) throw new HearthError('invalid_request', `value: ${message}`, { extra: { errors: [{ field: 'value', message }] } });
}

function infoOf({ name, version, updatedAt }: StoredSecret): SecretInfo {
  return { name, version, updatedAt };
}

function namesOf(secrets: readonly StoredSecret[]): string {
  const names = secrets.slice(0, 3).map(({ name }) => name);
  return names.join(', ') + (secrets.length > names.length ? ` and ${secrets.length - names.length} more` : '');
}
