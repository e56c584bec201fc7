import type { Queryable } from '../../postgres/postgres.ts';
import type { StoredSecret } from '../../schemas/secret.ts';
import { keyFromRow, secretFromRow, splitFromRow } from '../rows/registry.ts';
import type { Store } from '../store.ts';
import type { Registry } from './registry.ts';

type RegistryOperations = Pick<
  Store,
  | 'trafficSplits'
  | 'putTrafficSplit'
  | 'deleteTrafficSplit'
  | 'apiKeys'
  | 'putApiKey'
  | 'deleteApiKey'
  | 'secrets'
  | 'secret'
  | 'putSecret'
  | 'deleteSecret'
  | 'replaceSecrets'
>;

/** What nodes have in memory besides versions: traffic splits, API keys and secrets (ciphertexts only). */
export function registryOperations(db: Queryable, registry: Registry): RegistryOperations {
  async function put(tx: Queryable, { name, version, keyId, nonce, sealed, updatedAt }: StoredSecret): Promise<void> {
    await tx.query(
      'INSERT INTO secrets (name, version, key_id, nonce, sealed, updated_at) VALUES ($1, $2, $3, $4, $5, $6) ' +
        'ON CONFLICT (name) DO UPDATE SET version = excluded.version, key_id = excluded.key_id, nonce = excluded.nonce, sealed = excluded.sealed, ' +
        'updated_at = excluded.updated_at',
      [name, version, keyId, nonce, sealed, updatedAt],
    );
  }

  return {
    async trafficSplits() {
      return (await db.query('SELECT * FROM traffic_splits ORDER BY function_name', [])).rows.map(splitFromRow);
    },
    putTrafficSplit: (split) =>
      registry.change(async (tx, changed) => {
        await tx.query(
          'INSERT INTO traffic_splits (function_name, weights, sticky_header, rollback_on, state, rolled_back, created_at) ' +
            'VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (function_name) DO UPDATE SET weights = excluded.weights, ' +
            'sticky_header = excluded.sticky_header, rollback_on = excluded.rollback_on, state = excluded.state, rolled_back = excluded.rolled_back, ' +
            'created_at = excluded.created_at',
          [
            split.functionName,
            JSON.stringify(split.weights),
            split.stickyHeader,
            split.rollbackOn && JSON.stringify(split.rollbackOn),
            split.state,
            split.rolledBack && JSON.stringify(split.rolledBack),
            split.createdAt,
          ],
        );
        changed('function', split.functionName);
      }),
    deleteTrafficSplit: (functionName) =>
      registry.change(async (tx, changed) => {
        const { changes } = await tx.query('DELETE FROM traffic_splits WHERE function_name = $1', [functionName]);
        if (changes === 1) changed('function', functionName);
        return changes === 1;
      }),

    async apiKeys(functionName) {
      const { rows } = await db.query('SELECT * FROM api_keys WHERE $1::text IS NULL OR function_name = $1 ORDER BY function_name, name', [
        functionName ?? null,
      ]);
      return rows.map(keyFromRow);
    },
    putApiKey: (key) =>
      registry.change(async (tx, changed) => {
        const { changes } = await tx.query('SELECT 1 FROM functions WHERE name = $1', [key.functionName]);
        if (changes === 0) return false;
        await tx.query(
          'INSERT INTO api_keys (id, function_name, name, secret_hash, rate_limit, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)',
          [key.id, key.functionName, key.name, key.secretHash, key.rateLimit && JSON.stringify(key.rateLimit), key.createdAt, key.expiresAt],
        );
        changed('api_keys', key.functionName);
        return true;
      }),
    deleteApiKey: (functionName, id) =>
      registry.change(async (tx, changed) => {
        const { changes } = await tx.query('DELETE FROM api_keys WHERE function_name = $1 AND id = $2', [functionName, id]);
        if (changes === 1) changed('api_keys', functionName);
        return changes === 1;
      }),

    async secrets() {
      return (await db.query('SELECT * FROM secrets ORDER BY name', [])).rows.map(secretFromRow);
    },
    async secret(name) {
      return (await db.query('SELECT * FROM secrets WHERE name = $1', [name])).rows.map(secretFromRow)[0];
    },
    putSecret: (secret) =>
      registry.change(async (tx, changed) => {
        await put(tx, secret);
        changed('secret', secret.name);
      }),
    deleteSecret: (name) =>
      registry.change(async (tx, changed) => {
        const { changes } = await tx.query('DELETE FROM secrets WHERE name = $1', [name]);
        if (changes === 1) changed('secret', name);
        return changes === 1;
      }),
    replaceSecrets: (secrets) =>
      registry.change(async (tx, changed) => {
        for (const secret of secrets) {
          await put(tx, secret);
          changed('secret', secret.name);
        }
      }),
  };
}
