/** Who may do what at the control plane, and what was done. Times are milliseconds since the epoch. */

/** `read` sees, `deploy` changes functions and what belongs to them too, `admin` everything: each includes the ones before it. */
export const ROLES = ['read', 'deploy', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export interface TokenRecord {
  /** Part of the token's text; no secret. */
  id: string;
  /** Chosen by its maker, unique among the tokens that there are. */
  name: string;
  role: Role;
  /** SHA-256 of the token's text, hex. The text itself is kept nowhere. */
  hash: string;
  createdAt: number;
  /** null: never. */
  expiresAt: number | null;
  /** To the minute, written behind; null: never used. */
  lastUsedAt: number | null;
}

/** One change that somebody asked for. It is written down before the change is made; the status is added once, before the answer leaves. */
export interface AuditEntry {
  /** Counts up. */
  id: number;
  at: number;
  /** Of the token; null when none was needed. */
  tokenId: string | null;
  /** The token's name at that time; `local` when none was needed. */
  actor: string;
  /** Address of the client. */
  address: string;
  method: string;
  /** The pattern of the route, not what stood in the place of its parameters. */
  route: string;
  /** What was changed: the name of a function, a layer, a token. Bounded. */
  subject: string;
  /** Of the function, where one was made or made current. */
  version: number | null;
  /** HTTP status of the answer; null while the change is under way, and for ever when the platform ended amid it. */
  status: number | null;
}
