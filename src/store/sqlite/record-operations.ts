import type { SQLInputValue } from 'node:sqlite';
import { instanceTable, invocationTable, layerTable, type RecordTable } from '../rows/records.ts';
import type { AccessOperations } from './access-operations.ts';
import type { Database } from './database.ts';
import type { FunctionOperations } from './function-operations.ts';
import type { KeyOperations } from './key-operations.ts';
import type { BlockingStore } from './requests.ts';
import { upsertSql } from './rows.ts';
import type { ScheduleOperations } from './schedule-operations.ts';
import type { SecretOperations } from './secret-operations.ts';
import type { SeriesOperations } from './series-operations.ts';
import type { TrafficOperations } from './traffic-operations.ts';

type RecordOperations = Omit<
  BlockingStore,
  | keyof AccessOperations
  | keyof FunctionOperations
  | keyof KeyOperations
  | keyof TrafficOperations
  | keyof SecretOperations
  | keyof ScheduleOperations
  | keyof SeriesOperations
  | 'snapshot'
  | 'close'
>;

const MAX_ROWS = 1000;
/** Rows of each table that one `pruneRecords` deletes, so that no other request waits long behind it. */
const PRUNE_CHUNK = 2000;

/** Invocations and instances are written behind, so a power cut may take the last of them anyway: durability `normal`. Layers are not. */
export function recordOperations(db: Database): RecordOperations {
  function write<T>(table: RecordTable<T>, records: readonly T[]): void {
    const sql = upsertSql(table);
    db.transaction('normal', () => {
      for (const record of records) db.statement(sql).run(...table.toValues(record));
    });
  }

  function one<T>(table: RecordTable<T>, id: string): T | undefined {
    const row = db.statement(`${table.selectSql} WHERE id = ?`).get(id);
    return row === undefined ? undefined : table.fromRow(row);
  }

  function newest<T>(table: RecordTable<T>, by: string, conditions: readonly [sql: string, ...values: SQLInputValue[]][], limit: number): T[] {
    const where = conditions.length === 0 ? '' : ` WHERE ${conditions.map(([sql]) => sql).join(' AND ')}`;
    const rows = Math.min(Math.max(1, Math.trunc(limit)), MAX_ROWS);
    return db
      .statement(`${table.selectSql}${where} ORDER BY ${by} DESC, id DESC LIMIT ?`)
      .all(...conditions.flatMap(([, ...values]) => values), rows)
      .map(table.fromRow);
  }

  return {
    writeInvocations: (records) => write(invocationTable, records),
    invocation: (id) => one(invocationTable, id),
    invocations: ({ functionName, state, before, limit }) => {
      const conditions: [string, ...SQLInputValue[]][] = [];
      if (functionName !== undefined) conditions.push(['function_name = ?', functionName]);
      if (state !== undefined) conditions.push(['state = ?', state]);
      if (before !== undefined) conditions.push(['accepted_at < ?', before]);
      return newest(invocationTable, 'accepted_at', conditions, limit);
    },

    writeInstances: (records) => write(instanceTable, records),
    instance: (id) => one(instanceTable, id),
    instances: ({ functionName, liveOnly, limit }) => {
      const conditions: [string, ...SQLInputValue[]][] = [];
      if (functionName !== undefined) conditions.push(['function_name = ?', functionName]);
      if (liveOnly === true) conditions.push(["state <> 'stopped'"]);
      return newest(instanceTable, 'started_at', conditions, limit);
    },

    closeOpenRecords: (reason, now, nodes) =>
      db.transaction('full', () => {
        // There are no others.
        if (nodes !== undefined) return 0;
        const instances = db
          .statement("UPDATE instances SET state = 'stopped', stopped_at = ?, stop_reason = ? WHERE state <> 'stopped'")
          .run(now, reason);
        const invocations = db
          .statement(
            "UPDATE invocations SET state = 'failed', error_code = 'internal', error_message = ?, ended_at = ? WHERE state IN ('queued', 'running')",
          )
          .run(reason, now);
        return Number(instances.changes) + Number(invocations.changes);
      }),

    // One chunk; the client asks again until nothing is left. What ended before an instant was accepted before it, and that has an index.
    pruneRecords: (before) =>
      db.transaction('normal', () => {
        const invocations = db
          .statement(
            'DELETE FROM invocations WHERE rowid IN (SELECT rowid FROM invocations WHERE accepted_at < ? AND ended_at < ? ' +
              `AND state NOT IN ('queued', 'running') LIMIT ${PRUNE_CHUNK})`,
          )
          .run(before, before);
        const instances = db
          .statement(
            'DELETE FROM instances WHERE rowid IN (SELECT rowid FROM instances WHERE started_at < ? AND stopped_at < ? ' +
              `AND state = 'stopped' LIMIT ${PRUNE_CHUNK})`,
          )
          .run(before, before);
        return Number(invocations.changes) + Number(instances.changes);
      }),

    putLayer: (layer) => {
      db.transaction('full', () => db.statement(upsertSql(layerTable)).run(...layerTable.toValues(layer)));
    },
    layers: () => db.statement(`${layerTable.selectSql} ORDER BY created_at, id`).all().map(layerTable.fromRow),
    layerRecipe: (id) => one(layerTable, id),
    deleteLayer: (id) => db.transaction('full', () => db.statement('DELETE FROM layers WHERE id = ?').run(id).changes === 1),
  };
}
