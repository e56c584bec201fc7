import type { AuditEntry, TokenRecord } from '../../schemas/access.ts';
import type { Row } from './row.ts';

/** The tables' types and our own INSERT vouch for the types here. */

export function tokenFromRow(row: Row): TokenRecord {
  return {
    id: row.id as string,
    name: row.name as string,
    role: row.role as TokenRecord['role'],
    hash: row.hash as string,
    createdAt: row.created_at as number,
    expiresAt: row.expires_at as number | null,
    lastUsedAt: row.last_used_at as number | null,
  };
}

export function entryFromRow(row: Row): AuditEntry {
  return {
    id: row.id as number,
    at: row.at as number,
    tokenId: row.token_id as string | null,
    actor: row.actor as string,
    address: row.address as string,
    method: row.method as string,
    route: row.route as string,
    subject: row.subject as string,
    version: row.version as number | null,
    status: row.status as number | null,
  };
}
