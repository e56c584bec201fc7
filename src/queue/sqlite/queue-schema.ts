import type { Migration } from '../../store/sqlite/migrations.ts';

/**
 * What changes with every attempt is small and stands in `jobs`; what was asked for never changes and what came of it is written once, each in a table of its
 * own, so that large bodies are not rewritten. Every index is read in order and from a given place: nothing here is found by counting rows.
 * `seq` is the order in which invocations were accepted.
 */
const initial = `
  CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    function_name TEXT NOT NULL,
    version_number INTEGER NOT NULL,
    mode TEXT NOT NULL,
    trigger_kind TEXT NOT NULL,
    state TEXT NOT NULL,
    verb TEXT NOT NULL,
    path TEXT NOT NULL,
    request_id TEXT,
    priority INTEGER NOT NULL,
    accepted_at REAL NOT NULL,
    age_from REAL NOT NULL,
    due_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    attempt INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    losses INTEGER NOT NULL DEFAULT 0,
    status INTEGER,
    error_code TEXT,
    error_message TEXT,
    dead_reason TEXT,
    replay_of TEXT,
    idempotency_key TEXT,
    callback_url TEXT,
    callback_state TEXT,
    callback_due REAL,
    callback_attempts INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX jobs_to_take ON jobs (function_name, version_number, priority, due_at, seq) WHERE state = 'queued';
  CREATE INDEX jobs_by_state ON jobs (state, accepted_at, id);
  CREATE INDEX jobs_by_function ON jobs (function_name, state, accepted_at, id);
  CREATE INDEX jobs_ended ON jobs (ended_at) WHERE ended_at IS NOT NULL AND dead_reason IS NULL;
  CREATE INDEX jobs_dead ON jobs (ended_at, id) WHERE dead_reason IS NOT NULL;
  CREATE INDEX jobs_dead_by_function ON jobs (function_name, ended_at, id) WHERE dead_reason IS NOT NULL;
  CREATE INDEX jobs_to_call_back ON jobs (callback_due, seq) WHERE callback_state = 'pending';

  CREATE TABLE inputs (
    seq INTEGER PRIMARY KEY,
    head TEXT NOT NULL,
    body BLOB
  ) STRICT;

  CREATE TABLE attempts (
    seq INTEGER NOT NULL,
    number INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    started_at REAL NOT NULL,
    ended_at REAL NOT NULL,
    status INTEGER,
    error_code TEXT,
    error_message TEXT,
    instance_id TEXT,
    start_kind TEXT,
    queue_ms REAL NOT NULL,
    start_ms REAL NOT NULL,
    run_ms REAL NOT NULL,
    logs TEXT,
    PRIMARY KEY (seq, number)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE results (
    seq INTEGER PRIMARY KEY,
    status INTEGER NOT NULL,
    headers TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    body BLOB
  ) STRICT;

  CREATE TABLE idempotency_keys (
    function_name TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    id TEXT NOT NULL,
    expires_at REAL NOT NULL,
    PRIMARY KEY (function_name, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX idempotency_keys_by_end ON idempotency_keys (expires_at);

  CREATE TABLE progress (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    commits INTEGER NOT NULL,
    committed_at REAL NOT NULL
  ) STRICT;
  INSERT INTO progress VALUES (1, 0, 0);
`;

/** One row per outcome and whoever is to be told of it; `round` is the attempt that the outcome came of. */
const deliveries = `
  CREATE TABLE deliveries (
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    round INTEGER NOT NULL,
    target TEXT NOT NULL,
    state TEXT NOT NULL,
    due_at REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    PRIMARY KEY (seq, kind)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX deliveries_due ON deliveries (due_at, seq) WHERE state = 'pending';
  INSERT INTO deliveries (seq, kind, round, target, state, due_at, attempts)
    SELECT seq, 'callback', attempt, json_object('kind', 'url', 'url', callback_url, 'secret', NULL), callback_state, callback_due, callback_attempts
    FROM jobs WHERE callback_state IS NOT NULL;
  DROP INDEX jobs_to_call_back;
  ALTER TABLE jobs DROP COLUMN callback_state;
  ALTER TABLE jobs DROP COLUMN callback_due;
  ALTER TABLE jobs DROP COLUMN callback_attempts;
  ALTER TABLE jobs ADD COLUMN destinations TEXT;
`;

export const QUEUE_MIGRATIONS: readonly Migration[] = [
  { number: 1, name: 'initial', sql: initial },
  { number: 2, name: 'deliveries', sql: deliveries },
];
