import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { HearthError } from '../errors.ts';
import { type ApiKey, type ApiKeyDefinition, apiKeyToken, hashSecret, KEY_ID_BYTES, KEY_SECRET_BYTES } from '../schemas/api-key.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import type { Store } from '../store/store.ts';
import { rateLimitOf } from './check-policy.ts';
import { Sequence } from './sequence.ts';

const MAX_KEYS = 1000;

export interface ApiKeysOptions {
  store: Pick<Store, 'apiKeys' | 'putApiKey' | 'deleteApiKey'>;
  /** The current version of a function. */
  get(functionName: string): FunctionVersion | undefined;
  /** Milliseconds since the epoch. */
  clock: () => number;
  /** All keys that a function has from now on. Must not throw. */
  onChanged(functionName: string, keys: readonly ApiKey[]): void;
}

/** Keys belong to a function's name: they outlive its versions and go with its deletion. In memory; the store has the same. */
export interface ApiKeys {
  /** Loads what the store has. @throws HearthError store_unavailable */
  start(): Promise<void>;
  /** By name. @throws HearthError not_found when there is no such function */
  list(functionName: string): readonly ApiKey[];
  /**
   * In force once this resolves. `token` is what a caller presents; it is not kept and can't be had again.
   * @throws HearthError not_found, conflict, invalid_request, store_unavailable
   */
  create(functionName: string, definition: ApiKeyDefinition): Promise<{ key: ApiKey; token: string; warnings: string[] }>;
  /** Nobody gets in with it once this resolves. @param key id or name @throws HearthError not_found, store_unavailable */
  revoke(functionName: string, key: string): Promise<ApiKey>;
  /** Another node has changed the function's keys. @throws HearthError store_unavailable */
  refresh(functionName: string): Promise<void>;
  /** The function is gone, and with it its keys in the store. */
  forget(functionName: string): void;
}

export function createApiKeys({ store, get, clock, onChanged }: ApiKeysOptions): ApiKeys {
  const keys = new Map<string, readonly ApiKey[]>();
  const sequence = new Sequence();

  function set(functionName: string, all: readonly ApiKey[]): void {
    keys.set(functionName, all);
    onChanged(functionName, all);
  }

  function existing(functionName: string): FunctionVersion {
    const version = get(functionName);
    if (!version) throw new HearthError('not_found', `There is no function "${functionName}".`);
    return version;
  }

  const of = (functionName: string): readonly ApiKey[] => keys.get(functionName) ?? [];

  async function refresh(functionName: string): Promise<void> {
    const stored = (await store.apiKeys(functionName)).sort(byName);
    if (!isDeepStrictEqual(stored, of(functionName))) set(functionName, stored);
  }

  async function create(functionName: string, definition: ApiKeyDefinition) {
    const version = existing(functionName);
    await refresh(functionName);
    const { name, expires_at: expiresAt = null } = definition;
    const now = clock();
    if (expiresAt !== null && expiresAt <= now) {
      const message = 'is in the past; milliseconds since 1970-01-01 UTC are meant.';
      throw new HearthError('invalid_request', `expires_at ${message}`, { extra: { errors: [{ field: 'expires_at', message }] } });
    }
    if (of(functionName).some((key) => key.name === name)) {
      throw new HearthError('conflict', `"${functionName}" has a key named "${name}" already; choose another name, or revoke that one first.`);
    }
    if (of(functionName).length >= MAX_KEYS) {
      throw new HearthError('conflict', `"${functionName}" has ${MAX_KEYS} keys, which is as many as it may have; revoke those that nobody uses.`);
    }
    const secret = randomBytes(KEY_SECRET_BYTES).toString('base64url');
    const key: ApiKey = {
      id: randomBytes(KEY_ID_BYTES).toString('hex'),
      functionName,
      name,
      secretHash: hashSecret(secret),
      rateLimit: definition.rate_limit ? rateLimitOf(definition.rate_limit) : null,
      createdAt: now,
      expiresAt,
    };
    if (!(await store.putApiKey(key))) throw new HearthError('not_found', `The function "${functionName}" was deleted in the meantime.`);
    // A deletion that came after the store's answer has cleared what is in memory, and must not be undone here.
    existing(functionName);
    set(functionName, [...of(functionName), key].sort(byName));
    const warnings = version.policy?.apiKeys
      ? []
      : [`"${functionName}" asks for no key: everybody may call it until it is registered with "access": {"api_keys": true}.`];
    return { key, token: apiKeyToken(key.id, secret), warnings };
  }

  async function revoke(functionName: string, idOrName: string): Promise<ApiKey> {
    existing(functionName);
    await refresh(functionName);
    const key = of(functionName).find(({ id }) => id === idOrName) ?? of(functionName).find(({ name }) => name === idOrName);
    if (!key) throw new HearthError('not_found', `"${functionName}" has no key "${idOrName}"; GET /functions/${functionName}/keys lists them.`);
    await store.deleteApiKey(functionName, key.id);
    set(
      functionName,
      of(functionName).filter(({ id }) => id !== key.id),
    );
    return key;
  }

  return {
    async start() {
      const byFunction = Map.groupBy(await store.apiKeys(), ({ functionName }) => functionName);
      for (const [functionName, all] of byFunction) set(functionName, all.sort(byName));
    },
    list(functionName) {
      existing(functionName);
      return of(functionName);
    },
    create: (functionName, definition) => sequence.run(functionName, () => create(functionName, definition)),
    revoke: (functionName, key) => sequence.run(functionName, () => revoke(functionName, key)),
    refresh: (functionName) => sequence.run(functionName, () => refresh(functionName)),
    forget(functionName) {
      if (keys.delete(functionName)) onChanged(functionName, []);
    },
  };
}

function byName(a: ApiKey, b: ApiKey): number {
  return a.name < b.name ? -1 : 1;
}
