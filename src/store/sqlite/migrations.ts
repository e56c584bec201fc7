import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { HearthError } from '../../errors.ts';
import { inTransaction } from './transaction.ts';

/** One step of the schema. Once released it is never edited again: its checksum is written into every database that it made. */
export interface Migration {
  /** Position in the list, from 1, without gaps. */
  number: number;
  name: string;
  sql: string;
}

/**
 * Instants of records and all durations are REAL, because fractions of a millisecond are legal in them.
 * Records don't refer to versions by foreign key: they are written behind and pruned on their own.
 */
const initial = `
  CREATE TABLE code_blobs (
    hash TEXT PRIMARY KEY,
    code BLOB NOT NULL
  ) STRICT;

  CREATE TABLE function_versions (
    function_name TEXT NOT NULL,
    number INTEGER NOT NULL,
    hash TEXT NOT NULL,
    event_key TEXT NOT NULL,
    runtime TEXT NOT NULL,
    style TEXT NOT NULL,
    code_hash TEXT NOT NULL REFERENCES code_blobs (hash),
    timeout_ms INTEGER NOT NULL,
    network TEXT NOT NULL,
    layers TEXT NOT NULL,
    requirements TEXT,
    environment TEXT NOT NULL,
    concurrency INTEGER NOT NULL,
    max_instances INTEGER NOT NULL,
    max_queue INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (function_name, number)
  ) STRICT;

  CREATE TABLE functions (
    name TEXT PRIMARY KEY,
    current_number INTEGER NOT NULL,
    FOREIGN KEY (name, current_number) REFERENCES function_versions (function_name, number)
  ) STRICT;

  CREATE TABLE invocations (
    id TEXT PRIMARY KEY,
    correlation_id TEXT NOT NULL,
    function_name TEXT NOT NULL,
    version_number INTEGER NOT NULL,
    instance_id TEXT,
    trigger_kind TEXT NOT NULL,
    state TEXT NOT NULL,
    verb TEXT NOT NULL,
    path TEXT NOT NULL,
    request_id TEXT,
    start_kind TEXT,
    status INTEGER,
    error_code TEXT,
    error_message TEXT,
    accepted_at REAL NOT NULL,
    ended_at REAL NOT NULL,
    queue_ms REAL NOT NULL,
    start_ms REAL NOT NULL,
    run_ms REAL NOT NULL,
    logs TEXT
  ) STRICT;
  CREATE INDEX invocations_by_time ON invocations (accepted_at, id);
  CREATE INDEX invocations_by_function ON invocations (function_name, accepted_at, id);
  CREATE INDEX invocations_by_state ON invocations (state, accepted_at, id);

  CREATE TABLE instances (
    id TEXT PRIMARY KEY,
    function_name TEXT NOT NULL,
    version_number INTEGER NOT NULL,
    driver TEXT NOT NULL,
    state TEXT NOT NULL,
    started_at REAL NOT NULL,
    ready_at REAL,
    stopped_at REAL,
    stop_reason TEXT,
    invocations INTEGER NOT NULL,
    logs TEXT
  ) STRICT;
  CREATE INDEX instances_by_time ON instances (started_at, id);
  CREATE INDEX instances_by_function ON instances (function_name, started_at, id);
  CREATE INDEX instances_open ON instances (started_at, id) WHERE state <> 'stopped';

  CREATE TABLE layers (
    id TEXT PRIMARY KEY,
    name TEXT,
    requirements TEXT NOT NULL,
    runtime TEXT NOT NULL,
    state TEXT NOT NULL,
    output TEXT NOT NULL,
    created_at REAL NOT NULL,
    ready_at REAL,
    size_bytes INTEGER
  ) STRICT;
`;

/** A split lives as long as its function, whatever happens to the versions that it names, which are never deleted. */
const trafficSplits = `
  CREATE TABLE traffic_splits (
    function_name TEXT PRIMARY KEY REFERENCES functions (name) ON DELETE CASCADE,
    weights TEXT NOT NULL,
    sticky_header TEXT,
    rollback_on TEXT,
    state TEXT NOT NULL,
    rolled_back TEXT,
    created_at REAL NOT NULL
  ) STRICT;
`;

const keepAliveSettings = `
  ALTER TABLE function_versions ADD COLUMN reserved INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE function_versions ADD COLUMN min_idle_ms INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE function_versions ADD COLUMN max_idle_ms INTEGER;
`;

