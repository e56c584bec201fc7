import { HearthError } from '../../errors.ts';
import { entryFromRow, tokenFromRow } from '../rows/access.ts';
import type { Database } from './database.ts';
import type { BlockingStore } from './requests.ts';

export type AccessOperations = Pick<
  BlockingStore,
  'tokens' | 'token' | 'putToken' | 'touchToken' | 'deleteToken' | 'beginAudit' | 'endAudit' | 'audit' | 'pruneAudit'
>;

const MAX_ROWS = 1000;
/** Rows that one `pruneAudit` deletes, so that no other request waits long behind it. */
const PRUNE_CHUNK = 2000;

/** Tokens and the audit log. All but the use of a token is on the disk before it is acknowledged. */
export function accessOperations(db: Database): AccessOperations {
  return {
    tokens: () => db.statement('SELECT * FROM tokens ORDER BY created_at, id').all().map(tokenFromRow),

    token: (id) => {
      const row = db.statement('SELECT * FROM tokens WHERE id = ?').get(id);
      return row === undefined ? undefined : tokenFromRow(row);
    },

    putToken: (token) =>
      db.transaction('full', () => {
        if (db.statement('SELECT 1 FROM tokens WHERE name = ?').get(token.name) !== undefined) {
          throw new HearthError('conflict', `There is a token named ${token.name} already; revoke it first, or choose another name.`);
        }
        db.statement('INSERT INTO tokens (id, name, role, hash, created_at, expires_at, last_used_at) VALUES (?, ?, ?, ?, ?, ?, ?)').run(
          token.id,
          token.name,
          token.role,
          token.hash,
          token.createdAt,
          token.expiresAt,
          token.lastUsedAt,
        );
      }),

    touchToken: (id, at) => {
      db.transaction('normal', () => db.statement('UPDATE tokens SET last_used_at = ? WHERE id = ?').run(at, id));
    },

    deleteToken: (id) => db.transaction('full', () => db.statement('DELETE FROM tokens WHERE id = ?').run(id).changes === 1),

    beginAudit: (entry) =>
      db.transaction('full', () => {
        const { lastInsertRowid } = db
          .statement('INSERT INTO audit_log (at, token_id, actor, address, method, route, subject) VALUES (?, ?, ?, ?, ?, ?, ?)')
          .run(entry.at, entry.tokenId, entry.actor, entry.address, entry.method, entry.route, entry.subject);
        return Number(lastInsertRowid);
      }),

    endAudit: (id, status, version) => {
      db.transaction('full', () => db.statement('UPDATE audit_log SET status = ?, version = ? WHERE id = ?').run(status, version, id));
    },

    audit: ({ since, before, limit }) =>
      db
        .statement('SELECT * FROM audit_log WHERE at >= ? AND id < ? ORDER BY id DESC LIMIT ?')
        .all(since ?? 0, before ?? Number.MAX_SAFE_INTEGER, Math.min(Math.max(1, Math.trunc(limit)), MAX_ROWS))
        .map(entryFromRow),

    // One chunk; the client asks again until nothing is left.
    pruneAudit: (before) =>
      db.transaction('normal', () =>
        Number(
          db.statement(`DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE at < ? ORDER BY at LIMIT ${PRUNE_CHUNK})`).run(before)
            .changes,
        ),
      ),
  };
}
