import type { PostgresDatabase } from '../../postgres/postgres.ts';
import { escapeText } from '../../postgres/values.ts';

/** What the operations work with. */
export interface Session {
  db: PostgresDatabase;
  /** This node's id. */
  node: string;
  /** Milliseconds since the epoch, by the database's clock. */
  now(): number;
}

/** As a parameter for json_to_recordset, whose texts have neither U+0000 nor halves of surrogate pairs. In the JSON itself nothing is left to be escaped again. */
export function asJson(value: unknown): string {
  const json = JSON.stringify(value, (_, member: unknown) => (typeof member === 'string' ? escapeText(member.toWellFormed()) : member));
  return json.replaceAll('\u{10FFFE}', '\\udbff\\udffe');
}