const secrets = `
  CREATE TABLE secrets (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    nonce BLOB NOT NULL,
    sealed BLOB NOT NULL,
    updated_at REAL NOT NULL
  ) STRICT;
  ALTER TABLE function_versions ADD COLUMN secrets TEXT NOT NULL DEFAULT '[]';
`;

const asynchronous = `
  ALTER TABLE function_versions ADD COLUMN async_mode TEXT NOT NULL DEFAULT 'allowed';
  ALTER TABLE function_versions ADD COLUMN retry TEXT NOT NULL DEFAULT '{"attempts":3,"minBackoffMs":1000,"maxBackoffMs":60000,"maxAgeMs":21600000}';
`;

/** Entries of the audit log are ended once and never changed; they go by age only. AUTOINCREMENT: ids of those that went are not given again. */
const access = `
  CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    hash TEXT NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL,
    last_used_at REAL
  ) STRICT;

  CREATE TABLE audit_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    token_id TEXT,
    actor TEXT NOT NULL,
    address TEXT NOT NULL,
    method TEXT NOT NULL,
    route TEXT NOT NULL,
    subject TEXT NOT NULL,
    version INTEGER,
    status INTEGER
  ) STRICT;
  CREATE INDEX audit_by_time ON audit_log (at);
  CREATE TRIGGER audit_append_only BEFORE UPDATE ON audit_log
  WHEN old.status IS NOT NULL OR (new.id, new.at, new.token_id, new.actor, new.address, new.method, new.route, new.subject)
    IS NOT (old.id, old.at, old.token_id, old.actor, old.address, old.method, old.route, old.subject)
  BEGIN SELECT raise(ABORT, 'entries of the audit log are not changed'); END;
`;

const instanceLimits = `
  ALTER TABLE function_versions ADD COLUMN memory_bytes INTEGER;
  ALTER TABLE function_versions ADD COLUMN cpu REAL;
`;

/** Keys live as long as their function, whatever its versions ask for. */
const gatewayPolicy = `
  ALTER TABLE function_versions ADD COLUMN policy TEXT;
  CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    function_name TEXT NOT NULL REFERENCES functions (name) ON DELETE CASCADE,
    name TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    rate_limit TEXT,
    created_at REAL NOT NULL,
    expires_at REAL,
    UNIQUE (function_name, name)
  ) STRICT;
`;

/** Schedules, their firings and what is to be told of them live as long as their function. Instants by the clock, so that no two firings are made of one. */
const schedules = `
  ALTER TABLE function_versions ADD COLUMN schedule TEXT;
  CREATE TABLE schedules (
    function_name TEXT PRIMARY KEY REFERENCES functions (name) ON DELETE CASCADE,
    event_key TEXT NOT NULL,
    next_at REAL,
    due_at REAL,
    last_at REAL,
    round INTEGER NOT NULL,
    paused INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    failing INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE schedule_firings (
    id TEXT PRIMARY KEY,
    function_name TEXT NOT NULL REFERENCES functions (name) ON DELETE CASCADE,
    scheduled_at REAL NOT NULL,
    round INTEGER NOT NULL,
    kind TEXT NOT NULL,
    fired_at REAL NOT NULL,
    ended_at REAL,
    state TEXT NOT NULL,
    reason TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX schedule_firings_once ON schedule_firings (function_name, scheduled_at, round) WHERE kind != 'manual';
  CREATE INDEX schedule_firings_by_function ON schedule_firings (function_name, fired_at, id);
  CREATE INDEX schedule_firings_outcomes ON schedule_firings (function_name, fired_at, id) WHERE state NOT IN ('open', 'skipped');
  CREATE INDEX schedule_firings_open ON schedule_firings (id) WHERE state = 'open';
  CREATE INDEX schedule_firings_ended ON schedule_firings (ended_at) WHERE ended_at IS NOT NULL;
  CREATE TABLE schedule_notices (
    id TEXT PRIMARY KEY,
    function_name TEXT NOT NULL REFERENCES functions (name) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    body TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

const chains = `
  ALTER TABLE function_versions ADD COLUMN destinations TEXT;
  ALTER TABLE function_versions ADD COLUMN invokes TEXT;
`;

const programs = 'ALTER TABLE function_versions ADD COLUMN program TEXT;';
const bundles = `
  ALTER TABLE function_versions ADD COLUMN bundle TEXT;
`;

const moduleForm = `
  ALTER TABLE function_versions ADD COLUMN module TEXT;
`;

const streams = `
  ALTER TABLE function_versions ADD COLUMN stream_body INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE function_versions ADD COLUMN websocket INTEGER NOT NULL DEFAULT 0;
