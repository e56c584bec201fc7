import type { PostgresMigration } from '../../postgres/migrate-postgres.ts';

/**
 * As in SQLite (see there), and what several nodes need besides. Rows of `queue_jobs` change four times in their short lives: room is left in their pages, and
 * what is dead is cleared away early. Text is ordered by its bytes, instants are milliseconds since the epoch.
 *
 * - `node`, `lease_ms`, `lease_until`: who runs it, for how long without a heartbeat, and until when
 * - `ticket`: under which it runs, or was lost last
 * - `ticket_due_at`: when a ticket is to be published for it; null: one was, at `ticketed_at`
 */
const initial = `
  CREATE TABLE queue_jobs (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    function_name TEXT COLLATE "C" NOT NULL,
    version_number INTEGER NOT NULL,
    mode TEXT NOT NULL,
    trigger_kind TEXT NOT NULL,
    state TEXT NOT NULL,
    verb TEXT NOT NULL,
    path TEXT NOT NULL,
    request_id TEXT,
    priority INTEGER NOT NULL,
    accepted_at DOUBLE PRECISION NOT NULL,
    age_from DOUBLE PRECISION NOT NULL,
    max_age_ms DOUBLE PRECISION,
    due_at DOUBLE PRECISION NOT NULL,
    started_at DOUBLE PRECISION,
    ended_at DOUBLE PRECISION,
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
    destinations TEXT,
    node TEXT,
    lease_ms DOUBLE PRECISION,
    lease_until DOUBLE PRECISION,
    ticket TEXT COLLATE "C",
    ticket_due_at DOUBLE PRECISION,
    ticketed_at DOUBLE PRECISION
  ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
  CREATE INDEX queue_jobs_to_take ON queue_jobs (function_name, version_number, priority, due_at, seq) WHERE state = 'queued';
  CREATE INDEX queue_jobs_to_ticket ON queue_jobs (ticket_due_at) WHERE state = 'queued' AND ticket_due_at IS NOT NULL;
  CREATE INDEX queue_jobs_running ON queue_jobs (lease_until) WHERE state = 'running';
  CREATE INDEX queue_jobs_by_ticket ON queue_jobs (ticket) WHERE ticket IS NOT NULL;
  CREATE INDEX queue_jobs_by_state ON queue_jobs (state, accepted_at, id);
  CREATE INDEX queue_jobs_by_function ON queue_jobs (function_name, state, accepted_at, id);
  CREATE INDEX queue_jobs_ended ON queue_jobs (ended_at) WHERE ended_at IS NOT NULL AND dead_reason IS NULL;
  CREATE INDEX queue_jobs_dead ON queue_jobs (ended_at, id) WHERE dead_reason IS NOT NULL;
  CREATE INDEX queue_jobs_dead_by_function ON queue_jobs (function_name, ended_at, id) WHERE dead_reason IS NOT NULL;

  CREATE TABLE queue_inputs (
    seq BIGINT PRIMARY KEY,
    head TEXT NOT NULL,
    body BYTEA
  );

  CREATE TABLE queue_attempts (
    seq BIGINT NOT NULL,
    number INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    started_at DOUBLE PRECISION NOT NULL,
    ended_at DOUBLE PRECISION NOT NULL,
    status INTEGER,
    error_code TEXT,
    error_message TEXT,
    instance_id TEXT,
    start_kind TEXT,
    queue_ms DOUBLE PRECISION NOT NULL,
    start_ms DOUBLE PRECISION NOT NULL,
    run_ms DOUBLE PRECISION NOT NULL,
    logs TEXT,
    PRIMARY KEY (seq, number)
  );

  CREATE TABLE queue_results (
    seq BIGINT PRIMARY KEY,
    status INTEGER NOT NULL,
    headers TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    body BYTEA
  );

  CREATE TABLE queue_keys (
    function_name TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT NOT NULL,
    id TEXT NOT NULL,
    expires_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (function_name, key)
  );
  CREATE INDEX queue_keys_by_end ON queue_keys (expires_at);

  CREATE TABLE queue_deliveries (
    seq BIGINT NOT NULL,
    kind TEXT NOT NULL,
    round INTEGER NOT NULL,
    target TEXT NOT NULL,
    state TEXT NOT NULL,
    due_at DOUBLE PRECISION,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    PRIMARY KEY (seq, kind)
  );
  CREATE INDEX queue_deliveries_due ON queue_deliveries (due_at, seq) WHERE state = 'pending';
`;

export const QUEUE_MIGRATIONS: readonly PostgresMigration[] = [{ number: 1, name: 'initial', sql: initial }];
