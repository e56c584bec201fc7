import { randomUUID } from 'node:crypto';
import { HearthError } from '../errors.ts';
import { migratePostgres } from '../postgres/migrate-postgres.ts';
import type { PostgresDatabase } from '../postgres/postgres.ts';
import type { KeySharing } from '../secrets/vault.ts';

/** What all nodes of one database agree on, written down by the first of them. */
export interface ClusterFacts extends KeySharing {
  /** A UUID, the same on all nodes. */
  readonly clusterId: string;
}

const MIGRATIONS = [
  {
    number: 1,
    name: 'facts',
    sql: 'CREATE TABLE cluster_facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)',
  },
];

const SECRETS_KEY = 'secrets key';

/** @throws HearthError store_unavailable */
export async function openClusterFacts(db: PostgresDatabase): Promise<ClusterFacts> {
  await migratePostgres(db, 'cluster', MIGRATIONS);

  /** The value that is there, or else this one from now on. */
  async function settle(name: string, value: string): Promise<string> {
    await db.query('INSERT INTO cluster_facts (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING', [name, value]);
    const { rows } = await db.query<{ value: string }>('SELECT value FROM cluster_facts WHERE name = $1', [name]);
    return (rows[0] as { value: string }).value;
  }

  return {
    clusterId: await settle('id', randomUUID()),
    async agree(keyId, previousId, source) {
      const known = await settle(SECRETS_KEY, keyId);
      if (known === keyId) return;
      if (known === previousId) {
        await db.query('UPDATE cluster_facts SET value = $1 WHERE name = $2 AND value = $3', [keyId, SECRETS_KEY, previousId]);
        return;
      }
      throw new HearthError(
        'invalid_config',
        `The key of the secrets from ${source} (id ${keyId}) is not the one that the other nodes at ${db.shown} have (id ${known}). Give this node the same, by HEARTH_SECRETS_KEY or HEARTH_SECRETS_KEY_FILE; to change it for all, start with the new key and the old one in HEARTH_SECRETS_PREVIOUS_KEY.`,
      );
    },
  };
}
