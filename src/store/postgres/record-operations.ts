import type { PostgresDatabase, Queryable } from '../../postgres/postgres.ts';
import { instanceTable, invocationTable, layerTable, type RecordTable } from '../rows/records.ts';
import type { Store } from '../store.ts';
import { bounded, inChunks, placeholders, replaced } from './sql.ts';

type RecordOperations = Pick<
  Store,
  | 'writeInvocations'
  | 'invocation'
  | 'invocations'
  | 'writeInstances'
  | 'instance'
  | 'instances'
  | 'closeOpenRecords'
  | 'pruneRecords'
  | 'putLayer'
  | 'layers'
  | 'layerRecipe'
  | 'deleteLayer'
>;

const MAX_ROWS = 1000;
const PRUNE_CHUNK = 2000;
/** Seconds after which a node that hasn't been seen doesn't come back under its records. */
const GONE_S = 60;

type Condition = [sql: (placeholder: string) => string, value: string | number];

/** Each record is of the node that wrote it; all nodes read all, but layers: those are folders of one machine. */
export function recordOperations(db: PostgresDatabase, node: string): RecordOperations {
  async function write<T extends { id: string }>(table: RecordTable<T>, records: readonly T[], key: readonly string[] = ['id']): Promise<void> {
    if (records.length === 0) return;
    // A statement may write a row once; the last one counts.
    const rows = [...new Map(records.map((record) => [record.id, table.toValues(record)])).values()];
    const arrays = table.columns.map((column, index) => `$${index + 2}::${typeOf(column)}[]`);
    const columns = [...table.columns, 'node'];
    await db.query(
      `INSERT INTO ${table.name} (${columns.join(', ')}) SELECT *, $1 FROM unnest(${arrays.join(', ')}) ` +
        `ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${replaced(columns, key)}`,
      [node, ...table.columns.map((_, index) => rows.map((row) => row[index]))],
    );
  }

  async function one<T>(table: RecordTable<T>, id: string): Promise<T | undefined> {
    return (await db.query(`${table.selectSql} WHERE id = $1`, [id])).rows.map(table.fromRow)[0];
  }

  async function newest<T>(
    table: RecordTable<T>,
    by: string,
    conditions: readonly Condition[],
    limit: number,
    also: readonly string[] = [],
  ): Promise<T[]> {
    const where = [...conditions.map(([sql], index) => sql(`$${index + 1}`)), ...also];
    const { rows } = await db.query(
      `${table.selectSql}${where.length === 0 ? '' : ` WHERE ${where.join(' AND ')}`} ORDER BY ${by} DESC, id DESC LIMIT ${placeholders(1, conditions.length + 1)}`,
      [...conditions.map(([, value]) => value), bounded(limit, MAX_ROWS)],
    );
    return rows.map(table.fromRow);
  }

  return {
    writeInvocations: (records) => write(invocationTable, records),
    invocation: (id) => one(invocationTable, id),
    invocations({ functionName, state, before, limit }) {
      const conditions: Condition[] = [];
      if (functionName !== undefined) conditions.push([($) => `function_name = ${$}`, functionName]);
      if (state !== undefined) conditions.push([($) => `state = ${$}`, state]);
      if (before !== undefined) conditions.push([($) => `accepted_at < ${$}`, before]);
      return newest(invocationTable, 'accepted_at', conditions, limit);
    },

    writeInstances: (records) => write(instanceTable, records),
    instance: (id) => one(instanceTable, id),
    instances({ functionName, liveOnly, limit }) {
      const conditions: Condition[] = functionName === undefined ? [] : [[($) => `function_name = ${$}`, functionName]];
      return newest(instanceTable, 'started_at', conditions, limit, liveOnly === true ? ["state <> 'stopped'"] : []);
    },

    closeOpenRecords: (reason, now, nodes) =>
      db.transaction(async (tx) => {
        const gone = nodes === undefined ? await ofNodesThatAreGone(tx) : 'FALSE';
        const whose = nodes ?? [node];
        const instances = await tx.query(
          `UPDATE instances SET state = 'stopped', stopped_at = $1, stop_reason = $2 WHERE state <> 'stopped' AND (node = ANY($3) OR ${gone})`,
          [now, reason, whose],
        );
        const invocations = await tx.query(
          "UPDATE invocations SET state = 'failed', error_code = 'internal', error_message = $2, ended_at = $1 " +
            `WHERE state IN ('queued', 'running') AND (node = ANY($3) OR ${gone})`,
          [now, reason, whose],
        );
        return instances.changes + invocations.changes;
      }),

    pruneRecords: (before) =>
      inChunks(async () => {
        // What ended before an instant was accepted before it, and that has an index.
        const invocations = await db.query(
          'DELETE FROM invocations WHERE id IN (SELECT id FROM invocations WHERE accepted_at < $1 AND ended_at < $1 ' +
            `AND state NOT IN ('queued', 'running') LIMIT ${PRUNE_CHUNK} FOR UPDATE SKIP LOCKED)`,
          [before],
        );
        const instances = await db.query(
          'DELETE FROM instances WHERE id IN (SELECT id FROM instances WHERE started_at < $1 AND stopped_at < $1 ' +
            `AND state = 'stopped' LIMIT ${PRUNE_CHUNK} FOR UPDATE SKIP LOCKED)`,
          [before],
        );
        return invocations.changes + instances.changes;
      }),

    putLayer: (layer) => write(layerTable, [layer], ['id', 'node']),
    async layers() {
      return (await db.query(`${layerTable.selectSql} WHERE node = $1 ORDER BY created_at, id`, [node])).rows.map(layerTable.fromRow);
    },
    async layerRecipe(id) {
      const sql = `${layerTable.selectSql} WHERE id = $1 ORDER BY state = 'ready' DESC, node = $2 DESC, created_at DESC LIMIT 1`;
      return (await db.query(sql, [id, node])).rows.map(layerTable.fromRow)[0];
    },
    async deleteLayer(id) {
      return (await db.query('DELETE FROM layers WHERE id = $1 AND node = $2', [id, node])).changes === 1;
    },
  };
}

function typeOf(column: string): string {
  if (/_(at|ms)$/.test(column)) return 'float8';
  return ['version_number', 'status', 'invocations', 'size_bytes'].includes(column) ? 'bigint' : 'text';
}

/** A condition. The list of nodes is another part's, and may not be there. */
async function ofNodesThatAreGone(tx: Queryable): Promise<string> {
  const { rows } = await tx.query<{ there: boolean }>("SELECT to_regclass('hearth.nodes') IS NOT NULL AS there", []);
  if (rows[0]?.there !== true) return 'FALSE';
  return `node NOT IN (SELECT n.id::text FROM nodes n WHERE n.seen_at > clock_timestamp() - interval '${GONE_S} seconds')`;
}
