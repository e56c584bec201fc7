import { HearthError } from '../../errors.ts';
import type { Queryable } from '../../postgres/postgres.ts';
import { entryFromRow, tokenFromRow } from '../rows/access.ts';
import type { Store } from '../store.ts';
import { bounded, inChunks } from './sql.ts';

type AccessOperations = Pick<
  Store,
  'tokens' | 'token' | 'putToken' | 'touchToken' | 'deleteToken' | 'beginAudit' | 'endAudit' | 'audit' | 'pruneAudit'
>;

const MAX_ROWS = 1000;
const PRUNE_CHUNK = 2000;

/** Tokens and the audit log. */
export function accessOperations(db: Queryable): AccessOperations {
  return {
    async tokens() {
      return (await db.query('SELECT * FROM tokens ORDER BY created_at, id', [])).rows.map(tokenFromRow);
    },
    async token(id) {
      return (await db.query('SELECT * FROM tokens WHERE id = $1', [id])).rows.map(tokenFromRow)[0];
    },
    async putToken(token) {
      const { changes } = await db.query(
        'INSERT INTO tokens (id, name, role, hash, created_at, expires_at, last_used_at) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO NOTHING',
        [token.id, token.name, token.role, token.hash, token.createdAt, token.expiresAt, token.lastUsedAt],
      );
      if (changes === 0) {
        throw new HearthError('conflict', `There is a token named ${token.name} already; revoke it first, or choose another name.`);
      }
    },
    async touchToken(id, at) {
      await db.query('UPDATE tokens SET last_used_at = $2 WHERE id = $1', [id, at]);
    },
    async deleteToken(id) {
      return (await db.query('DELETE FROM tokens WHERE id = $1', [id])).changes === 1;
    },

    async beginAudit(entry) {
      const { rows } = await db.query<{ id: number }>(
        'INSERT INTO audit_log (at, token_id, actor, address, method, route, subject) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id',
        [entry.at, entry.tokenId, entry.actor, entry.address, entry.method, entry.route, entry.subject],
      );
      return (rows[0] as { id: number }).id;
    },
    async endAudit(id, status, version) {
      await db.query('UPDATE audit_log SET status = $2, version = $3 WHERE id = $1', [id, status, version]);
    },
    async audit({ since, before, limit }) {
      const { rows } = await db.query('SELECT * FROM audit_log WHERE at >= $1 AND id < $2 ORDER BY id DESC LIMIT $3', [
        since ?? 0,
        before ?? Number.MAX_SAFE_INTEGER,
        bounded(limit, MAX_ROWS),
      ]);
      return rows.map(entryFromRow);
    },
    pruneAudit: (before) =>
      inChunks(async () => {
        const sql = `DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE at < $1 ORDER BY at LIMIT ${PRUNE_CHUNK} FOR UPDATE SKIP LOCKED)`;
        return (await db.query(sql, [before])).changes;
      }),
  };
}
