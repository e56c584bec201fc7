/** What a database gives, by the names of columns. Both databases have the same columns, of types that come to the same in JavaScript. */
export type Row = Record<string, unknown>;

export type SqlValue = string | number | Uint8Array | null;
