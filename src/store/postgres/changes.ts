import type { PostgresDatabase, Queryable } from '../../postgres/postgres.ts';
import type { StoreChange } from '../change-feed.ts';

/** PostgreSQL's channel for: something new stands in `changes`. */
export const CHANNEL = 'hearth_changes';

/** How long a change can be told of by itself. */
const KEEP_HOURS = 24;

/** Where the changes are that a reader has seen. */
export type Position = number;

/** Part of a transaction that holds the counter's row. Whoever listens on the channel hears of it when that is committed. */
export async function noteChanges(tx: Queryable, node: string, changes: readonly StoreChange[]): Promise<void> {
  await tx.query(
    'WITH counter AS (UPDATE change_counter SET seq = seq + 1 WHERE id = 1 RETURNING seq), ' +
      'noted AS (INSERT INTO changes (kind, name, node, seq) SELECT changed.kind, changed.name, $3, counter.seq ' +
      'FROM counter, unnest($1::text[], $2::text[]) AS changed (kind, name) ' +
      'ON CONFLICT (kind, name, node) DO UPDATE SET seq = excluded.seq, changed_at = excluded.changed_at) ' +
      `SELECT pg_notify('${CHANNEL}', '')`,
    [changes.map(({ kind }) => kind), changes.map(({ name }) => name), node],
  );
}

/** What is committed before this is not told to who reads from here on. */
export async function currentPosition(db: Queryable): Promise<Position> {
  const { rows } = await db.query<{ seq: number }>('SELECT seq FROM change_counter', []);
  return (rows[0] as { seq: number }).seq;
}

/** What other nodes than `node` have changed since, each thing once, in the order of its latest change. */
export async function readChanges(db: PostgresDatabase, node: string, since: Position): Promise<{ position: Position; changes: StoreChange[] }> {
  // One statement, which sees counter and changes as of one instant. Without changes there is one row all the same.
  const { rows } = await db.query<{ position: number; forgotten: number; kind: StoreChange['kind'] | null; name: string }>(
    'SELECT counter.seq AS position, counter.forgotten, latest.kind, latest.name FROM change_counter counter LEFT JOIN ' +
      '(SELECT kind, name, max(seq) AS seq FROM changes WHERE seq > $1 AND node <> $2 GROUP BY kind, name) latest ON TRUE ORDER BY latest.seq',
    [since, node],
  );
  const { position, forgotten } = rows[0] as { position: number; forgotten: number };
  const changes = rows.flatMap(({ kind, name }) => (kind === null ? [] : [{ kind, name }]));
  return { position, changes: since < forgotten ? [...secretsOf(changes), ...(await everything(db))] : changes };
}

/** Deletes what is older than a day, but not what is known of secrets: a secret that is gone has left nothing else behind. */
export async function forgetChanges(db: Queryable): Promise<void> {
  await db.query(
    `WITH gone AS (DELETE FROM changes WHERE kind <> 'secret' AND changed_at < now() - interval '${KEEP_HOURS} hours' RETURNING seq) ` +
      'UPDATE change_counter SET forgotten = greatest(forgotten, (SELECT max(seq) FROM gone)) WHERE EXISTS (SELECT 1 FROM gone)',
    [],
  );
}

function secretsOf(changes: readonly StoreChange[]): StoreChange[] {
  return changes.filter(({ kind }) => kind === 'secret');
}

/** All that functions could have changed: versions outlive their function, so those that are gone are among them. */
async function everything(db: Queryable): Promise<StoreChange[]> {
  const { rows } = await db.query<{ name: string }>('SELECT DISTINCT function_name AS name FROM function_versions ORDER BY name', []);
  return (['function', 'api_keys', 'schedule'] as const).flatMap((kind) => rows.map(({ name }) => ({ kind, name })));
}
