import type { SQLOutputValue } from 'node:sqlite';
import type { RecordTable } from '../rows/records.ts';
import { VERSION_COLUMNS } from '../rows/versions.ts';

export type Row = Record<string, SQLOutputValue>;

export const VERSION_INSERT = `INSERT INTO function_versions (${VERSION_COLUMNS.join(', ')}) VALUES (${VERSION_COLUMNS.map(() => '?').join(', ')})`;

/** Inserts a record, or replaces the one with the same id. */
export function upsertSql<T>({ name, columns }: RecordTable<T>): string {
  const updates = columns.filter((column) => column !== 'id').map((column) => `${column} = excluded.${column}`);
  return `INSERT INTO ${name} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')}) ON CONFLICT (id) DO UPDATE SET ${updates.join(', ')}`;
}
