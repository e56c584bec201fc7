import { types } from 'pg';

/**
 * JavaScript's strings may have U+0000, PostgreSQL's may not (postgresql.org/docs/current/datatype-character.html), and what functions print may have anything.
 * So it is written as a noncharacter of Unicode and `0`, and that noncharacter as itself and `1`. All other text stays as it is.
 */
const ESCAPE = '\u{10FFFE}';

export function escapeText(text: string): string {
  if (!text.includes('\0') && !text.includes(ESCAPE)) return text;
  return text.replaceAll(ESCAPE, `${ESCAPE}1`).replaceAll('\0', `${ESCAPE}0`);
}

function unescapeText(text: string): string {
  return text.includes(ESCAPE) ? text.replaceAll(`${ESCAPE}0`, '\0').replaceAll(`${ESCAPE}1`, ESCAPE) : text;
}

/** A value in the form in which it is handed to pg. */
export function toParameter(value: unknown): unknown {
  if (typeof value === 'string') return escapeText(value);
  return Array.isArray(value) ? value.map(toParameter) : value;
}

/** Object ids of types: PostgreSQL's src/include/catalog/pg_type.dat */
const INT8 = 20;
const TEXT = 25;
const VARCHAR = 1043;
const TEXT_ARRAY = 1009;
const NUMERIC = 1700;

const textArray = types.getTypeParser(TEXT_ARRAY as never, 'text') as (text: string) => (string | null)[];

const PARSERS = new Map<number, (text: string) => unknown>([
  [INT8, Number],
  [NUMERIC, Number],
  [TEXT, unescapeText],
  [VARCHAR, unescapeText],
  [TEXT_ARRAY, (text) => textArray(text).map((item) => (item === null ? null : unescapeText(item)))],
]);

/** How values come back: as pg has it, but for the types above. Of one pool, not of the process. */
export const TYPES = {
  getTypeParser(id: number, format?: 'text' | 'binary'): unknown {
    return (format !== 'binary' && PARSERS.get(id)) || types.getTypeParser(id, format);
  },
};
