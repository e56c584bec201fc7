import type { PostgresMigration } from '../../postgres/migrate-postgres.ts';

/** A released step is never edited. */
export const NODE_MIGRATIONS: readonly PostgresMigration[] = [
  {
    number: 1,
    name: 'nodes',
    sql: `
      CREATE TABLE nodes (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        version TEXT NOT NULL,
        state TEXT NOT NULL,
        gateway_url TEXT NOT NULL,
        api_url TEXT NOT NULL,
        capacity JSONB NOT NULL,
        started_at TIMESTAMPTZ NOT NULL,
        seen_at TIMESTAMPTZ NOT NULL
      );
    `,
  },
];
