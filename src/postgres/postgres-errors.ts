import { DatabaseError } from 'pg';
import { HearthError } from '../errors.ts';

/** What holds of PostgreSQL's error codes: postgresql.org/docs/current/errcodes-appendix.html */
const EXPLANATIONS: readonly [codes: RegExp, explain: (shown: string) => string][] = [
  [/^28/, (shown) => `PostgreSQL at ${shown} does not let the platform in; check user and password in database.url, and pg_hba.conf.`],
  [/^3D000$/, (shown) => `There is no database ${shown}; make it (createdb), or name another one in database.url.`],
  [/^42501$/, (shown) => `The user of database.url may not do that in ${shown}; let it own the schema hearth, or create it.`],
  [/^53100$/, (shown) => `The disk of PostgreSQL at ${shown} is full; make room, and the platform goes on by itself.`],
  [/^53300$/, (shown) => `PostgreSQL at ${shown} has no connection left; raise its max_connections, or lower database.max_connections of the nodes.`],
  [/^(25006|55000)$/, (shown) => `PostgreSQL at ${shown} takes no writes; let database.url lead to the primary.`],
  [/^57014$/, (shown) => `PostgreSQL at ${shown} took too long over a statement; see what keeps it busy. The platform tries again.`],
  [/^(08|53|58|57P|25P0[34]|55P03)/, (shown) => `PostgreSQL at ${shown} can not serve at present; the platform tries again, see PostgreSQL's log.`],
];

/** A statement that this connection has prepared no longer fits the tables, which somebody has migrated. */
export function isStalePlan(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === '0A000' && error.routine === 'RevalidateCachedQuery';
}

/** Serialisation failure, deadlock: the transaction may be run again. */
export function isConflict(error: unknown): boolean {
  return error instanceof DatabaseError && (error.code === '40001' || error.code === '40P01');
}

/** The connection could not be made, or was lost, or is silent. `cause` is what pg or the network said. */
export class ConnectionTrouble extends Error {
  constructor(cause: unknown) {
    super(reasonOf(cause), { cause });
  }
}

/** Whether the connection on which that came up is still good for the next statement. */
export function leavesConnection(error: unknown): boolean {
  return !(error instanceof ConnectionTrouble || (error instanceof DatabaseError && /^(08|57P|25P0[34]|58)/.test(error.code ?? '')));
}

/**
 * What the network or PostgreSQL said, with where and what to do; what a statement of ours is to blame for becomes `internal`. Anything else stays as it is.
 * Causes have PostgreSQL's message and code alone: its details quote rows.
 */
export function toPostgresError(error: unknown, shown: string): Error {
  if (error instanceof DatabaseError) {
    const { code = '' } = error;
    const cause = new Error(`${error.message} (SQLSTATE ${code})`);
    const explain = EXPLANATIONS.find(([codes]) => codes.test(code))?.[1];
    if (explain === undefined) {
      return new HearthError('internal', 'The store met an error that it did not expect; the log has the details.', { cause });
    }
    return new HearthError('store_unavailable', `${explain(shown)} (${error.message})`, { cause, retryAfter: 5 });
  }
  if (!(error instanceof ConnectionTrouble)) return error instanceof Error ? error : new Error(String(error));
  return new HearthError(
    'store_unavailable',
    `PostgreSQL at ${shown} can not be reached (${error.message}); start it, or check database.url and the network. The platform goes on by itself then.`,
    { cause: new Error(error.message), retryAfter: 5 },
  );
}

/** What pg rejects with: an error of PostgreSQL's, of the arguments, or else of the connection. */
export function asTrouble(error: unknown): unknown {
  return error instanceof DatabaseError || error instanceof TypeError ? error : new ConnectionTrouble(error);
}

/** Of an AggregateError (one error for each address of the host), whose own message is empty, the first. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message || (error as NodeJS.ErrnoException).code || error.name : String(error);
}
