import type { InstanceRecord, InvocationRecord, LayerRecord } from '../../schemas/records.ts';
import type { Row, SqlValue } from './row.ts';

/** A table whose columns are the members of a record, one to one, without any encoding, and whose key is `id`. */
export interface RecordTable<T> {
  name: string;
  columns: readonly string[];
  /** `SELECT` of all columns, to be followed by what narrows it. */
  selectSql: string;
  /** In the order of `columns`. */
  toValues(record: T): SqlValue[];
  fromRow(row: Row): T;
}

/** Every member of the record must have its column: the compiler sees to it. */
function recordTable<T extends { id: string }>(name: string, columns: Record<keyof T & string, string>): RecordTable<T> {
  const members = Object.keys(columns) as (keyof T & string)[];
  const names = members.map((member) => columns[member]);
  return {
    name,
    columns: names,
    selectSql: `SELECT ${names.join(', ')} FROM ${name}`,
    toValues: (record) => members.map((member) => record[member] as SqlValue),
    fromRow: (row) => Object.fromEntries(members.map((member) => [member, row[columns[member]]])) as T,
  };
}

export const invocationTable = recordTable<InvocationRecord>('invocations', {
  id: 'id',
  correlationId: 'correlation_id',
  functionName: 'function_name',
  versionNumber: 'version_number',
  instanceId: 'instance_id',
  trigger: 'trigger_kind',
  state: 'state',
  verb: 'verb',
  path: 'path',
  requestId: 'request_id',
  start: 'start_kind',
  status: 'status',
  errorCode: 'error_code',
  errorMessage: 'error_message',
  acceptedAt: 'accepted_at',
  endedAt: 'ended_at',
  queueMs: 'queue_ms',
  startMs: 'start_ms',
  runMs: 'run_ms',
  logs: 'logs',
});

export const instanceTable = recordTable<InstanceRecord>('instances', {
  id: 'id',
  functionName: 'function_name',
  versionNumber: 'version_number',
  driver: 'driver',
  state: 'state',
  startedAt: 'started_at',
  readyAt: 'ready_at',
  stoppedAt: 'stopped_at',
  stopReason: 'stop_reason',
  invocations: 'invocations',
  logs: 'logs',
});

export const layerTable = recordTable<LayerRecord>('layers', {
  id: 'id',
  name: 'name',
  requirements: 'requirements',
  runtime: 'runtime',
  state: 'state',
  output: 'output',
  createdAt: 'created_at',
  readyAt: 'ready_at',
  sizeBytes: 'size_bytes',
});
