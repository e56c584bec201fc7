import type { StoredSecret } from '../../schemas/secret.ts';
import { secretFromRow } from '../rows/registry.ts';
import type { Database } from './database.ts';
import type { BlockingStore } from './requests.ts';

export type SecretOperations = Pick<BlockingStore, 'secrets' | 'secret' | 'putSecret' | 'deleteSecret' | 'replaceSecrets'>;

/** Ciphertexts only. What is overwritten or deleted is overwritten with zeros: it may have been encrypted with a key that was lost to somebody. */
export function secretOperations(db: Database): SecretOperations {
  function forGood<T>(work: () => T): T {
    db.statement('PRAGMA secure_delete = ON').get();
    try {
      return db.transaction('full', work);
    } finally {
      db.statement('PRAGMA secure_delete = OFF').get();
    }
  }

  function put(secret: StoredSecret): void {
    db.statement(
      'INSERT INTO secrets (name, version, key_id, nonce, sealed, updated_at) VALUES (?, ?, ?, ?, ?, ?) ' +
        'ON CONFLICT (name) DO UPDATE SET version = excluded.version, key_id = excluded.key_id, nonce = excluded.nonce, sealed = excluded.sealed, ' +
        'updated_at = excluded.updated_at',
    ).run(secret.name, secret.version, secret.keyId, secret.nonce, secret.sealed, secret.updatedAt);
  }

  return {
    secrets: () => db.statement('SELECT * FROM secrets ORDER BY name').all().map(secretFromRow),
    secret: (name) => {
      const row = db.statement('SELECT * FROM secrets WHERE name = ?').get(name);
      return row === undefined ? undefined : secretFromRow(row);
    },
    putSecret: (secret) => forGood(() => put(secret)),
    deleteSecret: (name) => forGood(() => db.statement('DELETE FROM secrets WHERE name = ?').run(name).changes === 1),
    replaceSecrets(secrets) {
      forGood(() => {
        for (const secret of secrets) put(secret);
      });
      // The write-ahead log has what the pages held before; a reader that keeps it from being emptied lets it be emptied later.
      db.statement('PRAGMA wal_checkpoint(TRUNCATE)').get();
    },
  };
}