`;

const errorLogs = `
  ALTER TABLE function_versions ADD COLUMN error_logs INTEGER NOT NULL DEFAULT 0;
`;

/** Primary key in the order in which steps grow old. `function_name` is empty for the whole machine. */
const objectives = `
  ALTER TABLE function_versions ADD COLUMN slo TEXT;
  CREATE TABLE series (
    step_ms INTEGER NOT NULL,
    step INTEGER NOT NULL,
    function_name TEXT NOT NULL,
    counts TEXT NOT NULL,
    PRIMARY KEY (step_ms, step, function_name)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX series_by_function ON series (function_name);
`;

const scheduleRevisions = 'ALTER TABLE schedules ADD COLUMN revision INTEGER NOT NULL DEFAULT 1';

export const MIGRATIONS: readonly Migration[] = [
  { number: 1, name: 'initial', sql: initial },
  { number: 2, name: 'traffic splits', sql: trafficSplits },
  { number: 3, name: 'keep-alive settings', sql: keepAliveSettings },
  { number: 4, name: 'secrets', sql: secrets },
  { number: 5, name: 'asynchronous invocations', sql: asynchronous },
  { number: 6, name: 'tokens and audit log', sql: access },
  { number: 7, name: 'instance limits', sql: instanceLimits },
  { number: 8, name: 'gateway policy', sql: gatewayPolicy },
  { number: 9, name: 'schedules', sql: schedules },
  { number: 10, name: 'destinations and chains', sql: chains },
  { number: 11, name: 'programs', sql: programs },
  { number: 12, name: 'modules of Node.js', sql: moduleForm },
  { number: 13, name: 'bundles', sql: bundles },
  { number: 14, name: 'streamed bodies and WebSockets', sql: streams },
  { number: 15, name: 'lines in errors', sql: errorLogs },
  { number: 16, name: 'objectives and what was counted over time', sql: objectives },
  { number: 17, name: 'revisions of schedules', sql: scheduleRevisions },
];

export function checksum(migration: Migration): string {
  return createHash('sha256').update(migration.sql).digest('hex');
}

interface Applied {
  number: number;
  name: string;
  checksum: string;
}

/**
 * Refuses a database that this platform must not touch. Reads only.
 * @throws HearthError store_unavailable when a newer platform made it, when an applied migration is not the one we know, or when it is somebody else's
 */
export function checkSchema(db: DatabaseSync, migrations: readonly Migration[], file: string): void {
  for (const row of readApplied(db, file)) {
    const known = migrations.find((migration) => migration.number === row.number);
    if (known === undefined) {
      throw new HearthError(
        'store_unavailable',
        `${file} was written by a newer version of Hearth: it has schema step ${row.number} ("${row.name}"), and this version knows ` +
          `${migrations.length}. Nothing was changed. Run the newer version, or give this one another file.`,
      );
    }
    if (checksum(known) !== row.checksum) {
      throw new HearthError(
        'store_unavailable',
        `Schema step ${row.number} ("${row.name}") of ${file} is not the one that this version of Hearth has under that number. Nothing was changed. ` +
          'Run the version that made the file, or give this one another file.',
      );
    }
  }
}

/** Brings the schema up to date, each step in a transaction of its own; a step that fails leaves the database at the one before. Returns the numbers applied. */
export function migrate(db: DatabaseSync, migrations: readonly Migration[], file: string, now: number): number[] {
  checkSchema(db, migrations, file);
  const done: number[] = [];
  for (const migration of migrations) {
    inTransaction(db, () => {
      db.exec(
        'CREATE TABLE IF NOT EXISTS schema_migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT',
      );
      // Asked under the write lock, since another process may have migrated in the meantime.
      if (db.prepare('SELECT 1 FROM schema_migrations WHERE number = ?').get(migration.number) !== undefined) return;
      db.exec(migration.sql);
      db.prepare('INSERT INTO schema_migrations VALUES (?, ?, ?, ?)').run(migration.number, migration.name, checksum(migration), now);
      done.push(migration.number);
    });
  }
  return done;
}

function readApplied(db: DatabaseSync, file: string): Applied[] {
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").all();
  if (tables.length === 0) return [];
  if (!tables.some((table) => table.name === 'schema_migrations')) {
    throw new HearthError(
      'store_unavailable',
      `${file} is an SQLite database of some other program. Nothing was changed. Give Hearth a file of its own.`,
    );
  }
  return db.prepare('SELECT number, name, checksum FROM schema_migrations ORDER BY number').all() as unknown as Applied[];
}
