import type { ApiKey } from '../../schemas/api-key.ts';
import type { StoredSecret } from '../../schemas/secret.ts';
import type { TrafficSplit } from '../../schemas/traffic.ts';
import type { Row } from './row.ts';

/** What belongs to functions. The tables' types and our own INSERT vouch for the types here. */

export function splitFromRow(row: Row): TrafficSplit {
  return {
    functionName: row.function_name as string,
    weights: JSON.parse(row.weights as string) as TrafficSplit['weights'],
    stickyHeader: row.sticky_header as string | null,
    rollbackOn: JSON.parse((row.rollback_on as string | null) ?? 'null') as TrafficSplit['rollbackOn'],
    state: row.state as TrafficSplit['state'],
    rolledBack: JSON.parse((row.rolled_back as string | null) ?? 'null') as TrafficSplit['rolledBack'],
    createdAt: row.created_at as number,
  };
}

export function keyFromRow(row: Row): ApiKey {
  return {
    id: row.id as string,
    functionName: row.function_name as string,
    name: row.name as string,
    secretHash: row.secret_hash as string,
    rateLimit: JSON.parse((row.rate_limit as string | null) ?? 'null') as ApiKey['rateLimit'],
    createdAt: row.created_at as number,
    expiresAt: row.expires_at as number | null,
  };
}

export function secretFromRow(row: Row): StoredSecret {
  return {
    name: row.name as string,
    version: row.version as number,
    keyId: row.key_id as string,
    nonce: new Uint8Array(row.nonce as Uint8Array),
    sealed: new Uint8Array(row.sealed as Uint8Array),
    updatedAt: row.updated_at as number,
  };
}
