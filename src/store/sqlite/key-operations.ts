import { keyFromRow } from '../rows/registry.ts';
import type { Database } from './database.ts';
import type { BlockingStore } from './requests.ts';

export type KeyOperations = Pick<BlockingStore, 'apiKeys' | 'putApiKey' | 'deleteApiKey'>;

export function keyOperations(db: Database): KeyOperations {
  return {
    apiKeys: (functionName) =>
      (functionName === undefined
        ? db.statement('SELECT * FROM api_keys ORDER BY function_name, name').all()
        : db.statement('SELECT * FROM api_keys WHERE function_name = ? ORDER BY name').all(functionName)
      ).map(keyFromRow),

    putApiKey: (key) =>
      db.transaction('full', () => {
        if (db.statement('SELECT 1 FROM functions WHERE name = ?').get(key.functionName) === undefined) return false;
        db.statement(
          'INSERT INTO api_keys (id, function_name, name, secret_hash, rate_limit, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
        ).run(key.id, key.functionName, key.name, key.secretHash, key.rateLimit && JSON.stringify(key.rateLimit), key.createdAt, key.expiresAt);
        return true;
      }),

    deleteApiKey: (functionName, id) =>
      db.transaction('full', () => db.statement('DELETE FROM api_keys WHERE function_name = ? AND id = ?').run(functionName, id).changes === 1),
  };
}
