import { open } from 'node:fs/promises';
import type { BundleBlobs } from '../../bundles/bundles.ts';
import { migratePostgres } from '../../postgres/migrate-postgres.ts';
import type { PostgresDatabase } from '../../postgres/postgres.ts';

/** Of a row; what TOAST compresses and cuts up without trouble. */
const CHUNK_BYTES = 1024 * 1024;

const MIGRATIONS = [
  {
    number: 1,
    name: 'bundles',
    sql: `
      CREATE TABLE bundles (hash TEXT PRIMARY KEY, bytes BIGINT NOT NULL, asked_at TIMESTAMPTZ NOT NULL);
      CREATE TABLE bundle_chunks (
        hash TEXT NOT NULL REFERENCES bundles ON DELETE CASCADE,
        number INTEGER NOT NULL,
        content BYTEA NOT NULL,
        PRIMARY KEY (hash, number)
      );
    `,
  },
];

export interface SharedBundles extends BundleBlobs {
  /** Deletes what `named` doesn't name and nobody has asked for within so many milliseconds. Returns how many. */
  prune(named: () => Promise<readonly string[]>, unusedMs: number): Promise<number>;
}

/** Bundle files in PostgreSQL, by their hashes, in pieces of 1 MiB. @throws HearthError store_unavailable */
export async function openBundleBlobs(db: PostgresDatabase): Promise<SharedBundles> {
  await migratePostgres(db, 'bundles', MIGRATIONS);
  /** @returns its size; undefined when there is none of that hash */
  const ask = async (hash: string): Promise<number | undefined> => {
    const { rows } = await db.query<{ bytes: number }>('UPDATE bundles SET asked_at = now() WHERE hash = $1 RETURNING bytes', [hash]);
    return rows[0]?.bytes;
  };
  return {
    async put(hash, path) {
      if ((await ask(hash)) !== undefined) return;
      await using file = await open(path);
      const { size } = await file.stat();
      await db.transaction(async (tx) => {
        // Whoever puts the same at the same time waits here, and finds it done.
        const { changes } = await tx.query('INSERT INTO bundles (hash, bytes, asked_at) VALUES ($1, $2, now()) ON CONFLICT (hash) DO NOTHING', [
          hash,
          size,
        ]);
        if (changes === 0) return;
        for (let number = 0; number * CHUNK_BYTES < size; number++) {
          const at = number * CHUNK_BYTES;
          const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size - at));
          const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
          if (bytesRead < chunk.length) throw new Error(`the file of bundle ${hash} became shorter while it was read`);
          await tx.query('INSERT INTO bundle_chunks (hash, number, content) VALUES ($1, $2, $3)', [hash, number, chunk]);
        }
      });
    },

    async fetch(hash, path) {
      const size = await ask(hash);
      if (size === undefined) return false;
      await using file = await open(path, 'wx', 0o600);
      for (let number = 0; number * CHUNK_BYTES < size; number++) {
        const { rows } = await db.query<{ content: Buffer }>('SELECT content FROM bundle_chunks WHERE hash = $1 AND number = $2', [hash, number]);
        // Deleted meanwhile: nobody names it.
        if (rows[0] === undefined) return false;
        await file.write(rows[0].content);
      }
      await file.sync();
      return true;
    },

    async prune(named, unusedMs) {
      const old = "asked_at < now() - $1 * interval '1 millisecond'";
      const { rows } = await db.query<{ hash: string }>(`SELECT hash FROM bundles WHERE ${old}`, [unusedMs]);
      if (rows.length === 0) return 0;
      // Asked after the bundles were looked at: one is there before the version that names it.
      const used = new Set(await named());
      const unused = rows.map(({ hash }) => hash).filter((hash) => !used.has(hash));
      if (unused.length === 0) return 0;
      return (await db.query(`DELETE FROM bundles WHERE hash = ANY($2) AND ${old}`, [unusedMs, unused])).changes;
    },
  };
}
